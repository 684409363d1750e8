from typing import Any

import pytest

from podreduce_operator.api.pipeline_problems import find_pipeline_problems
from podreduce_operator.api.pipeline_spec import decode_pipeline_spec

LINKS = {"uris": ["s3://web/links/"]}
SEED: dict[str, Any] = {"name": "seed", "inputs": [LINKS]}
SPREAD: dict[str, Any] = {"name": "spread", "inputs": [LINKS, {"previous": "sum", "first": {"from": "seed"}}]}
SUM: dict[str, Any] = {"name": "sum", "inputs": [{"from": "spread"}]}
TOP: dict[str, Any] = {"name": "top", "inputs": [{"from": "sum"}], "output": {"uri": "s3://web/top"}}
UNTIL: dict[str, Any] = {"step": "sum", "counter": "rank/micro", "operator": "Less", "than": "1000"}
RANK: dict[str, Any] = {"name": "rank", "steps": ["spread", "sum"], "maxIterations": 30, "until": [UNTIL]}


def find(*steps: dict[str, Any], loops: list[dict[str, Any]] | None = None) -> list[str]:
    fields = {
        "steps": steps or [SEED, SPREAD, SUM, TOP],
        "loops": [RANK] if loops is None else loops,
        "onStepFailure": "FinishRunning",
        "reuse": "Unchanged",
        "intermediates": "UntilTTL",
        "runId": "1",
        "suspend": False,
        "ttlSecondsAfterFinished": 60,
    }
    return [str(problem) for problem in find_pipeline_problems(decode_pipeline_spec(fields))]


def step(name: str, *inputs: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"name": name, "inputs": list(inputs), **fields}


def test_a_pipeline_without_problems_has_none() -> None:
    assert find() == []


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([SEED, SEED], "spec.steps[1].name: 'seed' is there twice: choose another name"),
        (
            [step("a", {"from": "b"}), step("b", LINKS)],
            "spec.steps[0].inputs[0].from: b is listed below a: move b above it",
        ),
        (
            [SEED, step("a", {"from": "sead"})],
            "spec.steps[1].inputs[0].from: there is no step 'sead'; the steps: seed, a",
        ),
        (
            [step("a", {"from": "a"})],
            "spec.steps[0].inputs[0].from: a cannot wait for itself: in a loop, read its last iteration with previous",
        ),
        (
            [step("a", LINKS, dependsOn=["b"]), step("b", LINKS)],
            "spec.steps[0].dependsOn[0]: b is listed below a: move b above it",
        ),
        ([step("a", {})], "spec.steps[0].inputs[0]: give exactly one of uris, from and previous; it has none of them"),
        (
            [SEED, step("a", {"from": "seed", **LINKS})],
            "spec.steps[1].inputs[0]: give exactly one of uris, from and previous; it has uris and from",
        ),
        (
            [SEED, step("a", {**LINKS, "first": {"from": "seed"}})],
            "spec.steps[1].inputs[0].first: first belongs to previous: remove it, or give previous",
        ),
        (
            [SEED, step("a", {"previous": "seed", "first": LINKS})],
            "spec.steps[1].inputs[0].previous: a is in no loop: read a step of the same loop",
        ),
        (
            [step("a", LINKS, sideInputs=[{"from": "b"}])],
            "spec.steps[0].sideInputs[0].from: there is no step 'b'; the steps: a",
        ),
        (
            [step("a", LINKS, output={"uri": "s3://o/x/"}), step("b", LINKS, output={"uri": "s3://o/x"})],
            "spec.steps[1].output.uri: s3://o/x/ and s3://o/x/ overlap: give each output a place of its own",
        ),
        (
            [step("a", LINKS, output={"uri": "s3://o/x"}), step("b", {"uris": ["s3://o/x/p"]})],
            "spec.steps[1].inputs[0].uris[0]: s3://o/x/p is written by this pipeline: read the step with from",
        ),
    ],
)
def test_a_step_that_cannot_run_is_told_with_its_place_and_what_to_do(steps: list[dict[str, Any]], told: str) -> None:
    assert find(*steps, loops=[]) == [told]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"steps": ["spread", "som"]},
            "spec.loops[0].steps: there is no step 'som'; the steps: seed, spread, sum, top",
        ),
        (
            {"steps": ["sum", "spread"]},
            "spec.loops[0].steps: list the steps of rank one after the other, as spec.steps has them",
        ),
        (
            {"minIterations": 31},
            "spec.loops[0].minIterations: 31 is more than maxIterations, 30: lower one of the two",
        ),
        (
            {"until": [UNTIL | {"step": "top"}]},
            "spec.loops[0].until[0].step: 'top' is not in the loop; its steps: spread, sum",
        ),
        (
            {"until": [UNTIL | {"value": "delta"}]},
            "spec.loops[0].until[0]: give exactly one of counter, output and value; it has counter and value",
        ),
        (
            {"until": [UNTIL | {"than": "small"}]},
            "spec.loops[0].until[0].than: 'small' is no number: write one, such as 1000 or '0.001'",
        ),
        (
            {"until": [UNTIL | {"than": "nan"}]},
            "spec.loops[0].until[0].than: 'nan' is no number: write one, such as 1000 or '0.001'",
        ),
    ],
)
def test_a_loop_that_cannot_run_is_told_with_its_place_and_what_to_do(change: dict[str, Any], told: str) -> None:
    assert told in find(loops=[RANK | change])


def test_a_step_in_two_loops_is_told() -> None:
    other = {"name": "other", "steps": ["sum"], "maxIterations": 2}
    assert find(loops=[RANK, other]) == ["spec.loops: sum is in two loops, rank and other: a step can be in one"]


def test_the_first_iteration_must_read_something_from_before_the_loop() -> None:
    nothing = step("spread", {"previous": "sum"})
    assert find(SEED, nothing, SUM) == [
        "spec.steps[1].inputs[0].first: say what the first iteration reads: exactly one of from and uris"
    ]
    itself = step("sum", {"from": "spread"}, {"previous": "sum", "first": {"from": "spread"}})
    assert find(SEED, SPREAD, itself) == [
        "spec.steps[2].inputs[1].first.from: spread is in the loop itself: its first iteration reads what is before it"
    ]
