"""MapReducePipelines on a cluster: a diamond, a loop, reuse, and an operator that is killed while the loop runs."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import obstore
import pytest

from tests.cluster.cluster import ClusterError
from tests.e2e.corpus import decompressed, real_text
from tests.e2e.jobs import JobWorld

pytestmark = pytest.mark.e2e

SECONDS = 300

STEPS = """\
class Words:
    def map_func(self, key, line):
        for word in line.split():
            yield word.lower(), 1

    def reduce_func(self, word, counts):
        yield word, sum(counts)


class Lengths:
    def map_func(self, word, count):
        yield len(word), count

    def reduce_func(self, length, counts):
        yield length, sum(counts)


class Initials:
    def map_func(self, word, count):
        yield word[0], count

    def reduce_func(self, initial, counts):
        yield initial, sum(counts)


class Report:
    def setup(self, context):
        self.context = context

    def map_func(self, key, count):
        yield f"{self.context.input} {key}", count

    def reduce_func(self, key, counts):
        yield key, sum(counts)


class Start:
    def map_func(self, key, line):
        yield "x", 64.0

    def reduce_func(self, key, values):
        yield key, 64.0


class Halve:
    def map_func(self, key, value):
        yield key, value

    def reduce_func(self, key, values):
        yield key, max(values) / 2


class Weigh:
    def setup(self, context):
        self.context = context

    def map_func(self, key, value):
        if self.context.input == "text":
            for word in value.split():
                yield word.lower(), 1
        else:
            yield key, int(value)

    def reduce_func(self, word, values):
        yield word, sum(values) % 1009


class Show:
    def map_func(self, word, weight):
        yield word, weight
"""
PARTS = {"map": {"shards": 2}, "reduce": {"partitions": 2}}


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineWorld:
    """A namespace in which a pipeline runs."""

    jobs: JobWorld

    def apply(self, name: str, **spec: Any) -> None:
        manifest = {
            "apiVersion": "podreduce.dev/v1beta1",
            "kind": "MapReducePipeline",
            "metadata": {"name": name},
            "spec": {"program": {"source": STEPS}, "parallelism": 4, **spec},
        }
        self.jobs.cluster.apply(manifest, namespace=self.jobs.namespace)

    def read(self, name: str) -> dict[str, Any]:
        found = self.jobs.cluster.get("mrp", name, self.jobs.namespace)
        assert found is not None, f"no pipeline {name}"
        return found

    def describe(self, name: str) -> str:
        place = ("--namespace", self.jobs.namespace)
        shown = [("describe", "mrp", name), ("get", "mrj,pods", "--output=wide")]
        return "\n".join(self.jobs.cluster.kubectl(*each, *place).stdout for each in shown)

    def wait(self, name: str, run_id: str = "1", expected: str = "Complete") -> dict[str, Any]:
        """Wait until a run has ended, and return its status."""

        def settled() -> str | None:
            status = self.read(name).get("status", {})
            if status.get("runId") != run_id:
                return None
            true = {each["type"] for each in status["conditions"] if each["status"] == "True"}
            return next((kind for kind in ("Complete", "Failed") if kind in true), None)

        try:
            found = self.jobs.cluster.wait_for(settled, f"the end of {name}", SECONDS)
        except ClusterError as late:
            raise AssertionError(f"{late}\n{self.describe(name)}") from late
        assert found == expected, self.describe(name)
        status: dict[str, Any] = self.read(name)["status"]
        return status

    def delete(self, name: str) -> None:
        self.jobs.cluster.kubectl("delete", "mrp", name, "--namespace", self.jobs.namespace, timeout=SECONDS)

    def list_jobs(self, step: str) -> list[dict[str, Any]]:
        jobs = self.jobs.cluster.list("mrj", self.jobs.namespace)
        return [job for job in jobs if job["metadata"]["labels"].get("podreduce.dev/step") == step]

    def job_names(self) -> list[str]:
        return sorted(job["metadata"]["name"] for job in self.jobs.cluster.list("mrj", self.jobs.namespace))


@pytest.fixture
def pipelines(world: JobWorld) -> PipelineWorld:
    return PipelineWorld(jobs=world)


def states(status: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in status["steps"]}


def count_words() -> Counter[str]:
    """How often each word is in the text."""
    return Counter(
        word.lower()
        for data in decompressed(real_text())
        for line in data.decode().split("\n")
        for word in line.split()
    )


def test_a_diamond_equals_a_counter_and_a_second_run_reuses_it(pipelines: PipelineWorld) -> None:
    world = pipelines.jobs
    steps = [
        {"name": "words", "className": "Words", "inputs": [{"uris": [world.input_uri("words")]}], **PARTS},
        {"name": "lengths", "className": "Lengths", "inputs": [{"from": "words"}]},
        {"name": "initials", "className": "Initials", "inputs": [{"from": "words"}]},
        {
            "name": "report",
            "className": "Report",
            "inputs": [{"from": "lengths"}, {"from": "initials"}],
            "output": {"uri": world.output_uri("report"), "format": "JSONLines"},
        },
    ]
    pipelines.apply("web", steps=steps)
    status = pipelines.wait("web")
    assert set(states(status).values()) == {"Complete"}
    assert status["progress"] == "4/4"

    words = count_words()
    expected: Counter[str] = Counter()
    for word, count in words.items():
        expected[f"lengths {len(word)}"] += count
        expected[f"initials {word[0]}"] += count
    records = [json.loads(line) for part in world.parts("report") for line in part.decode().split("\n")[:-1]]
    assert {record["key"]: record["value"] for record in records} == expected

    pipelines.apply("web", steps=steps, runId="2")
    status = pipelines.wait("web", "2")
    assert set(states(status).values()) == {"Reused"}
    assert pipelines.job_names() == [], "the jobs of the run before are gone, and none was made"


def weigh(iterations: int) -> dict[str, int]:
    """What the loop of the next test gives."""
    words, weights = count_words(), Counter({"x": 64})
    for _ in range(iterations):
        weights = Counter({word: (words[word] + weights[word]) % 1009 for word in words | weights})
    return dict(weights)


def test_a_loop_maps_what_does_not_change_once(pipelines: PipelineWorld) -> None:
    world = pipelines.jobs
    text = {"name": "text", "uris": [world.input_uri("words")]}
    weights = {"name": "weights", "previous": "weigh", "first": {"from": "start"}}
    pipelines.apply(
        "weights",
        steps=[
            {"name": "start", "className": "Start", "inputs": [{"uris": [world.input_uri("words")]}]},
            {
                "name": "weigh",
                "className": "Weigh",
                "inputs": [text, weights],
                "map": {"shards": 4},
            },
            {
                "name": "show",
                "className": "Show",
                "inputs": [{"from": "weigh"}],
                "output": {"uri": world.output_uri("weights"), "format": "JSONLines"},
                "reduce": {"partitions": 0},
            },
        ],
        loops=[{"name": "growth", "steps": ["weigh"], "maxIterations": 3}],
    )
    pipelines.wait("weights")
    records = [json.loads(line) for part in world.parts("weights") for line in part.decode().split("\n")[:-1]]
    assert {record["key"]: record["value"] for record in records} == weigh(3)

    jobs = {job["metadata"]["labels"]["podreduce.dev/iteration"]: job for job in pipelines.list_jobs("weigh")}
    for iteration in ("2", "3"):
        assert jobs[iteration]["status"]["map"] | {"carried": 3, "succeeded": 4} == jobs[iteration]["status"]["map"]
    world.cluster.wait_for(lambda: len(pipelines.list_jobs("weigh")) == 2, "the end of the job that kept maps", SECONDS)


def test_a_loop_converges_though_its_operator_is_killed(pipelines: PipelineWorld) -> None:
    world = pipelines.jobs
    pipelines.apply(
        "halves",
        steps=[
            {"name": "start", "className": "Start", "inputs": [{"uris": [world.input_uri("words")]}]},
            {
                "name": "halve",
                "className": "Halve",
                "inputs": [{"previous": "halve", "first": {"from": "start"}}],
                "output": {"uri": world.output_uri("halves"), "format": "Pairs"},
            },
        ],
        loops=[
            {
                "name": "down",
                "steps": ["halve"],
                "maxIterations": 10,
                "until": [{"step": "halve", "value": "x", "operator": "Less", "than": 3}],
            }
        ],
    )

    def iterations() -> bool:
        loops = pipelines.read("halves").get("status", {}).get("loops") or [{}]
        return loops[0].get("iteration", 0) >= 2

    world.cluster.wait_for(iterations, "two iterations", SECONDS)
    operator = world.installation.leader()
    world.cluster.kubectl(
        "delete", "pod", operator, "--force", "--grace-period=0", "--namespace", world.installation.namespace
    )
    status = pipelines.wait("halves")
    (loop,) = status["loops"]
    assert (loop["state"], loop["iteration"]) == ("Converged", 5)
    assert [each["values"] for each in loop["recent"]] == [["32"], ["16"], ["8"], ["4"], ["2"]]
    columns = world.cluster.kubectl("get", "mrp", "halves", "--namespace", world.namespace).stdout.split()
    assert columns[:4] == ["NAME", "PHASE", "STEPS", "LOOP"]


def test_a_pipeline_that_is_not_valid_says_why_before_a_step_starts(pipelines: PipelineWorld) -> None:
    steps = [{"name": "words", "className": "Wrods", "inputs": [{"uris": ["s3://nowhere/words/"]}]}]
    pipelines.apply("wrong", steps=steps)

    def failed() -> bool:
        return any(
            each["type"] == "Failed" and each["status"] == "True"
            for each in pipelines.read("wrong").get("status", {}).get("conditions", ())
        )

    pipelines.jobs.cluster.wait_for(failed, "the end of wrong", SECONDS)
    told = next(each for each in pipelines.read("wrong")["status"]["conditions"] if each["type"] == "Failed")
    assert told["reason"] == "ProgramInvalid"
    assert "the step words: " in told["message"]
    assert "Wrods" in told["message"]
    assert pipelines.job_names() == []


def test_only_what_a_change_reaches_runs_again_and_deleting_leaves_results_alone(pipelines: PipelineWorld) -> None:
    """A step fails and is mended; then one object changes; then the pipeline is deleted."""
    world = pipelines.jobs
    left, right = (f"s3://{world.corpus_bucket}/{world.namespace}-{side}/" for side in "lr")
    store = world.minio.store(world.corpus_bucket)
    obstore.put(store, f"{world.namespace}-l/1.txt", b"one two two\n")
    obstore.put(store, f"{world.namespace}-r/1.txt", b"three three\n")
    steps = [
        {"name": "words", "className": "Words", "inputs": [{"uris": [left]}], "backoffLimitPerTask": 0},
        {"name": "others", "className": "Words", "inputs": [{"uris": [right]}], "program": {"source": STEPS}},
        {
            "name": "report",
            "className": "Report",
            "inputs": [{"from": "words"}, {"from": "others"}],
            "output": {"uri": world.output_uri("report"), "format": "JSONLines"},
        },
    ]
    failing = {"source": STEPS.replace("word.lower(), 1", "word.lower(), 1 if word[:3] != 'one' else int(word)")}
    pipelines.apply("mended", steps=steps, program=failing)
    status = pipelines.wait("mended", expected="Failed")
    assert states(status) == {"words": "Failed", "others": "Complete", "report": "NotReached"}
    assert "invalid literal for int()" in json.dumps(status)

    mended = [{**steps[0], "program": {"source": STEPS}}, *steps[1:]]
    pipelines.apply("mended", steps=mended, program=failing, runId="2")
    status = pipelines.wait("mended", "2")
    assert states(status) == {"words": "Complete", "others": "Reused", "report": "Complete"}
    assert read_report(world) == {"words one": 1, "words two": 2, "others three": 2}

    obstore.put(store, f"{world.namespace}-r/1.txt", b"three four\n")
    pipelines.apply("mended", steps=mended, program=failing, runId="3")
    status = pipelines.wait("mended", "3")
    assert states(status) == {"words": "Reused", "others": "Complete", "report": "Complete"}
    assert read_report(world) == {"words one": 1, "words two": 2, "others three": 1, "others four": 1}

    results = world.objects("report")
    pipelines.delete("mended")
    world.cluster.wait_for(lambda: not world.work_keys("mended"), "the end of what the pipeline kept", SECONDS)
    assert pipelines.job_names() == []
    assert world.objects("report") == results


def read_report(world: JobWorld) -> dict[str, int]:
    lines = [line for part in world.parts("report") for line in part.decode().split("\n")[:-1]]
    return {record["key"]: record["value"] for record in map(json.loads, lines)}


SLOW = """\
import time


class Words:
    def setup(self, context):
        time.sleep(75)

    def map_func(self, key, line):
        for word in line.split():
            yield word, 1

    def reduce_func(self, word, counts):
        yield word, sum(counts)


class Report:
    def map_func(self, word, count):
        yield word, count
"""


def test_a_schedule_of_pipelines_never_runs_two_and_reuses_what_a_deleted_one_has_made(
    pipelines: PipelineWorld,
) -> None:
    """The first pipeline is slower than a minute, and the operator is killed meanwhile. Only one ended one is kept."""
    world = pipelines.jobs
    obstore.put(world.minio.store(world.corpus_bucket), f"{world.namespace}-in/1.txt", b"one two two\n")
    nights = Nights(world=world, name="nights")
    manifest = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReduceSchedule", "metadata": {"name": nights.name}}
    world.cluster.apply({**manifest, "spec": minutely_pipelines(world)}, namespace=world.namespace)

    world.cluster.wait_for(lambda: nights.look() and pipelines.job_names(), "the first step", SECONDS)
    operator = world.installation.leader()
    kill = ("--force", "--grace-period=0", "--namespace", world.installation.namespace)
    world.cluster.kubectl("delete", "pod", operator, *kill)
    world.cluster.wait_for(nights.third_is_complete, "three pipelines", SECONDS)
    first, second, third = sorted(nights.seen)[:3]
    assert nights.most_active == 1, "two pipelines at a time"
    assert states(nights.seen[first]) == {"words": "Complete", "report": "Complete"}
    for later in (second, third):
        assert states(nights.seen[later]) == {"words": "Reused", "report": "Complete"}
        assert nights.seen[later]["steps"][0]["run"] == first
    world.cluster.wait_for(lambda: first not in nights.look(), "the deletion of the first one", SECONDS)

    world.cluster.kubectl("delete", "mrs", nights.name, "--namespace", world.namespace, timeout=SECONDS)
    world.cluster.wait_for(lambda: not nights.look(), "the end of the pipelines", SECONDS)
    world.cluster.wait_for(lambda: not world.work_keys(nights.name), "the end of what they kept", SECONDS)


def minutely_pipelines(world: JobWorld) -> dict[str, Any]:
    """The spec of a schedule whose pipelines count the words of one object, and then report them by the minute."""
    output = f"{world.output_uri('sections')}$(parameters.minute)/"
    steps = [
        {
            "name": "words",
            "className": "Words",
            "inputs": [{"uris": [f"s3://{world.corpus_bucket}/{world.namespace}-in/"]}],
        },
        {"name": "report", "className": "Report", "inputs": [{"from": "words"}], "output": {"uri": output}},
    ]
    template = {"program": {"source": SLOW}, "steps": [{**step, "inheritParameters": []} for step in steps]}
    return {
        "schedule": "* * * * *",
        "parameters": [{"name": "minute", "format": "%Y%m%dT%H%M"}],
        "successfulJobsHistoryLimit": 1,
        "pipelineTemplate": {"spec": template},
    }


@dataclass(kw_only=True)
class Nights:
    """The pipelines of a schedule, as they are seen again and again.

    Attributes:
        seen: the last status of each complete one.
        most_active: how many had not ended at a time.
    """

    world: JobWorld
    name: str
    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    most_active: int = 0

    def look(self) -> list[str]:
        """Return the names of those that there are."""
        found = self.world.cluster.list("mrp", self.world.namespace, f"podreduce.dev/schedule={self.name}")
        phases = {each["metadata"]["name"]: each.get("status", {}).get("phase") for each in found}
        self.most_active = max(self.most_active, sum(phase not in {"Complete", "Failed"} for phase in phases.values()))
        assert "Failed" not in phases.values(), found
        self.seen |= {
            each["metadata"]["name"]: each["status"] for each in found if phases[each["metadata"]["name"]] == "Complete"
        }
        return sorted(phases)

    def third_is_complete(self) -> bool:
        self.look()
        return len(self.seen) >= 3
