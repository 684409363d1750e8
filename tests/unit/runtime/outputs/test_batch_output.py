import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.errors import ProgramError
from podreduce.outputs import PartWriter
from podreduce.storage import StagedUpload, open_store

NUMBERS = itertools.count()
STRINGS = st.none() | st.text('aé,\t\r\n\\"\x00\x1f\u2028', max_size=6)
INTS = st.none() | st.integers(-(2**63), 2**63 - 1)
COLUMNS = {
    "string": (pa.string(), STRINGS),
    "large_string": (pa.large_string(), STRINGS),
    "string_view": (pa.string_view(), STRINGS),
    "plain string": (pa.string(), st.text("ab ")),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), STRINGS),
    "int64": (pa.int64(), INTS),
    "uint8": (pa.uint8(), st.none() | st.integers(0, 255)),
    "bool": (pa.bool_(), st.none() | st.booleans()),
    "double": (pa.float64(), st.none() | st.floats()),
    "binary": (pa.binary(), st.none() | st.binary(max_size=4)),
    "list": (pa.list_(pa.string()), st.none() | st.lists(STRINGS, max_size=2)),
    "struct": (
        pa.struct([("a", pa.int64()), ("b", pa.string())]),
        st.none() | st.fixed_dictionaries({"a": INTS, "b": STRINGS}),
    ),
    "null": (pa.null(), st.none()),
}


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """A batch of a key and a value column, sometimes a slice of a larger one."""
    names = [draw(st.sampled_from([*COLUMNS])) for _ in range(2)]
    rows = draw(st.lists(st.tuples(*[COLUMNS[name][1] for name in names]), max_size=6))
    arrays = [pa.array([row[at] for row in rows], COLUMNS[name][0]) for at, name in enumerate(names)]
    batch = pa.RecordBatch.from_arrays(arrays, names=["key", "value"])
    return batch.slice(draw(st.integers(0, 2)), draw(st.none() | st.integers(0, 4)))


def written(output_format: str, batch: pa.RecordBatch, **options: Any) -> bytes:
    store = open_store(f"memory://batches-{next(NUMBERS)}/")
    with PartWriter(StagedUpload(store, "part", "published"), output_format, **options) as part:
        part.write_batch(batch)
    assert part.records == batch.num_rows
    return store.get("part")


def written_by_record(output_format: str, pairs: list[tuple[Any, Any]]) -> bytes:
    store = open_store(f"memory://records-{next(NUMBERS)}/")
    with PartWriter(StagedUpload(store, "part", "published"), output_format) as part:
        for key, value in pairs:
            part.write(key, value)
    return store.get("part")


def pairs_of(batch: pa.RecordBatch) -> list[tuple[Any, Any]]:
    return [(row["key"], row["value"]) for row in batch.to_pylist()]


@pytest.mark.parametrize("output_format", ["Text", "JSONLines", "Pairs"])
@given(batch=batches())
def test_a_batch_is_written_as_its_rows_one_by_one(output_format: str, batch: pa.RecordBatch) -> None:
    assert written(output_format, batch) == written_by_record(output_format, pairs_of(batch))


@given(batch=batches())
def test_a_row_of_csv_has_a_field_for_each_column(batch: pa.RecordBatch) -> None:
    # A list in a pair would be spread over columns, in a batch it is one of them.
    rows = [((key,), (value,)) for key, value in pairs_of(batch)]
    assert written("CSV", batch) == written_by_record("CSV", rows)


EDGES = [1e-4, np.nextafter(1e-4, 0), 1e16, np.nextafter(1e16, 0), 0.0, 5e-324, 1.7e308, np.inf, np.nan, 1 / 3, 7.0]


@pytest.mark.parametrize("output_format", ["Text", "JSONLines", "CSV"])
@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.float16()])
def test_floats_are_written_as_one_by_one_where_their_form_changes(output_format: str, kind: pa.DataType) -> None:
    with np.errstate(over="ignore"):
        edges = np.array([*EDGES, *(-edge for edge in EDGES)]).astype(kind.to_pandas_dtype())
    plain = pa.array(edges, kind)
    for column in (plain, pa.concat_arrays([pa.nulls(2, kind), plain, pa.nulls(1, kind)]).slice(1), pa.nulls(3, kind)):
        batch = pa.record_batch({"key": column, "value": column})
        pairs = pairs_of(batch) if output_format != "CSV" else [((key,), (value,)) for key, value in pairs_of(batch)]
        assert written(output_format, batch) == written_by_record(output_format, pairs)


def test_json_lines_have_all_columns() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1, 2], 'b"': ["x", None], "c": [0.5, 1e300]})
    assert written("JSONLines", batch) == b'{"a":1,"b\\"":"x","c":0.5}\n{"a":2,"b\\"":null,"c":1e+300}\n'


def test_csv_takes_the_named_columns_in_their_order() -> None:
    batch = pa.RecordBatch.from_pydict({"a": [1, 2], "b": ["x", ""], "c": [None, "u,v"]})
    assert written("CSV", batch, columns=("c", "a")) == b'c,a\n,1\n"u,v",2\n'
    assert written("CSV", batch.select(["c"])) == b'""\n"u,v"\n'


def test_rows_of_fixed_length_are_their_columns_bytes() -> None:
    keys, values = pa.array([b"ab", b"cd", b"ef"], pa.binary(2)), pa.array([b"1", b"2", b"3"])
    batch = pa.RecordBatch.from_arrays([keys, values], names=["key", "value"])
    assert written("FixedLength", batch, record_length=3) == b"ab1cd2ef3"
    assert written("FixedLength", batch.slice(1, 1), record_length=3) == b"cd2"
    assert written("FixedLength", batch.slice(3), record_length=3) == b""
    assert written("FixedLength", batch.select(["key"])) == b"abcdef"


@pytest.mark.parametrize(
    ("output_format", "options", "columns", "message"),
    [
        ("Text", {}, {"a": [1]}, "columns a cannot be written: a line of Text has a key and a value"),
        ("Text", {}, {"a": [1], "b": [np.datetime64(1, "ns")]}, r"timestamp\[ns\] has a value .* cast it"),
        ("Pairs", {}, {"a": [1]}, "a record of Pairs is a key and a value: return a batch of two columns"),
        ("Pairs", {}, {"a": [1], "b": [np.datetime64(1, "ns")]}, "cast the column"),
        ("CSV", {"columns": ("a", "b")}, {"a": [1]}, "output.columns names b, but it has no such column"),
        ("FixedLength", {}, {"a": ["x"]}, "column a has type string"),
        ("FixedLength", {}, {"a": [b"x", None]}, "column a has nulls"),
        ("FixedLength", {"record_length": 2}, {"a": [b"xx", b"x"]}, "not every row has the 2 bytes"),
    ],
)
def test_a_batch_that_has_no_form_is_the_programs_error(
    output_format: str, options: dict[str, Any], columns: dict[str, list[Any]], message: str
) -> None:
    with pytest.raises(ProgramError, match=message):
        written(output_format, pa.RecordBatch.from_pydict(columns), **options)


@pytest.mark.parametrize("output_format", ["Text", "JSONLines", "CSV", "FixedLength"])
def test_a_batch_may_be_larger_than_what_is_uploaded_at_a_time(output_format: str) -> None:
    row = b"x" * 1024
    column = pa.array([row] * 9 * 1024)
    column = column if output_format == "FixedLength" else column.cast(pa.string())
    data = written(output_format, pa.RecordBatch.from_arrays([column, column], names=["key", "value"]))
    assert data.count(row) == 2 * 9 * 1024


def test_records_and_batches_follow_each_other() -> None:
    store = open_store(f"memory://batches-{next(NUMBERS)}/")
    with PartWriter(StagedUpload(store, "part", "published"), "Text") as part:
        part.write("a", 1)
        part.write_batch(pa.RecordBatch.from_pydict({"key": ["b"], "value": [2]}))
        part.write_all([("c", 3)])
    assert store.get("part") == b"a\t1\nb\t2\nc\t3\n"
    assert part.records == 3
