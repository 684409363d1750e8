"""Which reduce_func is recognised as one of the ready-made ones: those that are certain, and no others."""

import builtins
from typing import Any

import pytest

from podreduce.contract.plan import Program
from podreduce.program.loading import load_program
from podreduce.program.reduce_idioms import recognise_aggregation

RECOGNISED = {
    "yield key, sum(values)": "sum",
    "yield (key, sum(values))": "sum",
    "yield key, min(values)": "min",
    "yield key, max(values)": "max",
    "yield key, len(list(values))": "count",
    "yield key, sum(1 for _ in values)": "count",
    "yield key, sum(1 for value in values)": "count",
    "count = sum(values)\n  yield key, count": "sum",
    "most = max(values)\n  yield (key, most)": "max",
    "'''How often.'''\n  yield key, sum(values)": "sum",
}
OTHERS = [
    "yield key, sum(values) + 0",
    "yield key.lower(), sum(values)",
    "yield key, sum(values, 5)",
    "yield key, sum(values, start=5)",
    "yield key, sum(value for value in values)",
    "yield key, sum(2 for _ in values)",
    "yield key, sum(1 for _ in values if _)",
    "yield key, sum(1 for _ in values for _ in values)",
    "yield key, sum(key)",
    "yield key, max(values, key=len)",
    "yield key, max(values, default=0)",
    "yield key, max(*values)",
    "yield key, list(values)",
    "yield key, sorted(values)",
    "yield key, len(values)",
    "yield sum(values), key",
    "yield key, sum(values), 1",
    "return [(key, sum(values))]",
    "print(key)\n  yield key, sum(values)",
    "yield key, sum(values)\n  yield key, 0",
    "if key:\n    yield key, sum(values)",
    "key = sum(values)\n  yield key, key",
    "values = sum(values)\n  yield key, values",
    "a = b = sum(values)\n  yield key, a",
    "total = sum(values)\n  yield key, key",
    "total = sum(values)\n  yield values, total",
    "total: int = sum(values)\n  yield key, total",
    "yield key, self.sum(values)",
    "got = yield key, sum(values)",
    "sum = sum(values)\n  yield key, sum",
]


def aggregation_of(body: str, *, members: str = "", top: str = "", signature: str = "self, key, values") -> str | None:
    job = f"class Job:\n {members}\n def map_func(self, key, value): pass\n def reduce_func({signature}):\n  {body}\n"
    source = f"{top}\n{job}"
    return load_program(Program(source=source), name="job").aggregation


@pytest.mark.parametrize(("body", "expected"), RECOGNISED.items())
def test_a_reduce_that_does_nothing_else_is_recognised(body: str, expected: str) -> None:
    assert aggregation_of(body) == expected


@pytest.mark.parametrize("body", OTHERS)
def test_whatever_does_more_or_something_else_runs_as_it_is_written(body: str) -> None:
    assert aggregation_of(body) is None


def test_the_parameters_may_have_any_names() -> None:
    assert aggregation_of("yield word, sum(ones)", signature="this, word, ones") == "sum"


def test_annotations_change_nothing() -> None:
    assert aggregation_of("yield key, sum(values)", signature="self, key: str, values: dict[str, int]") == "sum"


def test_a_builtin_that_the_program_has_changed_is_not_pythons_own() -> None:
    own = builtins.sum
    try:
        assert aggregation_of("yield key, sum(values)", top="import builtins; builtins.sum = lambda values: 0") is None
    finally:
        builtins.sum = own
    assert aggregation_of("yield key, sum(values)") == "sum"


@pytest.mark.parametrize(
    ("members", "top", "signature"),
    [
        ("combiner = None", "", "self, key, values"),
        ("def combine_func(self, key, values): yield key, 1", "", "self, key, values"),
        ("", "def sum(values): return 0", "self, key, values"),
        ("", "from math import fsum as sum", "self, key, values"),
        ("", "", "self, key, values, more=1"),
        ("", "", "self, key, values, *more"),
        ("", "", "self, sum, values"),
    ],
    ids=["told not to", "it combines", "its own sum", "an imported sum", "default", "star", "shadowed"],
)
def test_what_could_make_a_difference_is_not_recognised(members: str, top: str, signature: str) -> None:
    body = "yield sum, sum(values)" if signature == "self, sum, values" else "yield key, sum(values)"
    assert aggregation_of(body, members=members, top=top, signature=signature) is None


def test_a_decorated_reduce_is_not_recognised() -> None:
    source = """
import functools
class Job:
    def map_func(self, key, value): pass
    @functools.wraps(print)
    def reduce_func(self, key, values):
        yield key, sum(values)
"""
    assert load_program(Program(source=source), name="job").aggregation is None


@pytest.mark.parametrize(
    "definition",
    [
        "@marked\n    def given(self, key, values):\n        yield key, sum(values)",
        "given = make()",
        "def given(self, key, values, more):\n        yield key, sum(values)",
        "def given(key, values):\n        yield key, sum(values)",
    ],
    ids=["marked", "a sum of its closure", "four parameters", "two parameters"],
)
def test_what_is_no_plain_method_of_a_key_and_values_is_not_recognised(definition: str) -> None:
    source = f"""
def marked(function):
    return function
def make():
    def sum(values):
        return 0
    def given(self, key, values):
        yield key, sum(values)
    return given
class Job:
    {definition}
    def map_func(self, key, value): pass
    def plain(self, key, values):
        yield key, sum(values)
"""
    job: Any = load_program(Program(source=source), name="job").instance
    assert recognise_aggregation(job.plain) == "sum"
    assert recognise_aggregation(job.given) is None


def test_a_declared_combiner_is_taken_as_it_is() -> None:
    source = "class Job:\n combiner = 'max'\n def map_func(self, key, value): pass\n"
    program = load_program(Program(source=source), name="job")
    assert (program.aggregation, program.combiner, program.map_only) == ("max", "max", False)
