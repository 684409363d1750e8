import random
import textwrap

import pytest

from podreduce_operator.api.job_positions import TextBlock, find_block, find_line
from tests.support.searching import seeds

JOB = {"kind": "MapReduceJob"}
PATH = ["spec", "program", "source"]
LINES = (
    "class Job:",
    "    def map_func(self, key, value):",
    "        yield 'é: x # y', 1",
    "",
    "  # odd",
    "\tx",
    "   ",
)


def write_file(program: str, indent: int, header: str, newline: str) -> str:
    block = textwrap.indent(program, " " * indent, lambda line: line.strip("\n") != "")
    text = f"# a comment\nkind: ConfigMap\n---\nkind: MapReduceJob\nspec:\n  program:\n    source: {header}\n{block}"
    return (text + ("" if text.endswith("\n") else "\n") + "    className: Job\n").replace("\n", newline)


def test_every_line_of_a_block_is_found_where_it_stands() -> None:
    for seed in seeds(300):
        chance = random.Random(seed)  # noqa: S311 - to be drawn again from its seed
        lines = ["class Job:", *chance.choices(LINES, k=chance.randrange(8)), "end = 1"]
        program, indent = "\n".join(lines) + "\n", chance.choice([5, 6, 8])
        text = write_file(program, indent, chance.choice(["|", "| # the program", "|2" if indent == 6 else "|"]), "\n")
        block = find_block(text, JOB, PATH, program)
        in_file = text.split("\n")
        for number, line in enumerate(lines, 1):
            place = block.place(number, 1)
            assert place is not None
            assert in_file[place[0] - 1][place[1] - 1 :] == line or not line


def test_a_file_of_another_system_is_counted_the_same() -> None:
    assert find_block(write_file("a\nb\n", 6, "|", "\r\n"), JOB, PATH, "a\nb\n").place(2, 1) == (9, 7)


def test_a_config_map_is_found_by_its_name() -> None:
    text = "kind: ConfigMap\nmetadata: {name: a}\ndata: {job.py: x}\n---\n"
    text += "kind: ConfigMap\nmetadata: {name: b}\ndata:\n  job.py: |-\n    x\n"
    wanted = {"kind": "ConfigMap", "metadata.name": "b"}
    assert find_block(text, wanted, ["data", "job.py"], "x").place(1, 1) == (9, 5)


@pytest.mark.parametrize(
    ("header", "value"),
    [(">\n      a\n      b\n", "a b\n"), ('"a\\nb"\n', "a\nb"), ("a\n", "a"), ("|\n      a\n", "another, by --set")],
    ids=["folded", "quoted", "plain", "replaced"],
)
def test_a_text_that_the_file_does_not_hold_line_by_line_has_no_place(header: str, value: str) -> None:
    text = f"kind: MapReduceJob\nspec:\n  program:\n    source: {header}"
    assert find_block(text, JOB, PATH, value) == TextBlock()
    assert TextBlock().place(3, 1) is None


STEPS = """\
kind: ConfigMap
spec: {}
---
kind: Pipeline
spec:
  steps:
    - name: a
      inputs: [{uris: [x]}]
    - name: b
      inputs:
        - from: a
        - {from: c,
           format: Text}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("spec", 5),
        ("spec.steps[0]", 7),
        ("spec.steps[0].inputs[0].uris[0]", 8),
        ("spec.steps[1].name", 9),
        ("spec.steps[1].inputs[0].from", 11),
        ("spec.steps[1].inputs[1].format", 13),
        ("spec.steps[1].inputs[1].csv.header", 12),
        ("spec.steps[1].output.uri", 9),
        ("spec.steps[7].name", 6),
        ("status", 4),
    ],
)
def test_a_field_is_on_a_line_and_a_missing_one_on_that_of_what_would_hold_it(path: str, line: int) -> None:
    assert find_line(STEPS, {"kind": "Pipeline"}, path) == line


@pytest.mark.parametrize("text", [STEPS, "", "{", "kind: [Pipeline]"])
def test_without_the_document_there_is_no_line(text: str) -> None:
    assert find_line(text, {"kind": "Job"}, "spec") is None
