"""What `map_batch` and an aggregation give depends on the rows alone: not on batches, flushes, spills or maps.

The generator draws rows of every type, cuts them into batches and maps, and runs whole tasks of each way to aggregate,
once with all rows in one batch and once with small limits.
"""

import base64
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from podreduce.contract.errors import ProgramError
from podreduce.task import batches_to_rows as column_rows
from podreduce.watching import memory
from tests.support.passed_over import is_passed_over
from tests.support.searching import tries
from tests.support.task_runs import TaskRun

SEARCH = settings(
    max_examples=tries(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
INT64 = st.integers(-(2**63), 2**63 - 1)
SMALL = st.integers(-3, 3)
DYADIC = st.one_of(SMALL.map(lambda number: number / 2), st.sampled_from([math.inf, -math.inf, -0.0, 0.0]))
FLOATS = st.one_of(DYADIC, st.just(math.nan))
TEXT = st.text(st.sampled_from("aé\U0001f600\t"), max_size=3)
VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int8": (pa.int8(), SMALL),
    "int64": (pa.int64(), st.one_of(SMALL, INT64)),
    "nanoseconds": (pa.int64(), st.integers(17 * 10**17, 18 * 10**17)),
    "uint64": (pa.uint64(), st.one_of(st.integers(0, 3), st.integers(2**64 - 3, 2**64 - 1))),
    "float64": (pa.float64(), FLOATS),
    "float32": (pa.float32(), FLOATS),
    "float16": (pa.float16(), DYADIC),
    "bool": (pa.bool_(), st.booleans()),
    "string": (pa.string(), TEXT),
    "large string": (pa.large_string(), TEXT),
    "string view": (pa.string_view(), TEXT),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), TEXT),
    "binary": (pa.binary(), st.binary(max_size=3)),
    "binary view": (pa.binary_view(), st.binary(max_size=3)),
    "fixed binary": (pa.binary(2), st.binary(min_size=2, max_size=2)),
    "list": (pa.list_(pa.int8()), st.lists(SMALL, max_size=2)),
    "list of floats": (pa.list_(pa.float64()), st.lists(st.sampled_from([math.nan, 0.5, 1.0]), max_size=3)),
    "struct": (pa.struct({"a": pa.int8()}), st.fixed_dictionaries({"a": SMALL})),
    "decimal": (pa.decimal128(20, 2), SMALL.map(lambda number: Decimal(number) / 4)),
    "timestamp": (pa.timestamp("us"), SMALL.map(lambda day: datetime(2024, 2, 8 + day))),  # noqa: DTZ001 - as Arrow has it
    "timestamp ns": (pa.timestamp("ns"), st.integers(0, 3000)),
    "date": (pa.date32(), SMALL.map(lambda day: date(2024, 2, 8 + day))),
    "duration": (pa.duration("us"), SMALL.map(lambda days: timedelta(days=days))),
    "null": (pa.null(), st.none()),
}
KEYS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "string": (pa.string(), st.sampled_from(["a", "b", "c"])),
    "string view": (pa.string_view(), st.sampled_from(["a", "b"])),
    "binary view": (pa.binary_view(), st.sampled_from([b"a", b"b"])),
    "dictionary": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", None])),
    "int": (pa.int64(), st.sampled_from([1, 2, None])),
    "float": (pa.float64(), st.sampled_from([1.0, 1.5, -0.0, 0.0])),
    "bool": (pa.bool_(), st.booleans()),
}
FORMS = {"sum": "sum(values)", "min": "min(values)", "max": "max(values)", "count": "len(list(values))"}
WAYS = {
    "declared": "combiner = {name!r}",
    "recognised": "def reduce_func(self, key, values): yield key, {form}",
    "written": "combiner = None\n    def reduce_func(self, key, values): yield key, {form}",
}
SOURCE = """
import base64, pyarrow as pa
TABLES = [pa.ipc.open_stream(base64.b64decode(text)).read_all() for text in {tables!r}]
class Job:
    {members}
    def map_batch(self, batch):
        for number in batch["value"].to_pylist():
            yield TABLES[int(number)]
"""
REFUSED = ["refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How rows are cut up, and how little fits: `batches` and `maps` are places among rows and batches."""

    batches: Sequence[int] = ()
    maps: Sequence[int] = ()
    combined_bytes: int = 1 << 20
    budget_bytes: int = 16 << 20


LIMITS = st.builds(
    Limits,
    batches=st.lists(st.integers(0, 12), max_size=7),
    maps=st.lists(st.integers(0, 6), max_size=3),
    combined_bytes=st.sampled_from([0, 30, 100, 1 << 20]),
    budget_bytes=st.sampled_from([64, 2000, 16 << 20]),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of one type, or of several: a row is its key, its value and the type of that."""

    key_type: pa.DataType
    rows: Sequence[tuple[Any, Any, pa.DataType]]

    def tables(self, cuts: Sequence[int]) -> Iterator[pa.Table]:
        """The rows in batches, which end where the type changes and at the cuts."""
        ends = {at for at, (one, other) in enumerate(pairwise(self.rows), 1) if one[2] != other[2]}
        edges = sorted({0, len(self.rows), *ends, *(cut for cut in cuts if cut < len(self.rows))})
        yield from (self._table(self.rows[start:end]) for start, end in pairwise(edges))

    def _table(self, rows: Sequence[tuple[Any, Any, pa.DataType]]) -> pa.Table:
        keys, values, kinds = zip(*rows, strict=True)
        return pa.table({"key": make_column(keys, self.key_type), "value": make_column(values, kinds[0])})


def make_column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


@st.composite
def draw_rows(draw: st.DrawFn, *, mixed: bool = True) -> Rows:
    key_type, keys = KEYS[draw(st.sampled_from(sorted(KEYS)))]
    columns = [VALUES[draw(st.sampled_from(sorted(VALUES)))]]
    if mixed and draw(st.integers(0, 3)) == 0:
        columns.append(VALUES[draw(st.sampled_from(sorted(VALUES)))])
    nulls = draw(st.sampled_from([0, 0, 1]))
    rows = []
    for kind, values in columns:
        value = st.one_of(values, st.none()) if nulls else values
        rows += [(key, item, kind) for key, item in draw(st.lists(st.tuples(keys, value), min_size=1, max_size=9))]
    return Rows(key_type=key_type, rows=rows)


def encode_table(table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue()).decode()


def outcome_of(members: str, rows: Rows, limits: Limits, patch: pytest.MonkeyPatch) -> list[str]:
    """The output's lines, sorted; or that the program was refused. Anything else is raised."""
    patch.setattr(column_rows, "COMBINED_BYTES", limits.combined_bytes)
    patch.setattr(memory, "LEAST_BUDGET", limits.budget_bytes)
    tables = [*rows.tables(limits.batches), next(rows.tables(())).slice(0, 0)]
    data = b"".join(b"%02d\n" % number for number in range(len(tables)))
    run = TaskRun(
        source=SOURCE.format(members=members, tables=[*map(encode_table, tables)]),
        objects={"a": data},
        cuts=sorted({3 * cut for cut in limits.maps if 0 < cut < len(tables)}),
        memory_bytes=1,
        plan_changes={"output_format": "JSONLines"},
    )
    try:
        return sorted(run.output_lines())
    except ProgramError:
        return REFUSED


def one_type(kind: pa.DataType, *values: Any) -> Rows:
    return Rows(key_type=pa.string(), rows=[("a", value, kind) for value in values])


EACH_ROW = Limits(batches=range(12), maps=range(7), combined_bytes=0, budget_bytes=64)
SPILLED = Limits(combined_bytes=0, budget_bytes=64)


def without_passed_over(rows: Rows) -> Rows:
    """The rows without what `min` and `max` pass over."""
    by_key: dict[Any, list[Any]] = {}
    kept = []
    for key, value, _ in rows.rows:
        by_key.setdefault(key, []).append(value)
    places = dict.fromkeys(by_key, 0)
    for row in rows.rows:
        if not is_passed_over(by_key[row[0]], places[row[0]]):
            kept.append(row)
        places[row[0]] += 1
    return Rows(key_type=rows.key_type, rows=kept)


def decimals_and_floats(*values: Any) -> Rows:
    kinds = {Decimal: pa.decimal128(20, 2), float: pa.float64()}
    return Rows(key_type=pa.string(), rows=[("a", value, kinds[type(value)]) for value in values])


@given(draw_rows(), st.sampled_from(sorted(FORMS)), LIMITS)
@example(one_type(pa.int64(), *[7] * 9), "count", EACH_ROW)
@example(one_type(pa.int64(), None, 1), "sum", EACH_ROW)
@example(one_type(pa.int64(), None, 1), "max", EACH_ROW)
@example(one_type(pa.int64(), None), "max", EACH_ROW)
@example(one_type(pa.int64(), *[17 * 10**17] * 3), "sum", EACH_ROW)
@example(one_type(pa.list_(pa.int8()), [1], [2]), "max", EACH_ROW)
@example(one_type(pa.float64(), math.nan, 1.0, 2.0), "max", EACH_ROW)
@example(one_type(pa.float64(), 1.0, math.nan, 0.5), "min", Limits(maps=[1], batches=[1]))
@example(one_type(pa.float64(), 1.0, math.nan, 0.5), "min", EACH_ROW)
@example(Rows(key_type=pa.string(), rows=[("a", math.nan, pa.float64()), ("a", "b", pa.string())]), "max", Limits())
@example(Rows(key_type=pa.string(), rows=[("a", 1, pa.int64()), ("a", 0.5, pa.float64())]), "max", Limits())
@example(one_type(pa.float64(), -0.0, 0.0), "max", EACH_ROW)
@example(decimals_and_floats(*[Decimal(0)] * 9, 0.0, math.nan), "max", SPILLED)
@example(decimals_and_floats(5.0, Decimal(0), math.nan), "max", EACH_ROW)
@example(decimals_and_floats(math.nan, Decimal(0), 1.0), "min", EACH_ROW)
@example(Rows(key_type=pa.string(), rows=[("a", None, pa.null()), ("a", 0, pa.int64())]), "min", SPILLED)
@example(one_type(pa.list_(pa.float64()), [1.0], [math.nan], [2.0]), "max", EACH_ROW)
@SEARCH
def test_an_aggregation_after_map_batch_is_the_written_function(
    monkeypatch: pytest.MonkeyPatch, rows: Rows, aggregation: str, limits: Limits
) -> None:
    form = FORMS[aggregation]
    ranked = without_passed_over(rows) if aggregation in ("min", "max") else rows
    expected = outcome_of(WAYS["written"].format(form=form), ranked, Limits(), monkeypatch)
    if aggregation == "count" and expected == REFUSED:  # values that cannot travel can be counted
        expected = outcome_of(WAYS["declared"].format(name="count"), rows, Limits(), monkeypatch)
    for way, members in WAYS.items():
        if way == "written" and (aggregation == "count" or ranked != rows):
            continue
        for each in (Limits(), limits):
            found = outcome_of(members.format(name=aggregation, form=form), rows, each, monkeypatch)
            assert found == expected, (way, each)


KEPT = {"largest": "sorted(values, reverse=True)", "smallest": "sorted(values)"}
SORTED = (
    "combiner = None\n    def reduce_func(self, key, values):\n        for value in {form}[:{most}]: yield key, value"
)


def holds_nan(value: Any) -> bool:
    return any(map(holds_nan, value)) if isinstance(value, list) else isinstance(value, float) and math.isnan(value)


@given(draw_rows(), st.sampled_from(sorted(KEPT)), st.integers(1, 3), LIMITS)
@example(one_type(pa.int64(), 1, 3, 3, 2), "largest", 2, EACH_ROW)
@example(one_type(pa.float64(), -0.0, 0.0, -1.0), "largest", 1, EACH_ROW)
@example(one_type(pa.float64(), 1.0, math.nan), "smallest", 1, EACH_ROW)
@example(one_type(pa.string(), None, None), "smallest", 2, EACH_ROW)
@example(Rows(key_type=pa.string(), rows=[("a", 1, pa.int64()), ("a", True, pa.bool_())]), "largest", 1, EACH_ROW)
@SEARCH
def test_what_is_kept_after_map_batch_is_what_sorted_puts_first(
    monkeypatch: pytest.MonkeyPatch, rows: Rows, which: str, most: int, limits: Limits
) -> None:
    expected = outcome_of(SORTED.format(form=KEPT[which], most=most), rows, Limits(), monkeypatch)
    if any(holds_nan(value) for _, value, _ in rows.rows):
        expected = REFUSED
    declared = f"combiner = '{which}:{most}'"
    reduced = f"{declared}\n    def reduce_func(self, key, values):\n        for value in values: yield key, value"
    for members in (declared, reduced):
        for each in (Limits(), limits):
            assert outcome_of(members, rows, each, monkeypatch) == expected, (members, each)


@given(draw_rows(mixed=False), LIMITS)
@SEARCH
def test_a_reduce_of_batches_gets_the_same_rows_whatever_the_limits(
    monkeypatch: pytest.MonkeyPatch, rows: Rows, limits: Limits
) -> None:
    members = "def reduce_batch(self, batch): return batch"
    assert outcome_of(members, rows, limits, monkeypatch) == outcome_of(members, rows, Limits(), monkeypatch)
