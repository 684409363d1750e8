"""JSONLines, CSV, whole objects and compressed ones: each record once wherever the cuts are, bad ones named."""

import bz2
import csv
import gzip
import io
import itertools
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputOptions, Piece
from podreduce.inputs import read_records, reads_whole_objects
from podreduce.storage import open_store
from tests.support.pairs_oracle import write_pairs
from tests.support.task_runs import TaskRun

STORE = open_store("memory://inputs/")


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


COMPRESSED = {".gz": gzip.compress, ".bz2": bz2.compress, ".zst": zstd}


def read(
    data: bytes,
    input_format: str,
    *,
    cuts: list[int] | None = None,
    name: str = "a",
    arrow: bool = False,
    **options: Any,
) -> list[Any]:
    plan = TaskRun(plan_changes={"input_format": input_format, "input_options": InputOptions(**options)}).plan
    STORE.put(name, data)
    found: list[Any] = []
    charged = 0
    for start, end in itertools.pairwise([0, *(cuts or []), len(data)]):
        piece = Piece(uri=STORE.uri_of(name), start=start, end=end, object_bytes=len(data))
        for block in read_records(plan, STORE, name, piece, block_bytes=16):
            found += block.to_arrow().to_pylist() if arrow else zip(block.keys(), block.values, strict=True)
            charged += block.stored_bytes
    assert charged == len(data)
    return found


def cut(data: bytes, places: list[float]) -> list[int]:
    return sorted(round(place * len(data)) for place in places)


PLACES = st.lists(st.floats(0, 1), max_size=4)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)


@given(st.lists(st.one_of(JSON, st.just("blank")), max_size=8), PLACES, st.booleans())
def test_every_line_of_json_is_read_exactly_once(values: list[Any], places: list[float], ended: bool) -> None:
    lines = ["  " if value == "blank" else json.dumps(value) for value in values]
    data = "\n".join(lines).encode() + b"\n" * ended
    found = read(data, "JSONLines", cuts=cut(data, places))
    assert [value for _, value in found] == [value for value in values if value != "blank"]
    assert all(json.loads(data[key:].split(b"\n")[0]) == value for key, value in found)


def test_objects_of_json_become_columns() -> None:
    assert read(b'{"a":1}\n\n{"a":2}\n', "JSONLines", arrow=True) == [{"a": 1}, {"a": 2}]


FIELDS = st.text(alphabet='ab,;"é ', max_size=4)


@given(st.lists(st.lists(FIELDS, min_size=2, max_size=2), min_size=1, max_size=8), PLACES, st.booleans(), st.booleans())
def test_every_row_is_read_exactly_once(rows: list[list[str]], places: list[float], header: bool, crlf: bool) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n" if crlf else "\n").writerows([["one", "two"], *rows])
    data = text.getvalue().encode()
    found = [value for _, value in read(data, "CSV", cuts=cut(data, places), csv_header=header)]
    expected: list[Any] = [{"one": one, "two": two} for one, two in rows] if header else [["one", "two"], *rows]
    assert found == expected


def test_fields_with_newlines_need_multiline() -> None:
    data = b'a;b\n"1\n2";3\n4;5\n'
    options: dict[str, Any] = {"csv_delimiter": ";", "csv_multiline": True}
    assert read(data, "CSV", **options) == [(0, {"a": "1\n2", "b": "3"}), (1, {"a": "4", "b": "5"})]
    with pytest.raises(InputError, match=r"the row at byte 4 cannot be read .*multiline"):
        read(data, "CSV", csv_delimiter=";")


@pytest.mark.parametrize(
    ("data", "input_format", "message"),
    [
        (b'{"a": 1}\n{"a": \n', "JSONLines", "the line at byte 9 is not JSON"),
        (b"a,b\n1,2\n3\n", "CSV", r"the row at byte 8 cannot be read \(1 field, but the header names 2\)"),
        (b'a,b\n"1,2\n', "CSV", "the row at byte 4 cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(data: bytes, input_format: str, message: str) -> None:
    with pytest.raises(InputError, match=f"memory://inputs/a: {message}"):
        read(data, input_format)


HEADERS = {
    "no UTF-8": (b"a,b\xff\n1,2\n", "cannot be read .*not UTF-8.*input.encodingErrors: Replace"),
    "misplaced quotes": (b'"a"b,c\n1,2\n', "cannot be read .* correct the object, or input.csv"),
    "return within": (b"a\rb,c\n1,2\n", "cannot be read .* correct the object, or input.csv"),
    "one name twice": (b"a,b,a\n1,2,3\n", "names more than one column 'a'; rename .*header: false"),
    "two names twice": (b"a,b,a,b\n1,2,3,4\n", "names more than one column 'a' and 'b'"),
    "no name twice": (b",\n1,2\n", "names more than one column ''"),
    "blank": (b"\r\n1,2\n", "is missing: .*put the columns' names there, or set input.csv.header: false"),
}


@pytest.mark.parametrize("cuts", [[], [4]], ids=["whole", "cut"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
@pytest.mark.parametrize(("data", "message"), HEADERS.values(), ids=HEADERS)
def test_a_header_that_is_none_is_named(data: bytes, message: str, name: str, cuts: list[int]) -> None:
    if name.endswith(".gz"):
        data, cuts = gzip.compress(data), []
    with pytest.raises(InputError, match=f"memory://inputs/{name}: the header {message}"):
        read(data, "CSV", name=name, cuts=cuts)


def test_each_shard_of_an_object_finds_out_that_its_header_is_none() -> None:
    data = b"a,a\n1,2\n3,4\n"
    plan = TaskRun(plan_changes={"input_format": "CSV"}).plan
    STORE.put("a", data)
    last = Piece(uri=STORE.uri_of("a"), start=8, end=len(data), object_bytes=len(data))
    with pytest.raises(InputError, match="the header names more than one column 'a'"):
        list(read_records(plan, STORE, "a", last))


@pytest.mark.parametrize(("data", "message"), HEADERS.values(), ids=HEADERS)
def test_a_header_of_rows_with_newlines_is_held_to_the_same(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=f"memory://inputs/a: the header {message}"):
        read(data.replace(b"a\rb", b'"a'), "CSV", csv_multiline=True)


@pytest.mark.parametrize("multiline", [False, True], ids=["lines", "multiline"])
@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\n", b"a,b\n", b",a\n"])
def test_a_header_without_rows_may_be_blank(data: bytes, *, multiline: bool) -> None:
    assert read(data, "CSV", csv_multiline=multiline) == []


def test_a_header_with_bad_bytes_is_replaced_where_the_job_says_so() -> None:
    plan = TaskRun(plan_changes={"input_format": "CSV", "encoding_errors": "Replace"}).plan
    STORE.put("a", b"a\xff\n1\n")
    piece = Piece(uri=STORE.uri_of("a"), start=0, end=5, object_bytes=5)
    assert [block.values for block in read_records(plan, STORE, "a", piece)] == [[{"a\ufffd": "1"}]]


@pytest.mark.parametrize("ending", COMPRESSED)
def test_compressed_objects_of_any_members_are_read(ending: str) -> None:
    lines = [b"line %d\n" % number for number in range(3000)]
    members = [COMPRESSED[ending](b"".join(part)) for part in (lines[:1000], lines[1000:2999], lines[2999:])]
    found = read(b"".join(members), "Text", name=f"a{ending}")
    assert [value for _, value in found] == [line.decode().rstrip() for line in lines]
    table = COMPRESSED[ending](b"a,b\n1,2\n")
    assert read(table, "CSV", name=f"t{ending}") == [(4, {"a": "1", "b": "2"})]


@pytest.mark.parametrize("ending", COMPRESSED)
@pytest.mark.parametrize("broken", ["cut short", "plain"])
def test_broken_compressed_objects_are_named(ending: str, broken: str) -> None:
    data = b"plain text" if broken == "plain" else COMPRESSED[ending](bytes(range(256)) * 400)[:-9]
    with pytest.raises(InputError, match=f"memory://inputs/a{ending}: "):
        read(data, "Text", name=f"a{ending}")


@pytest.mark.parametrize("data", [b"", b"any\nbytes\x00"])
def test_a_whole_object_is_one_record(data: bytes) -> None:
    assert read(data, "WholeObject") == [("memory://inputs/a", data)]
    assert read(gzip.compress(data), "WholeObject", name="a.gz") == [("memory://inputs/a.gz", data)]
    assert read(data, "WholeObject", arrow=True) == [{"key": "memory://inputs/a", "value": data}]


@pytest.mark.parametrize(
    ("input_format", "options", "whole"),
    [("Text", {}, False), ("CSV", {}, False), ("CSV", {"csv_multiline": True}, True), ("WholeObject", {}, True)],
)
def test_some_formats_want_whole_objects(input_format: str, options: dict[str, Any], *, whole: bool) -> None:
    assert reads_whole_objects(input_format, InputOptions(**options)) is whole


CHANGED: dict[str, tuple[str, dict[str, Any], bytes, str]] = {
    "text": ("Text", {}, b"a\nb\n", "a"),
    "json": ("JSONLines", {}, b'{"a":1}\n', "a"),
    "csv": ("CSV", {}, b"a\n1\n", "a"),
    "csv without a header": ("CSV", {"csv_header": False}, b"1\n2\n", "a"),
    "csv, multiline": ("CSV", {"csv_multiline": True}, b"a\n1\n", "a"),
    "fixed length": ("FixedLength", {"record_length": 1}, b"ab", "a"),
    "a whole object": ("WholeObject", {}, b"ab", "a"),
    "an empty whole object": ("WholeObject", {}, b"", "a"),
    "an empty whole object, compressed": ("WholeObject", {}, b"", "a.gz"),
    "compressed": ("Text", {}, gzip.compress(b"a"), "a.gz"),
    "pairs": ("Pairs", {}, write_pairs([("a", 1)]), "a"),
}


@pytest.mark.parametrize("root", ["memory", "directory"])
@pytest.mark.parametrize("case", CHANGED.values(), ids=CHANGED)
def test_an_object_that_changed_after_planning_is_refused_by_every_reader(
    case: tuple[str, dict[str, Any], bytes, str], root: str, tmp_path: Path
) -> None:
    input_format, options, data, name = case
    store = open_store("memory://changed/" if root == "memory" else tmp_path.as_uri() + "/")
    changes = {"input_format": input_format, "input_options": InputOptions(**options)}
    plan = TaskRun(plan_changes=changes).plan
    store.put(name, data)
    piece = Piece(uri=store.uri_of(name), start=0, end=len(data), object_bytes=len(data), etag=store.head(name).etag)
    assert sum(len(block.values) for block in read_records(plan, store, name, piece)) > 0
    store.put(name, data + b"more")
    with pytest.raises(InputError, match=f"{name}: the object changed after planning"):
        [block.values for block in read_records(plan, store, name, piece)]
