"""CSV as columns: Arrow reads the rows that `csv` reads, no others; rows of another width are bad in any block."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputOptions
from podreduce.inputs.blocks import Block
from podreduce.inputs.csv_columns import read_at_once, rows_to_arrow
from podreduce.inputs.csv_rows import CsvShape, parse_each_line, parse_lines
from podreduce.storage import open_store
from tests.support.reading import collect, iter_blocks
from tests.support.searching import tries

STORE = open_store("memory://csv/")
EXAMPLES = tries(300)
"""How many cases each search here tries; set it higher to search for longer."""
NAMES = ("x", "y")


def block_of(data: bytes) -> Block:
    return Block(offset=0, data=data, stored_bytes=len(data))


def read(
    data: bytes, *, cuts: Sequence[int] = (), block_bytes: int = 1 << 20, arrow: bool = True, **options: Any
) -> tuple[list[Any], list[bytes]]:
    """The rows that can be read, and the bytes of those that cannot."""
    blocks = iter_blocks(
        STORE,
        "a",
        data,
        input_format="CSV",
        options=InputOptions(**options),
        cuts=cuts,
        block_bytes=block_bytes,
    )
    found = collect(blocks, as_columns=arrow)
    return [record for _, record in found.records], [line for _, line in found.bad]


SIGNS = st.sampled_from(
    [
        *'abé, ";\t',
        '""',
        '"a"',
        '","',
        "\n",
        "\n",
        "\r\n",
        "\r",
        "\0",
        "\ufeff",
        "\u2028",
        "\x85",
        "\x0c",
        "NA",
        "a,b\n",
        '"a","b"\n',
    ]
)
TEXTS = st.lists(SIGNS, max_size=12).map("".join)


@settings(max_examples=EXAMPLES)
@given(TEXTS, st.sampled_from([",", ";", "\t", '"', "é"]), st.sampled_from(['"', "'", ","]), st.integers(1, 3))
def test_what_arrow_reads_at_once_is_what_is_read_row_by_row(text: str, delimiter: str, quote: str, width: int) -> None:
    names = [str(number) for number in range(width)]
    at_once = read_at_once(text.encode(), names, delimiter, quote)
    if at_once is not None:
        shape = CsvShape(delimiter=delimiter, quote=quote, columns=tuple(names))
        values = parse_each_line(block_of(text.encode()), "a", shape, text.split("\n"), 0)
        assert at_once.equals(rows_to_arrow(values, names))


@pytest.mark.parametrize(
    "data",
    [b"1,2\n3,4", b'"a","b""c"\r\n"",\n\n', b'"a;""",b\n', b'"""","\xc3\xa9"\n', b"NA,null\n 1 ,\n", b",\n"],
    ids=repr,
)
def test_rows_as_rfc_4180_has_them_are_read_at_once(data: bytes) -> None:
    assert read_at_once(data, NAMES, ",", '"') is not None


@settings(max_examples=EXAMPLES)
@given(TEXTS, st.sampled_from([None, ("x",), NAMES]), st.integers(0, 2))
def test_lines_read_together_are_those_read_one_by_one(text: str, names: tuple[str, ...] | None, skip: int) -> None:
    block, shape = block_of(text.encode()), CsvShape(delimiter=",", quote='"', columns=names)

    def outcome(read_it: Any) -> Any:
        try:
            return read_it()
        except InputError as error:
            return str(error)

    together = outcome(lambda: parse_lines(block, "a", shape, "strict", skip))
    assert together == outcome(lambda: parse_each_line(block, "a", shape, text.split("\n"), skip))


ROWS = st.lists(st.lists(st.text('a,"\u2028\x85é ', max_size=3), min_size=1, max_size=3), min_size=1, max_size=8)


@settings(max_examples=EXAMPLES // 3)
@given(
    rows=ROWS,
    header=st.booleans(),
    crlf=st.booleans(),
    places=st.lists(st.floats(0, 1), max_size=8),
    block_bytes=st.sampled_from([1, 10, 100]),
)
def test_rows_and_columns_do_not_depend_on_where_blocks_and_pieces_fall(
    *, rows: list[list[str]], header: bool, crlf: bool, places: list[float], block_bytes: int
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n" if crlf else "\n").writerows(rows)
    data = text.getvalue().encode()
    if header:
        data = b"x,y\n" + data
    cuts = [round(place * len(data)) for place in places]
    width = 2 if header else len(rows[0])
    names = NAMES if header else tuple(map(str, range(width)))
    expected = [dict(zip(names, row, strict=True)) for row in rows if len(row) == width]
    for multiline in (False, True):
        options: dict[str, Any] = {"csv_header": header, "csv_multiline": multiline}
        found, bad = read(data, cuts=[] if multiline else cuts, block_bytes=block_bytes, **options)
        assert found == expected
        assert len(bad) == len(rows) - len(expected)
        found, bad = read(data, cuts=[] if multiline else cuts, block_bytes=block_bytes, arrow=False, **options)
        assert found == (expected if header else rows)
        assert len(bad) == (len(rows) - len(expected) if header else 0)


SEPARATORS = ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"]


@pytest.mark.parametrize("multiline", [False, True], ids=["lines", "multiline"])
@pytest.mark.parametrize("arrow", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"], ids=repr)
def test_a_header_alone_is_no_row(end: bytes, *, arrow: bool, multiline: bool) -> None:
    assert read(b"x,y" + end, arrow=arrow, csv_header=True, csv_multiline=multiline) == ([], [])


@pytest.mark.parametrize("multiline", [False, True], ids=["lines", "multiline"])
@pytest.mark.parametrize("sign", SEPARATORS, ids=ascii)
def test_a_row_ends_at_lf_and_crlf_alone(sign: str, *, multiline: bool) -> None:
    data = f"1,x{sign}y\r\n2,{sign}\n".encode()
    expected = [["1", f"x{sign}y"], ["2", sign]]
    options: dict[str, Any] = {"csv_header": False, "csv_multiline": multiline}
    assert read(data, arrow=False, **options) == (expected, [])
    assert read(data, **options) == ([dict(zip("01", row, strict=True)) for row in expected], [])


@pytest.mark.parametrize("multiline", [False, True], ids=["lines", "multiline"])
@pytest.mark.parametrize("arrow", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("length", [131_073, 1_000_000])
def test_a_field_may_be_long(length: int, *, arrow: bool, multiline: bool) -> None:
    data = b"x,y\n1," + b"z" * length + b'\n2,"' + b"z" * length + b'"\n'
    rows, bad = read(data, arrow=arrow, csv_multiline=multiline)
    assert [len(row["y"]) for row in rows] == [length, length]
    assert not bad


def test_a_header_may_be_long() -> None:
    assert read(b"a" * 200_000 + b"\n1\n", arrow=False)[0] == [{"a" * 200_000: "1"}]


@pytest.mark.parametrize("multiline", [False, True], ids=["lines", "multiline"])
def test_ragged_rows_without_a_header_are_bad_as_columns_and_lists_as_rows(*, multiline: bool) -> None:
    data = b'\n"x"y\na,b\nc,d,e\nf\ng,h\n'
    options: dict[str, Any] = {"csv_header": False, "csv_multiline": multiline}
    rows, bad = read(data, block_bytes=1, **options)
    assert rows == [{"0": "a", "1": "b"}, {"0": "g", "1": "h"}]
    assert [line.rstrip(b"\n") for line in bad] == [b'"x"y', b"c,d,e", b"f"]
    rows, bad = read(data, arrow=False, block_bytes=1, **options)
    assert rows == [["a", "b"], ["c", "d", "e"], ["f"], ["g", "h"]]
    blocks = iter_blocks(STORE, "b", b"a,b\nc,d,e\n", input_format="CSV", options=InputOptions(**options))
    with pytest.raises(InputError, match=r"cannot be read \(3 fields, but the object's first row has 2\)"):
        [block.to_arrow() for block in blocks]
