import io
import itertools
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet as pq

from podreduce.contract.errors import ProgramError
from podreduce.outputs import PartWriter, parquet_output
from podreduce.storage import StagedUpload, open_store

NUMBERS = itertools.count()


def written(pairs: list[tuple[Any, Any]], batches: tuple[pa.RecordBatch, ...] = ()) -> pq.ParquetFile:
    store = open_store(f"memory://parquet-{next(NUMBERS)}/")
    with PartWriter(StagedUpload(store, "part", "published"), "Parquet") as part:
        for batch in batches:
            part.write_batch(batch)
        for key, value in pairs:
            part.write(key, value)
    assert part.records == len(pairs) + sum(batch.num_rows for batch in batches)
    assert part.part_ref().bytes == store.head("part").size
    return pq.ParquetFile(io.BytesIO(store.get("part")))


NAIVE = datetime(2024, 2, 29, 12)  # noqa: DTZ001 - naive
RING: list[Any] = []
RING.append(RING)


def column_of(scalars: st.SearchStrategy[Any]) -> st.SearchStrategy[st.SearchStrategy[Any]]:
    return st.just(st.none() | scalars)


KINDS = st.recursive(
    st.one_of(
        column_of(st.integers(-(2**63), 2**63 - 1)),
        column_of(st.floats(allow_nan=False)),
        column_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=4)),
        column_of(st.binary(max_size=4)),
        column_of(st.booleans()),
        column_of(st.dates()),
        column_of(st.datetimes()),
        column_of(st.datetimes(NAIVE.replace(year=4), NAIVE.replace(year=9996), timezones=st.just(UTC))),
        column_of(st.times()),
        column_of(st.timedeltas(timedelta(days=-100_000_000), timedelta(days=100_000_000))),
        column_of(st.uuids()),
        column_of(st.decimals(-(10**30), 10**30, places=3)),
    ),
    lambda kinds: (
        kinds.map(lambda kind: st.none() | st.lists(kind, max_size=3))
        | st.tuples(kinds, kinds).map(lambda pair: st.none() | st.fixed_dictionaries({"a": pair[0], "b": pair[1]}))
    ),
    max_leaves=4,
)


@given(pairs=st.tuples(KINDS, KINDS).flatmap(lambda kinds: st.lists(st.tuples(*kinds), max_size=8)))
def test_records_of_one_type_read_back(pairs: list[tuple[Any, Any]]) -> None:
    rows = written(pairs).read().to_pylist()
    assert rows == [{"key": key, "value": value} for key, value in pairs]


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([None, 2**53, 0.5], pa.float64(), [None, 2.0**53, 0.5]),
        ([("u", 1)], pa.struct([("_1", pa.string()), ("_2", pa.int64())]), [{"_1": "u", "_2": 1}]),
        (
            [{"a": 1}, {"b": "x"}],
            pa.struct([("a", pa.int64()), ("b", pa.string())]),
            [{"a": 1, "b": None}, {"a": None, "b": "x"}],
        ),
        ([[1], []], pa.list_(pa.field("element", pa.int64())), [[1], []]),
        ([None, None], pa.null(), [None, None]),
        (
            [Decimal("1.5"), None, Decimal("-0.25")],
            pa.decimal128(38, 2),
            [Decimal("1.50"), None, Decimal("-0.25")],
        ),
        ([Decimal("1E+60")], pa.decimal256(76, 0), [Decimal("1E+60")]),
        ([date(2024, 2, 29), None], pa.date32(), [date(2024, 2, 29), None]),
        ([NAIVE], pa.timestamp("us"), [NAIVE]),
        (
            [NAIVE.replace(tzinfo=ZoneInfo("Asia/Tokyo"))],
            pa.timestamp("us", "UTC"),
            [datetime(2024, 2, 29, 3, tzinfo=UTC)],
        ),
        ([time(1, 2, 3, 4)], pa.time64("us"), [time(1, 2, 3, 4)]),
        ([timedelta(days=-1, microseconds=5)], pa.duration("us"), [timedelta(days=-1, microseconds=5)]),
        ([UUID(int=1), None], pa.uuid(), [UUID(int=1), None]),
        ([np.int8(1), 2], pa.int64(), [1, 2]),
    ],
)
def test_what_type_a_column_gets(values: list[Any], kind: pa.DataType, read: list[Any]) -> None:
    table = written([("k", value) for value in values]).read()
    found = table.schema.field("value").type
    assert found == kind
    assert table.column("value").to_pylist() == read


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, "a"], "key 1 .*several types, int and str"),
        ([True, 1], "key 1 .*several types, bool and int"),
        ([b"a", "a"], "key 1 .*several types, bytes and str"),
        ([[1], ["a"]], "key 1 .*several types, int and str"),
        ([0.5, 2**53 + 1], "key 1 .*over 2\\*\\*53 among floats"),
        ([1, 2**63], "key 1 .*more than 64 bits"),
        ([{}], "key 0 .*empty dict"),
        ([{1: 2}], "key 0 .*has the key 1"),
        ([Decimal(1), 1], "key 1 .*several types, Decimal and int"),
        ([Decimal("NaN")], "key 0 .*NaN or infinite: yield None"),
        ([Decimal("1E+80")], "key 0 .*at most 76 digits: yield str"),
        ([NAIVE, NAIVE.replace(tzinfo=UTC)], "key 1 .*several types, datetime and datetime with a tzinfo"),
        ([timedelta.max], "key 0 .*does not fit duration.*: yield value.total_seconds"),
        ([RING], "key 0 .*contains itself"),
    ],
)
def test_values_that_make_no_column_are_the_programs_error(values: list[Any], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        written([*enumerate(values)])


@pytest.mark.parametrize(
    ("first", "later", "message"),
    [
        (1, "a", "key 'last' .*a str cannot go into the column: the first rows had int64"),
        (1, 1.5, "a float cannot go into the column"),
        (1, True, "a bool cannot go into the column"),
        (None, 1, "the first rows had only None there"),
        ({"a": 1}, {"b": 1}, "the field 'b' is new: the first rows had a"),
        ([1], [None, "x"], "a str cannot go into the column"),
        (Decimal("1.5"), Decimal("1.25"), r"key 'last' .*does not fit decimal128\(38, 1\).* value.quantize"),
        (date(2024, 2, 29), NAIVE, "a datetime cannot go into the column"),
    ],
)
def test_a_later_record_of_another_type_is_named(first: Any, later: Any, message: str) -> None:
    pairs = [(str(number), first) for number in range(parquet_output.BATCH_RECORDS)]
    with pytest.raises(ProgramError, match=message):
        written([*pairs, ("next", first), ("last", later)])


def test_a_later_int_may_stand_among_floats() -> None:
    pairs = [(number, 0.5) for number in range(parquet_output.BATCH_RECORDS)]
    assert written([*pairs, (-1, 7)]).read().column("value")[-1].as_py() == 7.0


def test_a_value_is_written_as_it_was_when_yielded() -> None:
    store = open_store(f"memory://parquet-{next(NUMBERS)}/")
    with PartWriter(StagedUpload(store, "part", "published"), "Parquet") as part:
        value = {"n": [0]}
        for number in range(3):
            value["n"][0] = number
            part.write(number, value)
    assert pq.read_table(io.BytesIO(store.get("part"))).column("value").to_pylist() == [{"n": [n]} for n in range(3)]


def test_a_part_without_records_is_a_file_all_the_same() -> None:
    table = written([]).read()
    assert table.num_rows == 0
    assert table.schema == pa.schema([("key", pa.null()), ("value", pa.null())])


def test_row_groups_are_cut_by_bytes() -> None:
    text = "x" * (1024 * 1024)
    metadata = written([(number, text) for number in range(70)]).metadata
    assert metadata.num_row_groups == 3
    assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_batches_are_written_as_they_are() -> None:
    batch = pa.RecordBatch.from_pydict({"day": pa.array([0, 1], pa.date32()), "n": [1, None]})
    assert written([], (batch, batch.slice(1))).read() == pa.Table.from_batches([batch, batch.slice(1)])


def test_a_batch_of_another_schema_is_the_programs_error() -> None:
    first, second = pa.RecordBatch.from_pydict({"a": [1]}), pa.RecordBatch.from_pydict({"a": ["x"]})
    with pytest.raises(ProgramError, match="has the schema a: string, but the first had a: int64"):
        written([], (first, second))
    with pytest.raises(ProgramError, match="pairs were yielded after batches of a: int64"):
        written([("k", 1)], (first,))


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_key_that_cannot_be_written_is_the_one_named(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(f"memory://parquet-{next(NUMBERS)}/")
    pairs: list[tuple[Any, Any]] = [(number, "x") for number in range(3)]
    pairs[at] = (f"key {at}", "x")
    part = PartWriter(StagedUpload(store, "part", "published"), "Parquet")
    with pytest.raises(ProgramError) as caught:
        write_settled(part, pairs, monkeypatch)
    assert caught.value.record == f"key 'key {at}'"


def write_settled(part: PartWriter, pairs: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a pair that settles the columns' types, then the others at once."""
    with part:
        monkeypatch.setattr(parquet_output, "BATCH_RECORDS", 1)
        part.write(9, "x")
        monkeypatch.undo()
        for key, value in pairs:
            part.write(key, value)
