import hashlib
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.errors import InternalError, ProgramError
from podreduce.formats import PartWriter
from podreduce.formats.fields import UnwritableError, json_text, text_field
from podreduce.formats.output import json_line, text_line
from podreduce.storage import ObjectStore, open_store

NUMBERS = itertools.count()
INFINITY = float("inf")

FIELDS = [
    ("word", "word", '"word"'),
    ("", "", '""'),
    ("a\tb\nc\rd\\e", "a\\tb\\nc\\rd\\\\e", '"a\\tb\\nc\\rd\\\\e"'),
    ('"é\u2028', '"é\u2028', '"\\"é\u2028"'),
    (1, "1", "1"),
    (-(10**40), "-1" + "0" * 40, "-1" + "0" * 40),
    (1.0, "1.0", "1.0"),
    (0.1, "0.1", "0.1"),
    (1e300, "1e+300", "1e+300"),
    (True, "true", "true"),
    (None, "null", "null"),
    (float("nan"), '"NaN"', '"NaN"'),
    (INFINITY, '"Infinity"', '"Infinity"'),
    (-INFINITY, '"-Infinity"', '"-Infinity"'),
    (b"\x00\xff", '"AP8="', '"AP8="'),
    (("a", (1, 2.5)), '["a",[1,2.5]]', '["a",[1,2.5]]'),
    ([], "[]", "[]"),
    ({"b": [INFINITY], "a": b"x"}, '{"b":["Infinity"],"a":"eA=="}', '{"b":["Infinity"],"a":"eA=="}'),
    (["tab\t"], '["tab\\t"]', '["tab\\t"]'),
]


@pytest.mark.parametrize(("field", "text", "as_json"), FIELDS, ids=[repr(field)[:30] for field, _, _ in FIELDS])
def test_how_a_field_is_written(field: Any, text: str, as_json: str) -> None:
    assert text_field(field) == text
    assert json_text(field) == as_json


class Word(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ({1, 2}, "builtins.set"),
        (1j, "complex"),
        (Word("a"), "Word"),
        ({1: 2}, "key 1.*str"),
        ([{"a": {None: 1}}], "key None"),
        ([object], "builtins.type"),
    ],
)
def test_what_has_no_form_is_refused_by_name(field: Any, message: str) -> None:
    with pytest.raises(UnwritableError, match=message):
        json_text(field)


def test_a_list_in_itself_is_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(UnwritableError, match="nested too deeply"):
        json_text(ring)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('a\t\r\n\\é"'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(key=VALUES, value=VALUES)
def test_json_lines_read_back(key: Any, value: Any) -> None:
    line = json_line(key, value)
    assert line.count("\n") == 1
    assert json.loads(line) == {"key": key, "value": value}


def unescape(text: str) -> str:
    escapes = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\"}
    pieces = iter(text)
    return "".join(escapes[next(pieces)] if piece == "\\" else piece for piece in pieces)


@given(key=st.text("a\t\r\n\\é"), value=st.text("b\t\r\n\\"))
def test_text_lines_read_back(key: str, value: str) -> None:
    line = text_line(key, value)
    assert line[-1:] == "\n"
    assert [unescape(part) for part in line[:-1].split("\t")] == [key, value]
    assert not set("\r\n") & set(line[:-1])


@given(value=VALUES)
def test_a_line_has_one_tab_whatever_the_value(value: Any) -> None:
    assert text_line("key", value).count("\t") == 1


@pytest.fixture
def store() -> ObjectStore:
    return open_store(f"memory://output-{next(NUMBERS)}/")


@pytest.mark.parametrize("records", [0, 1, 30_000])
def test_a_part_knows_its_digest_records_and_bytes(store: ObjectStore, records: int) -> None:
    with PartWriter(store, "staged/part", "JSONLines") as part:
        for number in range(records):
            part.write(str(number), number)
    data = store.get("staged/part")
    assert part.part_ref().sha256 == hashlib.sha256(data).hexdigest()
    assert (part.part_ref().bytes, part.part_ref().records) == (len(data), records)
    assert part.part_ref().key == "staged/part"
    assert data.count(b"\n") == records


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("k", {1}, "key 'k'.*set"), ("k", "\ud800", "key 'k'.*lone surrogate"), ("\udcff", 1, "'.udcff'.*lone surrogate")],
)
def test_a_record_that_cannot_be_written_is_the_programs_error(
    store: ObjectStore, key: str, value: Any, message: str
) -> None:
    with pytest.raises(ProgramError, match=message), PartWriter(store, "part", "Text") as part:
        part.write(key, value)
    assert not store.exists("part")


def test_an_unknown_format_is_our_error(store: ObjectStore) -> None:
    with pytest.raises(InternalError, match="Parquet"):
        PartWriter(store, "part", "Parquet")
