"""The commands for a cluster on jobs and a pipeline through their lives: going well, failing, stopped, run again."""

import json
import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.jobs import WORD_COUNT, JobWorld, slow_attempt
from tests.e2e.oracle import count_words, read_words
from tests.support.podreduce_command import COMMAND

pytestmark = pytest.mark.e2e

SECONDS = 300
RAISES = """\
class Fails:
    def map_func(self, key, value):
        print("looking at a line", flush=True)
        yield value, int(value)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who types commands in the namespace of a world, and reaches its store."""

    world: JobWorld

    def types(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command as its own process, and return what it printed."""
        return subprocess.run(
            [*COMMAND, *words, "-n", self.world.namespace],
            env=os.environ
            | {
                "KUBECONFIG": str(self.world.cluster.kubeconfig),
                "PODREDUCE_STORE_ENDPOINT": self.world.minio.outside,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    def prints(self, *words: str) -> str:
        """Run a command that goes well, and return its result."""
        ran = self.types(*words)
        assert ran.returncode == 0, f"{words}: {ran.stderr}"
        return ran.stdout


@pytest.fixture
def person(world: JobWorld) -> Person:
    return Person(world=world)


def test_a_job_is_followed_to_its_end_and_its_output_read(person: Person, tmp_path: Path) -> None:
    world = person.world
    world.start("words", slow_attempt(WORD_COUNT, "m-2-1"))
    pod = world.wait_for_progress("words", "m-2-1")
    tree = person.prints("status", "words")
    assert f"mrj/words in {world.namespace}: Mapping, run 1" in tree
    assert "m-2, attempt 1, runs on " in tree
    assert "not published yet" in tree
    assert person.types("output", "words").returncode == 1
    assert "pod " in person.prints("logs", "words", "--tail", "3")
    world.go_on(pod)

    waited = person.types("wait", "words", "--timeout", str(SECONDS))
    assert waited.returncode == 0, waited.stderr
    assert waited.stdout.startswith("mrj/words: complete in ")
    assert person.prints("list").splitlines()[1].split()[:4] == ["words", "Complete", "8/8", "3/3"]

    parts = world.parts("words")
    assert person.prints("output", "words").encode() == b"".join(parts)
    assert int(person.prints("output", "words", "--count")) == len(count_words())
    assert person.prints("output", "words", "--head", "2").count("\n") == 2
    assert f"whole: {len(parts)} parts, {len(count_words()):,} records" in person.prints("verify", "words")
    person.prints("output", "words", "--save", str(tmp_path / "copy"))
    assert read_words([part.read_bytes() for part in sorted((tmp_path / "copy").iterdir())]) == count_words()
    assert "it is complete, in " in person.prints("diagnose", "words")
    assert "mrj/words" in person.prints("events", "words")


def test_a_failed_job_is_explained_and_its_log_is_there_when_the_pods_are_gone(person: Person) -> None:
    world = person.world
    world.start("broken", RAISES, backoffLimitPerTask=0)
    waited = person.types("wait", "broken", "--timeout", str(SECONDS))
    assert waited.returncode == 1
    told = [line for line in waited.stderr.splitlines() if not line.startswith("mrj/broken: ")]
    assert told[0].startswith("broken.py:4: ValueError: invalid literal for int()")
    assert told[1].startswith(f"at the record: s3://{world.corpus_bucket}/words/")
    assert told[2].startswith("what to do: correct the program")

    findings = json.loads(person.prints("diagnose", "broken", "-o", "json"))
    assert findings["findings"][0]["text"] == told[0]
    task = findings["findings"][0]["command"].split()[3]
    world.cluster.wait_for(lambda: "postMortem" in world.job("broken")["status"], "the post-mortem", timeout=60)
    world.cluster.kubectl("delete", "pods", "--all", "-n", world.namespace, "--wait=true", timeout=120)
    assert "looking at a line" in person.prints("logs", "broken", task)
    assert "looking at a line" in person.prints("logs", "broken", "--failed")
    again = person.types("replay", "broken", task)
    assert (again.returncode, "the same as recorded" in again.stdout) == (1, True), again.stderr
    assert '  File "broken.py", line 4, in map_func' in again.stdout
    assert "looking at a line" in again.stderr


def test_a_job_is_suspended_resumed_run_again_and_cancelled(person: Person) -> None:
    world = person.world
    output = {"uri": world.output_uri("again"), "ifExists": "Replace"}
    world.start("again", slow_attempt(WORD_COUNT, "m-2-1"), output=output)
    world.wait_for_progress("again", "m-2-1")
    person.prints("suspend", "again")
    assert person.types("wait", "again", "--timeout", "60").returncode == 3
    world.cluster.wait_for(lambda: not world.running_pods("again"), "no running pods", timeout=60)
    assert "it is suspended" in person.prints("diagnose", "again")

    person.prints("resume", "again")
    assert person.types("wait", "again", "--timeout", str(SECONDS)).returncode == 0
    assert read_words(world.parts("again")) == count_words()

    person.prints("rerun", "again")
    world.cluster.wait_for(lambda: world.job("again")["status"].get("runId") == "2", "run 2", timeout=60)
    assert person.types("cancel", "again").returncode == 2, "nobody is asked, so nothing is lost"
    person.prints("cancel", "again", "--yes")
    world.cluster.wait_for(lambda: not world.pods("again"), "the end of its pods", timeout=60)
    assert person.types("status", "again").returncode == 5


PRINTS = """
class Printing:
    def setup(self, context):
        self.task = context.task
    def map_func(self, key, value):
        for word in value.split():
            yield word, 1
    def reduce_func(self, key, values):
        yield key, sum(values)
    def teardown(self):
        print("printed by", self.task)
"""


def test_what_went_well_has_printed_is_there_when_its_pods_are_gone(person: Person) -> None:
    world = person.world
    job = world.run("printing", PRINTS)
    assert (job["status"]["map"]["active"], job["status"]["reduce"]["active"]) == (0, 0)
    world.cluster.wait_for(lambda: not world.running_pods("printing"), "no running pods", timeout=60)
    world.cluster.kubectl("delete", "pods", "--all", "-n", world.namespace, "--wait=true", timeout=120)
    for task in (*(f"m-{index}" for index in range(8)), *(f"r-{index}" for index in range(3))):
        assert f"printed by {task}" in person.prints("logs", "printing", task).splitlines()


WEB = """\
class Words:
    def map_func(self, key, line):
        for word in line.split():
            yield word, 1

    def reduce_func(self, word, counts):
        yield word, sum(counts)


class Lengths:
    def map_func(self, word, count):
        yield LENGTH, count

    def reduce_func(self, length, counts):
        print("reduced", length, flush=True)
        yield length, sum(counts)
"""
WORKS, FAILS = (WEB.replace("LENGTH", length) for length in ("len(word)", "int(word)"))


def apply_web(world: JobWorld, source: str) -> None:
    steps = [
        {"name": "words", "className": "Words", "inputs": [{"uris": [world.input_uri("words")]}],
         "map": {"shards": 3}, "reduce": {"partitions": 2}},
        {"name": "lengths", "className": "Lengths", "inputs": [{"from": "words"}], "backoffLimitPerTask": 0,
         "output": {"uri": world.output_uri("lengths")}},
        {"name": "again", "className": "Words", "inputs": [{"from": "lengths"}],
         "output": {"uri": world.output_uri("again")}},
    ]  # fmt: skip
    spec = {"program": {"source": source}, "parallelism": 4, "steps": steps}
    metadata = {"name": "web"}
    manifest = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReducePipeline", "metadata": metadata, "spec": spec}
    world.cluster.apply(manifest, namespace=world.namespace)


def job_of(world: JobWorld, step: str) -> str:
    """Return the name of the job of a step, when it has one."""

    def name() -> str | None:
        web = world.cluster.get("mrp", "web", world.namespace) or {}
        steps = web.get("status", {}).get("steps", ())
        return next((line.get("job") for line in steps if line["name"] == step), None)

    return world.cluster.wait_for(name, f"a job of the step {step}", timeout=SECONDS)


def test_a_pipeline_is_followed_explained_corrected_and_read(person: Person, tmp_path: Path) -> None:
    world = person.world
    apply_web(world, slow_attempt(FAILS, "m-1-1"))
    words = job_of(world, "words")
    pod = world.wait_for_progress(words, "m-1-1")
    look_at_running(person, words)
    world.go_on(pod)
    waited = person.types("wait", "mrp/web", "--timeout", str(SECONDS))
    assert waited.returncode == 1
    lengths = job_of(world, "lengths")
    look_at_failed(person, lengths, [line for line in waited.stderr.splitlines() if not line.startswith("mrp/web: ")])

    apply_web(world, WORKS)
    person.prints("rerun", "mrp/web")
    world.cluster.wait_for(lambda: job_of(world, "lengths") != lengths, "the job of run 2", timeout=SECONDS)
    waited = person.types("wait", "mrp/web", "--timeout", str(SECONDS))
    assert waited.returncode == 0, waited.stderr
    assert waited.stdout.startswith("mrp/web: complete in ")
    look_at_complete(person, tmp_path / "copy")
    assert "StepComplete" in person.prints("events", "mrp/web")
    person.prints("cancel", "mrp/web", "--yes")


def look_at_running(person: Person, words: str) -> None:
    """Ask about the pipeline while its first step runs."""
    namespace = person.world.namespace
    tree = person.prints("status", "mrp/web")
    assert tree.startswith(f"mrp/web in {namespace}: Running, run 1, 0/3 steps, for ")
    assert ("waits" in tree, f"mrj/{words} in {namespace}: " in tree) == (False, True)
    diagnosis = person.prints("diagnose", "mrp/web").splitlines()
    assert f"the step words: running; its job is mrj/{words}" in diagnosis
    assert diagnosis[-1] == "waiting for other steps: 2 steps: lengths, again"
    assert "==> words, m-1, attempt 1, pod " in person.prints("logs", "mrp/web", "--step", "words")
    running = person.types("output", "mrp/web", "--step", "words")
    assert (running.returncode, "the step words has no complete output: it is running" in running.stderr) == (1, True)


def look_at_failed(person: Person, lengths: str, told: list[str]) -> None:
    """Ask about the pipeline when its second step has failed, of which `wait` has told these lines."""
    world = person.world
    assert re.match(rf"the step lengths: {lengths}\.py:\d+: ValueError: invalid literal", told[0])
    assert told[1].startswith("at the record: s3://")
    assert told[2].endswith(f"then apply the file, and podreduce rerun mrp/web -n {world.namespace}")
    world.cluster.wait_for(lambda: "postMortem" in world.job(lengths)["status"], "the post-mortem", timeout=60)
    findings = json.loads(person.prints("diagnose", "mrp/web", "-o", "json"))
    assert (findings["pipeline"], findings["unknown"]) == ("web", [])
    assert findings["findings"][0]["text"] == told[0]
    assert findings["findings"][-1]["text"] == "not reached: 1 step: again"
    assert "ValueError: invalid literal for int()" in person.prints("logs", "mrp/web", "--failed")
    replayed = person.types("replay", "mrp/web")
    assert (replayed.returncode, "the same as recorded" in replayed.stdout) == (1, True), replayed.stderr
    assert f"mrp/web: the job of the step lengths is mrj/{lengths}" in replayed.stderr


def look_at_complete(person: Person, directory: Path) -> None:
    """Ask about the pipeline when it is complete."""
    listed = person.prints("output", "mrp/web").splitlines()
    assert [line.split()[:2] for line in listed[1:]] == [["lengths", "complete"], ["again", "complete"]]
    counts, expected = count_words(), Counter[int]()
    for word, count in counts.items():
        expected[len(word)] += count
    records = [line.split("\t") for line in person.prints("output", "mrp/web", "--step", "lengths").splitlines()]
    assert {int(length): int(count) for length, count in records} == expected
    assert int(person.prints("output", "mrp/web", "--step", "words", "--count")) == len(counts)
    word, count_of_it = person.prints("output", "mrp/web", "--step", "words", "--head", "1").split("\t")
    assert counts[word] == int(count_of_it), "an intermediate output, which is in the format Pairs"
    assert ": whole: " in person.prints("verify", "mrp/web", "--step", "lengths")
    person.prints("output", "mrp/web", "--step", "again", "--save", str(directory))
    assert any(directory.iterdir())
    assert "reduced 3" in person.prints("logs", "mrp/web", "--step", "lengths").splitlines()
    assert "it is complete, in " in person.prints("diagnose", "mrp/web")
