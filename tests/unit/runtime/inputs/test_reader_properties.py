"""Every input format, as rows and as columns: the records do not depend on where blocks and pieces fall.

Each case draws an object (ragged rows, nulls, nothing, other scripts, byte order marks, long lines, CRLF, bytes that
are no UTF-8), reads it as one piece in one block, and then in 1 to 9 pieces in blocks from 1 byte up: records, their
keys, the bad records and the bytes read must be the same.
"""

import bz2
import csv
import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputOptions
from podreduce.inputs import infer_columns
from podreduce.storage import open_store
from tests.support.pairs_oracle import HEAD, write_pairs
from tests.support.reading import collect, iter_blocks
from tests.support.searching import tries

STORE = open_store("memory://reader-properties/")
EXAMPLES = tries(40)
MARK = b"\xef\xbb\xbf"

SIGNS = st.sampled_from(
    [*"ab 1", "é", "日", "🙂", "\ufeff", "\u2028", "\x85", "\x0b", "\x0c", "\x1c", "\t", "\0", '"', "'", ",", ";", "\r"]
)
WORDS = st.lists(SIGNS, max_size=6).map("".join) | st.integers(1, 400).map(lambda length: "long" * length)
ENDS = st.sampled_from([b"\n", b"\n", b"\r\n", b"\n\n"])
NOISE = st.sampled_from([b"", b"", b"", b"", b"\xff", b"\xed\xa0\x80", MARK])


@st.composite
def texts(draw: st.DrawFn, line: st.SearchStrategy[str]) -> bytes:
    """Lines, some with noise, perhaps after a byte order mark, perhaps without a last newline."""
    parts = [draw(line).encode() + draw(NOISE) + draw(ENDS) for _ in range(draw(st.integers(0, 9)))]
    data = draw(st.sampled_from([b"", b"", MARK])) + b"".join(parts)
    return data.rstrip(b"\r\n") if draw(st.booleans()) else data


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["x", "y", "é z"]), inner, max_size=3),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.sampled_from(["id", "name", "tags", ""]), VALUES, max_size=4).map(json.dumps)
JSON_LINES = texts(OBJECTS | VALUES.map(json.dumps) | st.sampled_from(["{", " ", "null", '{"id":1}{"id":2}', '{"id":']))


@st.composite
def sheets(draw: st.DrawFn) -> bytes:
    """Rows of CSV, mostly sound and mostly of one width."""
    width = draw(st.integers(1, 3))
    rows = st.lists(WORDS, min_size=width, max_size=width) | st.lists(WORDS, min_size=1, max_size=4)

    def written(row: list[str]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(row)
        return text.getvalue()

    names = ",".join("abc"[:width])
    return draw(st.sampled_from([b"", names.encode() + b"\n"])) + draw(texts(rows.map(written) | WORDS))


TIMES = st.none() | st.integers(-(2**60), 2**60).map(lambda number: number // 1000 * 1000) | st.just(1)


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Parquet of some row groups."""
    rows = draw(st.integers(0, 30))
    columns = {
        "n": pa.array(draw(st.lists(st.none() | st.integers(-9, 9), min_size=rows, max_size=rows)), pa.int64()),
        "t": pa.array(draw(st.lists(TIMES, min_size=rows, max_size=rows)), pa.timestamp("ns")),
        "l": pa.array(
            draw(st.lists(st.none() | st.lists(TIMES, max_size=2), min_size=rows, max_size=rows)),
            pa.list_(pa.timestamp("ns")),
        ),
        "s": pa.array(draw(st.lists(st.none() | WORDS, min_size=rows, max_size=rows)), pa.string()).dictionary_encode(),
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=draw(st.integers(1, 20)))
    return sink.getvalue()


MARKERS = st.sampled_from([HEAD + b"\1", HEAD + b"\0", HEAD, HEAD[:7], HEAD[1:] + b"\1", b"\1", b"\xfd"])
SCRAPS = st.lists(MARKERS | st.binary(max_size=3), max_size=6).map(b"".join)
"""Bytes that come as near to the marker of a frame as they can."""


@st.composite
def pair_objects(draw: st.DrawFn) -> bytes:
    """Pairs in frames of some records, some damaged: bytes changed, left out, put between frames."""
    keys, values = draw(st.tuples(*[st.sampled_from([WORDS, st.integers(), SCRAPS, WORDS | VALUES | SCRAPS])] * 2))
    pairs = draw(st.lists(st.tuples(keys, values), max_size=12))
    data = write_pairs(pairs, frame_records=draw(st.integers(1, 5)))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        start = draw(st.integers(0, len(data)))
        data = data[:start] + draw(SCRAPS) + data[start + draw(st.integers(0, 60)) :]
    return data


FORMATS: dict[str, tuple[st.SearchStrategy[bytes], str, dict[str, Any]]] = {
    "text": (texts(WORDS), "Text", {}),
    "json": (JSON_LINES, "JSONLines", {}),
    "csv": (sheets(), "CSV", {}),
    "csv without a header": (sheets(), "CSV", {"csv_header": False}),
    "csv with other signs": (sheets(), "CSV", {"csv_delimiter": ";", "csv_quote": "'", "csv_header": False}),
    "csv, multiline": (sheets(), "CSV", {"csv_multiline": True}),
    "csv, multiline, without a header": (sheets(), "CSV", {"csv_multiline": True, "csv_header": False}),
    "fixed length": (st.binary(max_size=90), "FixedLength", {"record_length": 3, "key_length": 1}),
    "whole object": (st.binary(max_size=90), "WholeObject", {}),
    "parquet": (tables(), "Parquet", {}),
    "pairs": (pair_objects(), "Pairs", {}),
}
COMPRESSED: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, "": lambda data: data}


def outcome(read_it: Callable[[], Any]) -> Any:
    """What was read, in a form that tells 0.0 from -0.0; of an object that is bad as a whole, that it is."""
    try:
        found = read_it()
    except InputError:
        return InputError
    return sorted(map(repr, found.records)), sorted(found.bad), found.stored_bytes


@pytest.mark.parametrize("as_columns", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize(("objects", "input_format", "options"), FORMATS.values(), ids=FORMATS)
def test_records_do_not_depend_on_where_blocks_and_pieces_fall(
    objects: st.SearchStrategy[bytes], input_format: str, options: dict[str, Any], *, as_columns: bool
) -> None:
    whole = input_format == "WholeObject" or bool(options.get("csv_multiline"))
    endings = [""] if input_format == "Parquet" else [*COMPRESSED, "", ""]

    @settings(max_examples=EXAMPLES)
    @given(
        data=objects,
        places=st.lists(st.floats(0, 1), max_size=8),
        block_bytes=st.integers(1, 9) | st.sampled_from([16, 100, 1000]),
        errors=st.sampled_from(["Strict", "Replace"]),
        ending=st.sampled_from(endings),
    )
    def check(*, data: bytes, places: list[float], block_bytes: int, errors: str, ending: str) -> None:
        stored = COMPRESSED[ending](data)
        schema = infer_columns(data.removeprefix(MARK).split(b"\n")) if input_format == "JSONLines" else None

        def read(**how: Any) -> Any:
            blocks = iter_blocks(
                STORE,
                f"a{ending}",
                stored,
                input_format=input_format,
                options=InputOptions(schema=schema, **options),
                encoding_errors=errors,
                **how,
            )
            return outcome(lambda: collect(blocks, as_columns=as_columns))

        cuts = [] if ending or whole else [round(place * len(stored)) for place in places]
        at_once = read()
        assert read(cuts=cuts, block_bytes=block_bytes) == at_once
        if at_once is not InputError:
            assert at_once[2] == len(stored)

    check()
