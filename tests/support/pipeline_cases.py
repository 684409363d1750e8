"""One table for whoever applies the CRD of pipelines: the local validator and the API server must agree on each one."""

from typing import Any

from tests.support.builders.pipelines import PAGERANK
from tests.support.manifest_cases import ABSENT, CrdUnderTest

__all__ = ["DEFAULTED_PIPELINE", "DEFAULTED_STEP", "PIPELINE_CASES", "PIPELINE_CRD", "largest_pipeline"]

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

PIPELINE_CRD = CrdUnderTest(kind="MapReducePipeline", spec=PAGERANK)
taken, refused = PIPELINE_CRD.taken, PIPELINE_CRD.refused

LINKS = {"uris": ["s3://web/links/"]}

PIPELINE_CASES = (
    taken("as-it-is"),
    taken("no-loops", loops=ABSENT, steps=[{"name": "a", "inputs": [LINKS]}]),
    taken(
        "own-programs", program=ABSENT, steps=[{"name": "a", "inputs": [LINKS], "program": {"module": "a"}}], loops=[]
    ),
    refused("", "no-program", program=ABSENT),
    refused("steps", "no-steps", steps=[]),
    refused("steps[0].name", "upper-case-name", steps__0__name="Seed"),
    refused("steps[0].inputs", "no-inputs", steps__0__inputs=[]),
    refused("steps[3].inputs[0]", "nothing-to-read", steps__3__inputs=[{}]),
    refused("steps[3].inputs[0]", "two-to-read", steps__3__inputs=[{"from": "sum", **LINKS}]),
    refused("steps[3].inputs[0]", "first-without-previous", steps__3__inputs__0__first=LINKS),
    refused("steps[1].inputs[1]", "previous-without-first", steps__1__inputs__1__first=ABSENT),
    refused("steps[1].inputs[1].first", "first-of-two", steps__1__inputs__1__first__uris=["s3://web/x"]),
    refused("", "unknown-step", steps__3__inputs__0__from="sun"),
    refused("", "reads-itself", steps__3__inputs__0__from="top"),
    refused("", "reads-below", steps__0__inputs__0={"from": "top"}),
    refused("", "first-reads-below", steps__1__inputs__1__first={"from": "top"}),
    taken("side-input", steps__3__sideInputs=[{"from": "seed"}]),
    refused("", "side-input-of-nobody", steps__3__sideInputs=[{"from": "sead"}]),
    refused("steps[3].sideInputs[0]", "side-input-of-two", steps__3__sideInputs=[{"from": "seed", **LINKS}]),
    refused("", "side-input-first-below", steps__1__sideInputs=[{"previous": "sum", "first": {"from": "top"}}]),
    refused("", "side-input-of-another-loop", steps__1__sideInputs=[{"previous": "top", "first": {"from": "seed"}}]),
    taken("waits-for-one-above", steps__3__dependsOn=["seed"]),
    refused("", "waits-for-one-below", steps__0__dependsOn=["top"]),
    refused("", "waits-for-itself", steps__0__dependsOn=["seed"]),
    refused("", "previous-outside-of-loops", steps__3__inputs__0={"previous": "sum", "first": {"from": "seed"}}),
    refused("", "previous-of-no-loop", loops=ABSENT),
    refused("", "loop-of-nobody", loops__0__steps=["spread", "sun"]),
    refused("", "loop-in-another-order", loops__0__steps=["sum", "spread"]),
    refused("", "loop-with-a-gap", loops__0__steps=["seed", "sum"], loops__0__until=[]),
    refused(
        "",
        "step-in-two-loops",
        loops=[
            {"name": "a", "steps": ["spread", "sum"], "maxIterations": 2},
            {"name": "b", "steps": ["sum", "top"], "maxIterations": 2},
        ],
    ),
    refused("loops[0].maxIterations", "no-limit", loops__0__maxIterations=ABSENT),
    refused("loops[0].maxIterations", "limit-of-nothing", loops__0__maxIterations=0),
    refused("loops[0]", "at-least-more-than-at-most", loops__0__minIterations=31),
    refused("loops[0]", "until-of-another-step", loops__0__until__0__step="top"),
    refused("loops[0].until[0]", "until-of-nothing", loops__0__until__0__counter=ABSENT),
    refused("loops[0].until[0]", "until-of-two", loops__0__until__0__output="Records"),
    refused("loops[0].until[0].counter", "counter-without-a-group", loops__0__until__0__counter="micro"),
    taken("decimal-to-compare-with", loops__0__until__0__than="-1.5e-3"),
    refused("loops[0].until[0].than", "no-number-to-compare-with", loops__0__until__0__than="few"),
    refused("", "output-of-two", steps__2__output={"uri": "s3://web/top"}),
    taken("output-of-a-parameter", parameters__base="s3://x", steps__3__output__uri="$(parameters.base)/top/"),
    taken("bucket-of-a-parameter", parameters__bucket="x", steps__3__output__uri="s3://$(parameters.bucket)/top/"),
    refused("steps[3].output.uri", "output-in-a-whole-bucket", steps__3__output__uri="s3://web/"),
    refused("steps[3].output.uri", "glob-output", steps__3__output__uri="s3://web/*/"),
    refused("steps[3].output.uri", "local-output", steps__3__output__uri="top/", only_on_cluster=True),
    taken("input-of-a-parameter", parameters__base="s3://x", steps__0__inputs__0__uris=["$(parameters.base)/links/"]),
    refused("steps[0].inputs[0].uris", "local-input", steps__0__inputs__0__uris=["links/"], only_on_cluster=True),
    refused("steps[0].inputs[0].uris", "foreign-input", steps__0__inputs__0__uris=["https://web/links/"]),
    refused("steps[0].inputs[0].uris", "input-without-a-bucket", steps__0__inputs__0__uris=["s3://web"]),
    refused("steps[0].inputs[0].uris", "nine-inputs", steps__0__inputs__0__uris=["s3://web/a/"] * 9),
    refused("steps[0].inputs[0]", "csv-of-nothing", steps__0__inputs__0__csv={"header": False}),
    refused("steps[3].output", "columns-of-nothing", steps__3__output__columns=["a"]),
    refused("steps[0]", "total-order-without-a-reduce", steps__0__output={"order": "Total"}),
    refused("steps[1]", "fewer-shards-than-inputs", steps__1__map={"shards": 1}),
    refused("steps[1]", "limit-of-skipped-records-alone", steps__1__maxBadRecords=3),
    refused("steps[1].program", "two-programs", steps__1__program={"module": "a", "source": "b"}),
    refused("reuse", "mode-of-reuse", reuse="Always"),
    refused("parameters", "name-that-yaml-reads-as-true", parameters={"true": "x"}),
    refused("steps[0].backoff", "part-of-a-job", steps__0__backoff={"initialSeconds": 301}),
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
