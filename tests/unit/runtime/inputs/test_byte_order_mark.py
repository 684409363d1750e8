"""A byte order mark at an object's start: no part of its first record, whose key is 0; anywhere else it is text."""

import gzip
import itertools
from typing import Any

import pytest

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputColumn, InputOptions, Piece
from podreduce.inputs import read_records
from podreduce.storage import open_store
from tests.support.reading import records_of, salvage
from tests.support.task_runs import TaskRun

STORE = open_store("memory://marks/")
MARK = b"\xef\xbb\xbf"
IDS = (InputColumn(name="id", type="int64"),)
CASES: dict[str, tuple[bytes, str, dict[str, Any], list[Any]]] = {
    "Text": (b"one\r\ntwo\n", "Text", {}, [(0, "one"), (8, "two")]),
    "Text, a line": (b"one", "Text", {}, [(0, "one")]),
    "Text, an empty line": (b"\n", "Text", {}, [(0, "")]),
    "Text, nothing": (b"", "Text", {}, []),
    "JSONLines": (b'{"id":1}\n{"id":2}\n', "JSONLines", {"schema": IDS}, [(0, {"id": 1}), (12, {"id": 2})]),
    "JSONLines, a blank line first": (b'\n{"id":2}\n', "JSONLines", {"schema": IDS}, [(4, {"id": 2})]),
    "JSONLines, nothing": (b"", "JSONLines", {}, []),
    "CSV": (b'"id",b\n1,2\n', "CSV", {}, [(10, {"id": "1", "b": "2"})]),
    "CSV, a header alone": (b"id", "CSV", {}, []),
    "CSV, no header": (b'"id",b\n1,2\n', "CSV", {"csv_header": False}, [(0, ["id", "b"]), (10, ["1", "2"])]),
    "CSV, a blank line first": (b"\r\n1,2\n", "CSV", {"csv_header": False}, [(5, ["1", "2"])]),
    "CSV, multiline": (b'"id",b\n1,"\n"\n', "CSV", {"csv_multiline": True}, [(0, {"id": "1", "b": "\n"})]),
}


def read(data: bytes, input_format: str, options: dict[str, Any], *, name: str = "a", whole: bool = False) -> list[Any]:
    """The records, in pieces cut at each byte of the mark and after the first one; as columns they must be the same."""
    changes = {"input_format": input_format, "input_options": InputOptions(**options)}
    plan = TaskRun(plan_changes=changes).plan
    STORE.put(name, data)
    found: list[Any] = []
    cuts = [] if whole else [cut for cut in (1, 2, 3, 4) if cut < len(data)]
    for start, end in itertools.pairwise([0, *cuts, len(data)]):
        piece = Piece(uri=STORE.uri_of(name), start=start, end=end, object_bytes=len(data))
        for block in read_records(plan, STORE, name, piece, block_bytes=1):
            records = list(zip(block.keys(), block.values, strict=True))
            rows = block.to_arrow().to_pylist()
            as_rows = [{"key": key, "value": value} for key, value in records]
            fields = [
                dict(zip("01", value, strict=False)) if isinstance(value, list) else value for _, value in records
            ]
            assert rows in (as_rows, fields)
            assert records_of(salvage(block).block, as_columns=False) == records
            found += records
    return found


@pytest.mark.parametrize(("data", "input_format", "options", "expected"), CASES.values(), ids=CASES)
def test_it_is_no_part_of_the_first_record(
    data: bytes, input_format: str, options: dict[str, Any], expected: list[Any]
) -> None:
    whole = bool(options.get("csv_multiline"))
    assert read(MARK + data, input_format, options, whole=whole) == expected
    assert read(gzip.compress(MARK + data), input_format, options, name="a.gz", whole=True) == expected


def test_elsewhere_it_is_text() -> None:
    assert read(b"a\n\xef\xbb\xbfb\n", "Text", {}) == [(0, "a"), (2, "\ufeffb")]
    assert read(MARK + MARK + b"b", "Text", {}) == [(0, "\ufeffb")]
    no_header = {"csv_header": False}
    assert read(b"a\n\xef\xbb\xbfb\n", "CSV", no_header) == [(0, ["a"]), (2, ["\ufeffb"])]


@pytest.mark.parametrize(
    ("data", "input_format", "message"),
    [
        (b"ab\xff\n", "Text", "byte 5 is not UTF-8"),
        (b'{"a":1}\n{"b\n', "JSONLines", "the line at byte 11 is not JSON"),
        (b"a,b\n1,2\n3\n", "CSV", "the row at byte 11 cannot be read"),
    ],
)
def test_places_in_messages_count_it(data: bytes, input_format: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(MARK + data, input_format, {}, whole=True)
