"""A recognised reduce gives what the written function gives, over values of all types, shards and spills."""

import datetime as dt
from decimal import Context, Decimal
from enum import IntEnum
from fractions import Fraction
from itertools import count, pairwise, product
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from podreduce.contract.errors import ProgramError
from podreduce.contract.plan import Program
from podreduce.encoding.codec import UnsupportedTypeError, capture, decode_key, decode_value, encode_value
from podreduce.program.loading import load_program
from podreduce.rows.aggregate_input import AggregateInput
from podreduce.rows.row_stores import AggregationError
from tests.support.blobs import PLENTY, Blob, make_map_output, read_groups
from tests.support.passed_over import is_nan, is_passed_over
from tests.support.searching import tries
from tests.support.task_runs import TaskRun

JOB = "class Job:\n def map_func(self, key, value): pass\n"
BODIES = {
    "sum": "yield key, sum(values)",
    "min": "yield key, min(values)",
    "max": "yield key, max(values)",
    "count": "yield key, sum(1 for _ in values)",
}


class Odd(NamedTuple):
    word: str


class Level(IntEnum):
    LOW = 1


class Total:
    """Adds itself to anything."""

    def __radd__(self, other: Any) -> int:
        return 7

    def __lt__(self, other: Any) -> bool:
        return False

    def __gt__(self, other: Any) -> bool:
        return False


ODD = [
    Decimal("1.1"), Fraction(1, 2), 1j, np.int64(3), np.float32(0.5), np.str_("x"), np.bool_(1), Odd("a"), Level.LOW,
    {1}, range(2),
    dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.timedelta(1), UUID(int=1), Total(), bytearray(b"x"), object,
]  # fmt: skip
EDGES = [0.5, -0.0, 0.0, 1.0, 1e300, float("inf"), float("nan"), 10**400]
NUMBERS = st.one_of(st.integers(-9, 9), st.booleans(), st.integers(-(2**70), 2**70), st.sampled_from(EDGES))
TEXTS = st.text(max_size=2)
PLAIN = st.one_of(NUMBERS, TEXTS, st.none(), st.binary(max_size=2))
DECIMALS = st.one_of(st.decimals(-9, 9, places=1), st.sampled_from(list(map(Decimal, ("NaN", "sNaN", "Infinity")))))
NESTED = st.one_of(
    st.lists(NUMBERS, max_size=2), st.tuples(NUMBERS, TEXTS), st.dictionaries(TEXTS, NUMBERS, max_size=1)
)
OF_A_KIND = [
    st.lists(each, min_size=1, max_size=6)
    for each in (
        NUMBERS, TEXTS, PLAIN, NESTED, st.tuples(NUMBERS, NESTED), st.one_of(NUMBERS, st.sampled_from(ODD)),
        st.lists(NUMBERS, max_size=3), st.tuples(NUMBERS, NUMBERS), st.one_of(NUMBERS, DECIMALS),
    )
]  # fmt: skip
VALUES = st.one_of(OF_A_KIND)
Outcome = tuple[str, Any]
CANNOT_BE = frozenset({"TypeError", "OverflowError", "InvalidOperation"})
LARGE = 1e30
"""Sums far below it neither overflow nor lose what is added to them; numpy's 32 bits hold it."""


def written(kind: str, shards: list[list[Any]], scratch: Path) -> Outcome:
    """What comes of all values through `reduce_func` as it is written; without what is passed over."""
    source = f"{JOB} combiner = None\n def reduce_func(self, key, values): {BODIES[kind]}\n"
    reduce_func: Any = load_program(Program(source=source), name="job").reduce_func
    try:
        blobs = [
            make_map_output([("k", value) for value in values], scratch=scratch)[0] for values in ranked(kind, shards)
        ]
        (group,), _ = read_groups(blobs, scratch=scratch)
        return "result", list(reduce_func(*group))
    except UnsupportedTypeError as error:
        return "refused", str(error)
    except (TypeError, ArithmeticError) as error:
        return type(error).__name__, str(error)


def ranked(kind: str, shards: list[list[Any]]) -> list[list[Any]]:
    """The values without those that `min` and `max` pass over."""
    values, places = as_they_arrive([value for shard in shards for value in shard]), count()
    is_left = [kind in ("sum", "count") or not is_passed_over(values, place) for place in range(len(values))]
    return [[value for value in shard if is_left[next(places)]] for shard in shards]


def recognised(kind: str, shards: list[list[Any]], scratch: Path, budget_bytes: int = PLENTY) -> Outcome:
    """What comes of them through aggregates."""
    taken = AggregateInput(kind, budget_bytes=budget_bytes, scratch_directory=str(scratch))
    try:
        for values in shards:
            taken.add_blob(blob_of(kind, values, scratch, budget_bytes).frames())
        return "result", [(decode_key(key), value) for key, value in taken.aggregates() if decode_key(key) == "k"]
    except UnsupportedTypeError as error:
        return "refused", str(error)
    except AggregationError as error:
        return f"{type(error.error).__name__}", f"{error.error}"


def blob_of(kind: str, values: list[Any], scratch: Path, budget_bytes: int) -> Blob:
    """One map's output; where memory is short, other keys come between and make it spill."""
    records: list[tuple[Any, Any]] = []
    for number, value in enumerate(values):
        records.append(("k", value))
        if budget_bytes < PLENTY:
            records += [(f"other {number} {each}", 1) for each in range(20)]
    return make_map_output(records, scratch=scratch, aggregation=kind, budget_bytes=budget_bytes)[0]


def travels(value: Any) -> bool:
    try:
        capture(value)
    except UnsupportedTypeError:
        return False
    return True


def as_they_arrive(values: list[Any]) -> list[Any]:
    """The values as a reduce gets them, if they travel: plain, and objects of their own."""
    return [decode_value(encode_value(value)) if travels(value) else value for value in values]


def as_seen(outcome: Outcome) -> str:
    """An outcome with its types, but without the last digits of a float, nor those that only an exact sum has."""
    what, found = outcome
    if what != "result":
        return f"{what}: {found}"
    return repr([(key, without_last_digits(value)) for key, value in found])


def without_last_digits(value: Any) -> Any:
    """A float with nine places, a Decimal with twenty digits."""
    if isinstance(value, Decimal):
        return value if value.is_nan() else Context(prec=20).plus(value)
    return round(value, 9) if isinstance(value, float) else value


def agree(kind: str, expected: Outcome, found: Outcome, values: list[Any]) -> None:
    """Fail where the outcomes differ more than they may."""
    if kind == "count":  # never looks at what it counts
        assert found == ("result", [("k", len(values))])
    elif kind in ("min", "max") and is_nan(values[0]) and expected[0] in CANNOT_BE:
        assert found[0] in CANNOT_BE  # those after the NaN meet first
    elif all(map(travels, values)):
        assert as_seen(found) == as_seen(expected)
    else:  # refused: as the map yields it, unless something before it in the shard has no aggregate
        assert found[0] in {"refused", *CANNOT_BE}
        assert expected[0] == "refused"


def agree_if_both_give(kind: str, expected: Outcome, found: Outcome, values: list[Any]) -> None:
    """Fail where values of which only some can be combined give another result; which meet decides whether they do."""
    assert {expected[0], found[0]} <= {"refused", "result", *CANNOT_BE}
    if kind != "sum" and expected[0] == found[0] == "result":
        agree(kind, expected, found, values)


@given(st.sampled_from([*BODIES]), VALUES)
@example("max", [1, True, 1.0])
@example("max", [True, 1])
@example("min", [0.0, -0.0, 0])
@example("sum", [True, True])
@example("sum", ["x"])
@example("sum", [[1], [2]])
@example("sum", [10**400, 0.5])
@example("sum", [1, Decimal(1)])
@example("sum", [10**400, Decimal("1.1")])
@example("sum", [1, Total()])
@example("max", [2, Fraction(1, 2)])
@example("max", [float("nan"), 1])
@example("max", [1, float("nan"), 2])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=tries(300), deadline=None)
def test_values_of_one_shard(tmp_path: Path, kind: str, values: list[Any]) -> None:
    has_ranges = kind != "sum" and any("nan" in repr(value) for value in values if isinstance(value, tuple | list))
    judge = agree_if_both_give if has_ranges and not can_all_be_combined(kind, values) else agree
    judge(kind, written(kind, [values], tmp_path), recognised(kind, [values], tmp_path), values)


@given(st.sampled_from([*BODIES]), VALUES, st.sets(st.integers(1, 5)), st.sampled_from([PLENTY, 8000]))
@example("max", [(1.0,), (float("nan"),), (2.0,)], {1}, PLENTY)
@example("max", [(1, 3), (1, float("nan")), (1, 5)], {1}, 8000)
@example("max", [Decimal(0), 0.0, float("nan")], {1}, PLENTY)
@example("max", [5.0, Decimal(0), float("nan")], {1}, 8000)
@example("min", [float("nan"), Decimal(0), 1], {1, 2}, PLENTY)
@example("max", [(1, "a"), (1, 5), (2, 0)], {1}, PLENTY)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=tries(150), deadline=None)
def test_values_of_several_shards_and_spills(
    tmp_path: Path, kind: str, values: list[Any], cuts: set[int], budget_bytes: int
) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(values)), len(values)]
    shards = [values[start:end] for start, end in pairwise(edges)]
    expected, found = written(kind, shards, tmp_path), recognised(kind, shards, tmp_path, budget_bytes)
    left = [value for shard in ranked(kind, shards) for value in shard]
    judge = agree if can_all_be_combined(kind, left) else agree_if_both_give
    judge(kind, expected, found, values)


def can_all_be_combined(kind: str, values: list[Any]) -> bool:
    """Whether any part of the values has an aggregate."""
    pairs = product(as_they_arrive(values), as_they_arrive(values))
    return kind == "count" or all(can_be_combined(kind, one, other) for one, other in pairs)


def can_be_combined(kind: str, one: Any, other: Any) -> bool:
    """Whether two values have an aggregate, and may stand in for more of their kind in it."""
    try:
        return abs(one + other) < LARGE if kind == "sum" else one < other or True
    except (TypeError, ArithmeticError):
        return False


@pytest.mark.parametrize("members", [BODIES["sum"], None], ids=["recognised", "declared"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "decimal.Decimal('0.1') * 1j if key < 0 else fractions.Fraction(1, 2)",
            "fractions.Fraction cannot be a value",
        ),
        ("1j", "complex cannot be a value"),
        ("'x'", "unsupported operand type"),
        ("10**400 if key else 0.5", "int too large to convert to float"),
    ],
)
def test_a_sum_that_cannot_be_is_the_programs_error_at_its_record(
    value: str, message: str, members: str | None
) -> None:
    reduce = f"def reduce_func(self, key, values): {members}" if members else "combiner = 'sum'"
    source = (
        f"import decimal, fractions\nclass Job:\n {reduce}\n def map_func(self, key, value): yield value, {value}\n"
    )
    with pytest.raises(ProgramError, match=message) as raised:
        TaskRun(source=source, objects={"a": b"same\nsame\n"}).output_lines()
    assert raised.value.record


def test_a_sum_that_two_maps_make_impossible_is_the_programs_error() -> None:
    source = "class Job:\n combiner = 'sum'\n def map_func(self, key, value): yield 'k', 10**400 if key else 0.5\n"
    with pytest.raises(ProgramError, match="int too large to convert to float") as raised:
        TaskRun(source=source, objects={"a": b"same\nsame\n"}, cuts=[5], partitions=1).output_lines()
    assert raised.value.record == "key 'k'"
