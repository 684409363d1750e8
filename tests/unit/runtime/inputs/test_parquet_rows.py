"""Parquet: each row once wherever the cuts are, only what is asked for is read, what cannot be read is named."""

import datetime as dt
import io
import itertools
import operator
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.errors import InputError
from podreduce.contract.plan import Condition, InputOptions, Piece
from podreduce.inputs import RecordBlock, read_records
from podreduce.storage import open_store
from tests.support.task_runs import TaskRun

STORE = open_store("memory://parquet/")


def encode(table: pa.Table, *, group: int = 1000, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=group, **options)
    return sink.getvalue()


def read(
    data: bytes, *, cuts: Sequence[int] = (), block_bytes: int = 1 << 16, name: str = "a", **options: Any
) -> list[RecordBlock]:
    plan = TaskRun(plan_changes={"input_format": "Parquet", "input_options": InputOptions(**options)}).plan
    STORE.put(name, data)
    return [
        block
        for start, end in itertools.pairwise([0, *sorted(cuts), len(data)])
        for block in read_records(
            plan,
            STORE,
            name,
            Piece(uri=STORE.uri_of(name), start=start, end=end, object_bytes=len(data)),
            block_bytes=block_bytes,
        )
    ]


def values_of(blocks: list[RecordBlock]) -> list[Any]:
    return [value for block in blocks for value in block.values]


def keys_of(blocks: list[RecordBlock]) -> list[Any]:
    return list(itertools.chain.from_iterable(block.keys() for block in blocks))


def numbers(count: int) -> pa.Table:
    return pa.table({"n": pa.array(range(count), pa.int64()), "text": [f"t{number % 7}" for number in range(count)]})


def condition(column: str, name: str, *values: int | str) -> Condition:
    if name in ("In", "NotIn"):
        return Condition(column=column, operator=name, values=values)
    return Condition(column=column, operator=name, value=values[0] if values else None)


@given(
    rows=st.integers(0, 60),
    group=st.integers(1, 25),
    places=st.lists(st.floats(0, 1), max_size=5),
    block_bytes=st.sampled_from([1, 50, 10_000]),
)
def test_every_row_is_read_exactly_once_wherever_the_cuts_are(
    rows: int, group: int, places: list[float], block_bytes: int
) -> None:
    table = numbers(rows)
    data = encode(table, group=group)
    blocks = read(data, cuts=[round(place * len(data)) for place in places], block_bytes=block_bytes)
    assert values_of(blocks) == table.to_pylist()
    assert keys_of(blocks) == list(range(rows))
    assert [row for block in blocks for row in block.to_arrow().to_pylist()] == table.to_pylist()
    assert sum(block.stored_bytes for block in blocks) == len(data)


def test_columns_of_every_type_come_as_pythons_values() -> None:
    row = {
        "list": [1, None],
        "struct": {"a": 1, "b": "x"},
        "decimal": Decimal("12.50"),
        "day": dt.date(2026, 11, 23),
        "time": dt.datetime(2026, 11, 23, 1, 2, 3, tzinfo=dt.UTC),
        "bytes": b"\0",
        "flag": True,
        "none": None,
    }
    data = encode(pa.Table.from_pylist([row, dict.fromkeys(row)], schema=pa.Table.from_pylist([row]).schema))
    assert values_of(read(data)) == [row, dict.fromkeys(row)]


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "lz4", "brotli"])
def test_every_codec_is_read(codec: str) -> None:
    assert len(values_of(read(encode(numbers(100), compression=codec)))) == 100


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "Equal": operator.eq,
    "NotEqual": operator.ne,
    "Less": operator.lt,
    "LessOrEqual": operator.le,
    "Greater": operator.gt,
    "GreaterOrEqual": operator.ge,
    "In": lambda value, wanted: value in wanted,
    "NotIn": lambda value, wanted: value not in wanted,
}


@given(
    values=st.lists(st.none() | st.integers(-5, 5), max_size=30),
    name=st.sampled_from(sorted(COMPARE)),
    wanted=st.lists(st.integers(-5, 5), min_size=1, max_size=3),
    group=st.integers(1, 9),
)
def test_a_filter_leaves_the_rows_of_which_it_holds(
    values: list[int | None], name: str, wanted: list[int], group: int
) -> None:
    data = encode(pa.table({"n": pa.array(values, pa.int64())}), group=group)
    other: Any = wanted if name in ("In", "NotIn") else wanted[0]
    blocks = read(data, filter=(condition("n", name, *wanted),))
    expected = [(at, value) for at, value in enumerate(values) if value is not None and COMPARE[name](value, other)]
    assert [
        (key, row["n"]) for block in blocks for key, row in zip(block.keys(), block.values, strict=True)
    ] == expected


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        pytest.param([condition("day", "Less", "2026-01-02")], [0], id="date"),
        pytest.param([condition("price", "GreaterOrEqual", "2.5")], [1], id="float"),
        pytest.param([condition("price", "Greater", 1)], [1], id="int-for-float"),
        pytest.param([condition("name", "Equal", "b")], [1], id="text"),
        pytest.param([condition("name", "Equal", 7)], [2], id="int-for-text"),
        pytest.param([condition("sold", "Equal", "true")], [0], id="bool"),
        pytest.param([condition("price", "IsNull")], [2], id="null"),
        pytest.param([condition("price", "IsNotNull"), condition("sold", "Equal", "false")], [1], id="all-of-them"),
    ],
)
def test_values_of_a_filter_are_taken_as_the_columns_type(conditions: list[Condition], expected: list[int]) -> None:
    table = pa.table(
        {
            "day": [dt.date(2026, 1, 1), dt.date(2026, 1, 2), dt.date(2026, 1, 3)],
            "price": [0.5, 2.5, None],
            "name": ["a", "b", "7"],
            "sold": [True, False, None],
        }
    )
    blocks = read(encode(table), columns=("name",), filter=tuple(conditions))
    assert keys_of(blocks) == expected
    assert all(set(row) == {"name"} for row in values_of(blocks))


def damage(data: bytes, group: int, column: int) -> bytes:
    """Overwrite a column of a row group: whoever reads it fails."""
    chunk = pq.read_metadata(io.BytesIO(data)).row_group(group).column(column)
    start, size = chunk.dictionary_page_offset or chunk.data_page_offset, chunk.total_compressed_size
    return data[:start] + b"\xff" * size + data[start + size :]


def test_columns_that_are_not_asked_for_are_not_read() -> None:
    data = damage(encode(numbers(100)), 0, 0)
    assert len(values_of(read(data, columns=("text",)))) == 100
    with pytest.raises(InputError, match=r"memory://parquet/a: cannot be read as Parquet"):
        read(data, columns=("n",))


def test_row_groups_without_rows_for_the_filter_are_not_read() -> None:
    data = damage(damage(encode(numbers(100), group=40), 0, 0), 2, 0)
    blocks = read(data, columns=("n",), filter=(condition("n", "GreaterOrEqual", 45), condition("n", "Less", 50)))
    assert values_of(blocks) == [{"n": number} for number in range(45, 50)]
    assert sum(block.stored_bytes for block in blocks) == len(data)
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read(data, columns=("n",), filter=(condition("n", "Less", 50),))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ("n", "m")}, r"has no column m; it has n, text: correct input\.columns"),
        ({"filter": (condition("m", "IsNull"),)}, r"has no column m; it has n, text: correct"),
        (
            {"filter": (condition("n", "Less", "x"),)},
            r"input\.filter: 'x' cannot be compared with the column n.* int64",
        ),
    ],
    ids=["unknown-column", "unknown-column-of-the-filter", "value-of-another-type"],
)
def test_what_an_object_cannot_give_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"memory://parquet/a: {message}"):
        read(encode(numbers(3)), **options)


@pytest.mark.parametrize(
    ("name", "data"),
    [("a", b""), ("a", b"no Parquet at all"), ("a.parquet.gz", b"x"), ("a", encode(numbers(3))[:-9])],
    ids=["empty", "text", "compressed-as-a-whole", "cut-short"],
)
def test_what_is_no_parquet_is_named(name: str, data: bytes) -> None:
    with pytest.raises(InputError, match=rf"memory://parquet/{name}: .*Parquet"):
        read(data or b" ", name=name)


def test_an_object_that_has_changed_is_named() -> None:
    data = encode(numbers(3))
    STORE.put("changed", data)
    piece = Piece(uri=STORE.uri_of("changed"), start=0, end=len(data), object_bytes=len(data), etag="of before")
    with pytest.raises(InputError, match="memory://parquet/changed: the object changed after planning"):
        list(read_records(TaskRun(plan_changes={"input_format": "Parquet"}).plan, STORE, "changed", piece))


def test_a_failing_record_is_named_by_its_row() -> None:
    source = "class Job:\n    def map_func(self, key, value): yield 1 // (value['n'] - 2), 1\n"
    run = TaskRun(source=source, objects={"a": encode(numbers(5))}, plan_changes={"input_format": "Parquet"})
    with pytest.raises(Exception, match="integer division") as failure:
        run.map(0)
    assert "at row 2" in str(failure.value.__dict__)
