from typing import Any

import pytest

from podreduce_operator.api.pipeline_problems import find_pipeline_problems
from podreduce_operator.api.pipeline_spec import decode_pipeline_spec
from tests.support.builders.pipelines import PIPELINE_DEFAULTS

LINKS = {"uris": ["s3://web/links/"]}
SEED: dict[str, Any] = {"name": "seed", "inputs": [LINKS]}
SPREAD: dict[str, Any] = {"name": "spread", "inputs": [LINKS, {"previous": "sum", "first": {"from": "seed"}}]}
SUM: dict[str, Any] = {"name": "sum", "inputs": [{"from": "spread"}]}
TOP: dict[str, Any] = {"name": "top", "inputs": [{"from": "sum"}], "output": {"uri": "s3://web/top"}}
UNTIL: dict[str, Any] = {"step": "sum", "counter": "rank/micro", "operator": "Less", "than": "1000"}
RANK: dict[str, Any] = {"name": "rank", "steps": ["spread", "sum"], "maxIterations": 30, "until": [UNTIL]}


def find(*steps: dict[str, Any], loops: list[dict[str, Any]] | None = None) -> list[str]:
    fields = {
        "program": {"module": "a"},
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


def find_in(*steps: dict[str, Any], **fields: Any) -> list[str]:
    raw_spec = {**PIPELINE_DEFAULTS, "program": {"module": "a"}, "steps": list(steps), **fields}
    return [str(problem) for problem in find_pipeline_problems(decode_pipeline_spec(raw_spec))]


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
            "spec.steps[1].inputs[0].uris[0]: s3://o/x/p is written by this pipeline, by the step a: read it with from",
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


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (
            [step("a", {"uris": ["s3://in/$(parameters.dya)/"]})],
            (
                "spec.steps[0].inputs[0].uris[0]: there is no parameter 'dya' for $(parameters.dya): add it, or "
                "write $$( for a plain $(; the parameters: day"
            ),
        ),
        (
            [step("a", LINKS, program={"module": "a", "parameters": {"x": "$(parameters.b)"}})],
            (
                "spec.steps[0].program.parameters.x: there is no parameter 'b' for $(parameters.b): add it, or "
                "write $$( for a plain $(; the parameters: day"
            ),
        ),
        (
            [step("a", LINKS, LINKS)],
            "spec.steps[0].inputs[1]: two inputs of this step have the name 'input': give this one another, with name",
        ),
        (
            [step("a", LINKS), step("b", {"from": "a"}, {"name": "a", **LINKS})],
            "spec.steps[1].inputs[1]: two inputs of this step have the name 'a': give this one another, with name",
        ),
        (
            [step("a", {"uris": ["s3://o/"]}, output={"uri": "s3://o/$(parameters.day)"})],
            (
                "spec.steps[0].inputs[0].uris[0]: the output of the step a, s3://o/x/, lies in s3://o/: write it "
                "elsewhere, or read less"
            ),
        ),
        (
            [step("a", LINKS, output={"uri": "s3://o/$(parameters.day)"}), step("b", {"uris": ["s3://o/x/1.txt"]})],
            (
                "spec.steps[1].inputs[0].uris[0]: s3://o/x/1.txt is written by this pipeline, by the step a: read it "
                "with from"
            ),
        ),
        (
            [
                step("a", LINKS, output={"uri": "s3://o/x/"}),
                step("b", LINKS, output={"uri": "s3://o/$(parameters.day)"}),
            ],
            "spec.steps[1].output.uri: s3://o/x/ and s3://o/x/ overlap: give each output a place of its own",
        ),
    ],
)
def test_what_the_parameters_make_of_a_pipeline_is_checked(steps: list[dict[str, Any]], told: str) -> None:
    assert find_in(*steps, parameters={"day": "x"}) == [told]


def test_a_step_without_a_program_is_told() -> None:
    told = "spec.steps[1].program: b has no program: give it one, or give spec.program for all steps"
    assert find_in(step("a", LINKS, program={"module": "a"}), step("b", LINKS), program=None) == [told]


FORMATS = ("Text", "JSONLines", "CSV", "Parquet", "FixedLength", "Pairs")
READERS = (*FORMATS, "WholeObject")
OPTIONS: dict[str, dict[str, Any]] = {"FixedLength": {"recordLength": 10}, "CSV": {"csv": {"header": False}}}
WRITTEN: dict[str, dict[str, Any]] = {"FixedLength": {"recordLength": 10}}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("writer", FORMATS)
def test_a_format_reads_itself_and_text_reads_lines_and_whole_objects_are_anything(writer: str, reader: str) -> None:
    produced = step("a", LINKS, output={"format": writer, **WRITTEN.get(writer, {})})
    found = find_in(produced, step("b", {"from": "a", "format": reader, **OPTIONS.get(reader, {})}))
    can_read = reader in (writer, "WholeObject") or (reader == "Text" and writer in ("Text", "JSONLines", "CSV"))
    told = (
        f"spec.steps[1].inputs[0].format: a writes {writer}, which format {reader} cannot read: leave format out, or "
        f"give a the output.format {reader}"
    )
    assert found == ([] if can_read else [told])


@pytest.mark.parametrize("writer", FORMATS)
def test_a_reader_without_a_format_reads_any(writer: str) -> None:
    produced = step("a", LINKS, output={"format": writer, **WRITTEN.get(writer, {})})
    assert find_in(produced, step("b", {"from": "a"})) == []


LOOP: dict[str, Any] = {"name": "l", "steps": ["b"], "maxIterations": 3}


@pytest.mark.parametrize(
    ("output", "given", "told"),
    [
        (
            {"format": "CSV"},
            {"format": "CSV"},
            (
                "a writes CSV without the names of its columns, so its first row would be taken for them: give its "
                "output columns, or set csv.header to false here"
            ),
        ),
        (
            {"format": "CSV", "columns": ["x"]},
            {"format": "CSV", "csv": {"header": False}},
            "a writes the names of its columns, which would be read as a row: leave csv.header out",
        ),
        (
            {"format": "FixedLength", "recordLength": 10},
            {"format": "FixedLength", "recordLength": 12},
            "a writes records of 10 bytes, and recordLength here is 12: make them equal",
        ),
        (
            {"format": "FixedLength"},
            {},
            "a does not say how long its records are: give its output a recordLength",
        ),
    ],
)
def test_options_of_a_format_must_fit_together(output: dict[str, Any], given: dict[str, Any], told: str) -> None:
    found = find_in(step("a", LINKS, output=output), step("b", {"from": "a", **given}))
    assert found == [f"spec.steps[1].inputs[0].format: {told}"]


def test_all_iterations_read_one_format() -> None:
    first = step("a", LINKS, output={"format": "JSONLines"})
    told = (
        "spec.steps[1].inputs[0].format: the first iteration reads the JSONLines of a, later ones the Pairs of b: give "
        "both the same output.format, with the same columns or recordLength"
    )
    assert find_in(first, step("b", {"previous": "b", "first": {"from": "a"}}), loops=[LOOP]) == [told]


def test_the_format_of_objects_that_only_the_first_iteration_reads_is_asked_for() -> None:
    told = (
        "spec.steps[0].inputs[0].format: later iterations read the Pairs that b writes, and the format of the objects "
        "in first is not known: name it with format, and write it with the output.format of b"
    )
    given = {"previous": "b", "first": LINKS}
    assert find_in(step("b", given), loops=[LOOP]) == [told]
    named = step("b", {**given, "format": "JSONLines"}, output={"format": "JSONLines"})
    assert find_in(named, loops=[LOOP]) == []


def test_a_step_inherits_only_parameters_that_the_pipeline_has() -> None:
    steps = step("a", LINKS, inheritParameters=["day"]), step("b", LINKS, inheritParameters=["day", "dya"])
    assert find_in(*steps, parameters={"day": "1", "top": "3"}) == [
        "spec.steps[1].inheritParameters[1]: there is no parameter 'dya'; the pipeline's: day, top"
    ]
