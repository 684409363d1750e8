"""Blocks with records that cannot be decoded: these are named, the others are read as if they were not there."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.errors import InputError
from podreduce.contract.plan import InputOptions, Piece
from podreduce.inputs import RecordBlock, read_records
from podreduce.storage import open_store
from tests.support.task_runs import TaskRun

STORE = open_store("memory://salvage/")

CASES: dict[str, tuple[str, bytes, dict[str, Any], list[Any], list[Any]]] = {
    "text": (
        "Text",
        b"one\ntw\xffo\r\nthree\r\n\xfe",
        {},
        [(0, "one"), (10, "three")],
        [(4, b"tw\xffo\r"), (17, b"\xfe")],
    ),
    "json": (
        "JSONLines",
        b'{"a": 1}\n{"a":\n\n  \n"\xff"\n{"a": 2}',
        {},
        [(0, {"a": 1}), (23, {"a": 2})],
        [(9, b'{"a":'), (19, b'"\xff"')],
    ),
    "csv": (
        "CSV",
        b'a,b\n1,2\n3\n"4,5\n\n6,\xff\n7,8\n',
        {},
        [(4, {"a": "1", "b": "2"}), (20, {"a": "7", "b": "8"})],
        [(8, b"3"), (10, b'"4,5'), (16, b"6,\xff")],
    ),
    "csv without header": ("CSV", b'1,2\n"3\n', {"csv_header": False}, [(0, ["1", "2"])], [(4, b'"3')]),
    "multiline csv": (
        "CSV",
        b'a,b\n"1\n2",3\n\n4\n"x"y,5\n\xff,6\n7,8\n"9\n10,11\n',
        {"csv_multiline": True},
        [(0, {"a": "1\n2", "b": "3"}), (4, {"a": "7", "b": "8"})],
        [(1, b"4\n"), (2, b'"x"y,5\n'), (3, b"\xff,6\n"), (5, b'"9\n10,11\n')],
    ),
}


def read_blocks(data: bytes, input_format: str, **options: Any) -> Iterator[RecordBlock]:
    """The blocks of an object; its last line is one of its own where it is not ended."""
    plan = TaskRun(plan_changes={"input_format": input_format, "input_options": InputOptions(**options)}).plan
    STORE.put("a", data)
    piece = Piece(uri=STORE.uri_of("a"), start=0, end=len(data), object_bytes=len(data))
    return read_records(plan, STORE, "a", piece)


def salvage(
    data: bytes, input_format: str, *, arrow: bool = False, **options: Any
) -> tuple[list[Any], list[tuple[int, bytes]]]:
    """The good records, as rows of batches if so wished, and the bad ones."""
    good: list[Any] = []
    bad: list[tuple[int, bytes]] = []
    for block in read_blocks(data, input_format, **options):
        assert block.salvage
        salvaged = block.salvage(arrow)
        sound = salvaged.block
        good += sound.to_arrow().to_pylist() if arrow else zip(sound.keys(), sound.values, strict=True)
        bad += [(each.key, each.data) for each in salvaged.bad]
        assert all(str(each.error).startswith("memory://salvage/a: ") for each in salvaged.bad)
        assert (sound.stored_bytes, sound.key_unit) == (block.stored_bytes, block.key_unit)
    return good, bad


@pytest.mark.parametrize(("input_format", "data", "options", "good", "bad"), CASES.values(), ids=CASES)
def test_the_good_records_are_read_and_the_bad_ones_named(
    input_format: str, data: bytes, options: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    assert salvage(data, input_format, **options) == (good, bad)


@pytest.mark.parametrize(("input_format", "data", "options", "good", "bad"), CASES.values(), ids=CASES)
def test_columns_are_made_of_the_good_records(
    input_format: str, data: bytes, options: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    rows, named = salvage(data, input_format, arrow=True, **options)
    assert named == bad
    if input_format == "Text":
        assert [(row["key"], row["value"]) for row in rows] == good
    else:
        fields = [value if isinstance(value, list) else list(value.values()) for _, value in good]
        assert [list(row.values()) for row in rows] == fields


@pytest.mark.parametrize(("input_format", "data", "options", "good", "bad"), CASES.values(), ids=CASES)
def test_what_fails_a_job_that_skips_nothing_is_one_of_the_bad_records(
    input_format: str, data: bytes, options: dict[str, Any], good: list[Any], bad: list[Any]
) -> None:
    assert len(good) + len(bad) > 1
    block = next(read_blocks(data, input_format, **options))
    assert block.salvage
    with pytest.raises(InputError) as raised:
        assert block.values
    as_columns = False
    assert str(raised.value) in [str(each.error) for each in block.salvage(as_columns).bad]


def test_for_columns_a_line_of_json_that_is_no_object_is_bad() -> None:
    data = b'{"a": 1}\n[2]\n{"a": 3}\n'
    assert salvage(data, "JSONLines", arrow=True) == ([{"a": 1}, {"a": 3}], [(9, b"[2]")])
    assert salvage(data, "JSONLines") == ([(0, {"a": 1}), (9, [2]), (13, {"a": 3})], [])


def test_json_nested_thousands_deep_is_a_bad_line_and_no_crash() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert salvage(deep + b"\n7\n", "JSONLines") == ([(200_001, 7)], [(0, deep)])


@pytest.mark.parametrize("data", [b"\xff,b\n1,2\n", b'"a"b\n1\n'], ids=["no UTF-8", "no row"])
def test_a_header_that_cannot_be_read_is_the_objects_fault(data: bytes) -> None:
    with pytest.raises(InputError, match="the header cannot be read"):
        salvage(data, "CSV", csv_multiline=True)


@pytest.mark.parametrize("input_format", ["FixedLength", "WholeObject"])
def test_bytes_that_are_taken_as_they_are_have_no_bad_records(input_format: str) -> None:
    options = {"record_length": 2} if input_format == "FixedLength" else {}
    assert [block.salvage for block in read_blocks(b"\xff\xfe", input_format, **options)] == [None]


LINE = st.one_of(st.just(b"\xff"), st.just(b"{"), st.integers(0, 99).map(lambda number: b"%d" % number))


@given(st.lists(LINE, min_size=1), st.booleans())
def test_good_and_bad_lines_together_are_all_lines(lines: list[bytes], ended: bool) -> None:
    good, bad = salvage(b"\n".join(lines) + b"\n" * ended, "JSONLines")
    found = {key: json.dumps(value).encode() for key, value in good} | dict(bad)
    assert [found[key] for key in sorted(found)] == lines
