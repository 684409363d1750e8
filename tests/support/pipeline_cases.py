"""One table for whoever applies the CRD of pipelines: the local validator and the API server must agree on each one."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.support.builders.pipelines import PAGERANK

__all__ = ["DEFAULTED_PIPELINE", "DEFAULTED_STEP", "PIPELINE_CASES", "PipelineCase", "largest_pipeline"]

DEFAULTED_STEP: dict[str, Any] = {
    "admission": "PerPod",
    "backoff": {"initialSeconds": 5, "factor": 2, "maxSeconds": 300, "outOfMemoryFactor": 1.5},
    "backoffLimitPerTask": 4,
    "badRecords": "Fail",
    "execution": "Auto",
    "progressDeadlineSeconds": 1800,
    "speculation": "Auto",
    "tasksPerPod": "Auto",
}
"""What each step has besides what is written."""

DEFAULTED_PIPELINE: dict[str, Any] = {
    "onStepFailure": "FinishRunning",
    "reuse": "Unchanged",
    "intermediates": "UntilTTL",
    "runId": "1",
    "suspend": False,
    "ttlSecondsAfterFinished": 86400,
    "storage": {"secretRef": {"name": "podreduce-storage"}},
}
"""What a pipeline has besides what is written."""

ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineCase:
    """A manifest and what becomes of it: `PAGERANK` with changes, by paths such as `steps.1.inputs.0.from`.

    Attributes:
        refused_at: the field at which it is refused; None where it is taken.
        only_on_cluster: a local run takes it.
    """

    id: str
    changes: dict[str, Any] = field(default_factory=dict)
    refused_at: str | None = None
    only_on_cluster: bool = False

    def manifest(self, name: str = "case") -> dict[str, Any]:
        """The manifest, with that name."""
        spec = deepcopy(PAGERANK)
        for path, value in self.changes.items():
            change(spec, path.split("."), value)
        return {
            "apiVersion": "podreduce.dev/v1beta1",
            "kind": "MapReducePipeline",
            "metadata": {"name": name},
            "spec": spec,
        }


def change(target: Any, path: list[str], value: Any) -> None:
    *parents, last = path
    for parent in parents:
        target = target[int(parent)] if isinstance(target, list) else target.setdefault(parent, {})
    place = int(last) if isinstance(target, list) else last
    if value is ABSENT:
        del target[place]
    else:
        target[place] = value


def taken(name: str, **changes: Any) -> PipelineCase:
    return PipelineCase(id=name, changes={path.replace("__", "."): value for path, value in changes.items()})


def refused(name: str, at: str, *, only_on_cluster: bool = False, **changes: Any) -> PipelineCase:
    by_path = {path.replace("__", "."): value for path, value in changes.items()}
    return PipelineCase(id=name, changes=by_path, refused_at=at, only_on_cluster=only_on_cluster)


LINKS = {"uris": ["s3://web/links/"]}

PIPELINE_CASES = (
    taken("as-it-is"),
    taken("no-loops", loops=ABSENT, steps=[{"name": "a", "inputs": [LINKS]}]),
    taken(
        "own-programs", program=ABSENT, steps=[{"name": "a", "inputs": [LINKS], "program": {"module": "a"}}], loops=[]
    ),
    refused("no-program", "spec", program=ABSENT),
    refused("no-steps", "spec.steps", steps=[]),
    refused("upper-case-name", "spec.steps[0].name", steps__0__name="Seed"),
    refused("no-inputs", "spec.steps[0].inputs", steps__0__inputs=[]),
    refused("nothing-to-read", "spec.steps[3].inputs[0]", steps__3__inputs=[{}]),
    refused("two-to-read", "spec.steps[3].inputs[0]", steps__3__inputs=[{"from": "sum", **LINKS}]),
    refused("first-without-previous", "spec.steps[3].inputs[0]", steps__3__inputs__0__first=LINKS),
    refused("previous-without-first", "spec.steps[1].inputs[1]", steps__1__inputs__1__first=ABSENT),
    refused("first-of-two", "spec.steps[1].inputs[1].first", steps__1__inputs__1__first__uris=["s3://web/x"]),
    refused("unknown-step", "spec", steps__3__inputs__0__from="sun"),
    refused("reads-itself", "spec", steps__3__inputs__0__from="top"),
    refused("reads-below", "spec", steps__0__inputs__0={"from": "top"}),
    refused("first-reads-below", "spec", steps__1__inputs__1__first={"from": "top"}),
    taken("side-input", steps__3__sideInputs=[{"from": "seed"}]),
    refused("side-input-of-nobody", "spec", steps__3__sideInputs=[{"from": "sead"}]),
    refused("side-input-of-two", "spec.steps[3].sideInputs[0]", steps__3__sideInputs=[{"from": "seed", **LINKS}]),
    refused("side-input-first-below", "spec", steps__1__sideInputs=[{"previous": "sum", "first": {"from": "top"}}]),
    refused(
        "side-input-of-another-loop", "spec", steps__1__sideInputs=[{"previous": "top", "first": {"from": "seed"}}]
    ),
    taken("waits-for-one-above", steps__3__dependsOn=["seed"]),
    refused("waits-for-one-below", "spec", steps__0__dependsOn=["top"]),
    refused("waits-for-itself", "spec", steps__0__dependsOn=["seed"]),
    refused("previous-outside-of-loops", "spec", steps__3__inputs__0={"previous": "sum", "first": {"from": "seed"}}),
    refused("previous-of-no-loop", "spec", loops=ABSENT),
    refused("loop-of-nobody", "spec", loops__0__steps=["spread", "sun"]),
    refused("loop-in-another-order", "spec", loops__0__steps=["sum", "spread"]),
    refused("loop-with-a-gap", "spec", loops__0__steps=["seed", "sum"], loops__0__until=[]),
    refused(
        "step-in-two-loops",
        "spec",
        loops=[
            {"name": "a", "steps": ["spread", "sum"], "maxIterations": 2},
            {"name": "b", "steps": ["sum", "top"], "maxIterations": 2},
        ],
    ),
    refused("no-limit", "spec.loops[0].maxIterations", loops__0__maxIterations=ABSENT),
    refused("limit-of-nothing", "spec.loops[0].maxIterations", loops__0__maxIterations=0),
    refused("at-least-more-than-at-most", "spec.loops[0]", loops__0__minIterations=31),
    refused("until-of-another-step", "spec.loops[0]", loops__0__until__0__step="top"),
    refused("until-of-nothing", "spec.loops[0].until[0]", loops__0__until__0__counter=ABSENT),
    refused("until-of-two", "spec.loops[0].until[0]", loops__0__until__0__output="Records"),
    refused("counter-without-a-group", "spec.loops[0].until[0].counter", loops__0__until__0__counter="micro"),
    taken("decimal-to-compare-with", loops__0__until__0__than="-1.5e-3"),
    refused("no-number-to-compare-with", "spec.loops[0].until[0].than", loops__0__until__0__than="few"),
    refused("output-of-two", "spec", steps__2__output={"uri": "s3://web/top"}),
    taken("output-of-a-parameter", parameters__base="s3://x", steps__3__output__uri="$(parameters.base)/top/"),
    taken("bucket-of-a-parameter", parameters__bucket="x", steps__3__output__uri="s3://$(parameters.bucket)/top/"),
    refused("output-in-a-whole-bucket", "spec.steps[3].output.uri", steps__3__output__uri="s3://web/"),
    refused("glob-output", "spec.steps[3].output.uri", steps__3__output__uri="s3://web/*/"),
    refused("local-output", "spec.steps[3].output.uri", steps__3__output__uri="top/", only_on_cluster=True),
    taken("input-of-a-parameter", parameters__base="s3://x", steps__0__inputs__0__uris=["$(parameters.base)/links/"]),
    refused("local-input", "spec.steps[0].inputs[0].uris", steps__0__inputs__0__uris=["links/"], only_on_cluster=True),
    refused("foreign-input", "spec.steps[0].inputs[0].uris", steps__0__inputs__0__uris=["https://web/links/"]),
    refused("input-without-a-bucket", "spec.steps[0].inputs[0].uris", steps__0__inputs__0__uris=["s3://web"]),
    refused("nine-inputs", "spec.steps[0].inputs[0].uris", steps__0__inputs__0__uris=["s3://web/a/"] * 9),
    refused("csv-of-nothing", "spec.steps[0].inputs[0]", steps__0__inputs__0__csv={"header": False}),
    refused("columns-of-nothing", "spec.steps[3].output", steps__3__output__columns=["a"]),
    refused("total-order-without-a-reduce", "spec.steps[0]", steps__0__output={"order": "Total"}),
    refused("fewer-shards-than-inputs", "spec.steps[1]", steps__1__map={"shards": 1}),
    refused("limit-of-skipped-records-alone", "spec.steps[1]", steps__1__maxBadRecords=3),
    refused("two-programs", "spec.steps[1].program", steps__1__program={"module": "a", "source": "b"}),
    refused("mode-of-reuse", "spec.reuse", reuse="Always"),
    refused("name-that-yaml-reads-as-true", "spec.parameters", parameters={"true": "x"}),
    refused("part-of-a-job", "spec.steps[0].backoff", steps__0__backoff={"initialSeconds": 301}),
)
"""Every rule of the pipeline's own is broken once; those of a job's parts are in `CRD_CASES`."""


def largest_pipeline() -> dict[str, Any]:
    """A valid pipeline of 64 steps, each with as many inputs and waits as it may have."""
    steps: list[dict[str, Any]] = []
    for number in range(64):
        names = [step["name"] for step in steps]
        uris = [f"s3://bucket-{number}/input-{place}/" for place in range(8)]
        from_steps = [{"from": name} for name in names[-3:]]
        steps.append(
            {
                "name": f"{'s' * 27}{number:03}",
                "inputs": [{"uris": uris}, *from_steps],
                "sideInputs": [{"from": name} for name in names[:8]],
                "dependsOn": names[-8:],
                "output": {"uri": f"s3://output/{number}/"},
            }
        )
    loops = [
        {
            "name": f"l{number}",
            "steps": [step["name"] for step in steps[number * 8 : number * 8 + 8]],
            "maxIterations": 3,
        }
        for number in range(8)
    ]
    return {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReducePipeline",
        "metadata": {"name": "largest"},
        "spec": {"program": {"module": "a"}, "steps": steps, "loops": loops},
    }
