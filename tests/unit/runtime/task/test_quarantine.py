import itertools
import json
from typing import Any

import pytest

from podreduce.contract.errors import InputError, ProgramError, TooManyBadRecordsError
from podreduce.contract.task import QuarantineRef
from podreduce.storage import ObjectStore, open_store
from podreduce.task.quarantine import MAX_BYTES, MAX_LINES, NamedRecord, Quarantine
from tests.support.builders.tasks import map_task

NUMBERS = itertools.count()
KEY = "quarantine/m-3-pod-0.jsonl"


def make_record(value: Any = "a line", **fields: Any) -> NamedRecord:
    return NamedRecord(**{"uri": "s3://corpus/a.txt", "unit": "byte", "key": 17, "value": value, **fields})


@pytest.fixture
def store() -> ObjectStore:
    return open_store(f"memory://quarantine-{next(NUMBERS)}/")


def open_quarantine(store: ObjectStore, limit: int | None = None) -> Quarantine:
    return Quarantine(store, map_task(3), "pod-0", limit=limit)


def lines_of(store: ObjectStore) -> list[dict[str, Any]]:
    return [json.loads(line) for line in store.get(KEY).decode().splitlines()]


def keep(store: ObjectStore, record: NamedRecord, error: InputError | ProgramError | None = None) -> dict[str, Any]:
    """The one line of a quarantine that has taken this record."""
    quarantine = open_quarantine(store)
    quarantine.add(record, error or ProgramError("ValueError: boom"))
    quarantine.write()
    (line,) = lines_of(store)
    return line


def test_without_bad_records_nothing_is_written(store: ObjectStore) -> None:
    assert open_quarantine(store).write() is None
    assert list(store.list()) == []


def test_a_line_says_where_the_record_lies_what_it_is_and_why_it_is_bad(store: ObjectStore) -> None:
    assert keep(store, make_record(), ProgramError("ValueError: boom", user_traceback="File job.py, line 3")) == {
        "task": "m-3",
        "uri": "s3://corpus/a.txt",
        "unit": "byte",
        "key": 17,
        "text": "a line",
        "reason": "ProgramError",
        "error": "ValueError: boom",
        "traceback": "File job.py, line 3",
    }


def test_what_the_format_cannot_decode_has_its_bytes_and_no_traceback(store: ObjectStore) -> None:
    line = keep(store, make_record(b"a\xff"), InputError("s3://corpus/a.txt: byte 18 is not UTF-8"))
    assert (line["base64"], line["reason"]) == ("Yf8=", "InputError")
    assert not {"text", "traceback", "isCut"} & line.keys()


@pytest.mark.parametrize(
    ("value", "field", "shown", "is_cut"),
    [
        ("é" * 512, "text", "é" * 512, False),
        ("é" * 513, "text", "é" * 512, True),
        ("x" + "é" * 512, "text", "x" + "é" * 511, True),
        ("é" * 512 + "\ud800", "text", "é" * 512, True),
        ("\ud800", "text", "?", False),
        (b"x" * 1024, "text", "x" * 1024, False),
        (b"x" * 1023 + "é".encode(), "text", "x" * 1023, True),
        (b"x" * 1023 + b"\xc3", "base64", None, False),
        (b"\xff" * 2000, "base64", None, True),
        ({"price": 2.5, "day": None}, "text", "{'price': 2.5, 'day': None}", False),
        (["x" * 2000], "text", "['" + "x" * 1022, True),
    ],
    ids=[
        "1 KiB", "longer", "cut within a character", "cut before a surrogate", "surrogate", "bytes that are text",
        "bytes cut within a character", "bytes that end within a character", "long bytes", "a row", "a long row",
    ],
)  # fmt: skip
def test_a_record_is_shown_up_to_one_kibibyte(
    store: ObjectStore, value: Any, field: str, shown: str | None, is_cut: bool
) -> None:
    line = keep(store, make_record(value))
    assert shown is None or line[field] == shown
    assert len({"text", "base64"} & line.keys()) == 1
    assert field in line
    assert line.get("isCut", False) is is_cut


@pytest.mark.parametrize(
    ("unit", "key", "shown"),
    [("byte", 17, 17), ("key", b"\xff", "b'\\xff'"), ("key", "s3://corpus/a", "s3://corpus/a"), ("row", 2, 2)],
)
def test_the_place_is_named_as_in_failure_messages(store: ObjectStore, unit: str, key: Any, shown: Any) -> None:
    line = keep(store, make_record(unit=unit, key=key))
    assert (line["unit"], line["key"]) == (unit, shown)


def test_of_long_errors_and_tracebacks_the_telling_end_stays(store: ObjectStore) -> None:
    error = ProgramError("ValueError: " + "é" * 5000, user_traceback="File job.py\n" * 1000 + "ValueError: boom\n")
    line = keep(store, make_record(), error)
    assert line["error"].startswith("ValueError: éé")
    assert line["traceback"].endswith("File job.py\nValueError: boom\n")
    assert len(json.dumps(line, ensure_ascii=False).encode()) < 10_000


@pytest.mark.parametrize("records", [MAX_LINES - 1, MAX_LINES, MAX_LINES + 1])
def test_beyond_a_thousand_lines_bad_records_are_only_counted(store: ObjectStore, records: int) -> None:
    quarantine = open_quarantine(store)
    for number in range(records):
        quarantine.add(make_record(key=number), ProgramError("boom"))
    kept = min(records, MAX_LINES)
    assert quarantine.write() == QuarantineRef(key=KEY, records=records, kept=kept)
    assert [line["key"] for line in lines_of(store)] == list(range(kept))


def test_the_object_stays_small_whatever_the_records_are(store: ObjectStore) -> None:
    quarantine = open_quarantine(store)
    for number in range(2 * MAX_LINES):
        quarantine.add(make_record(b"\xff" * 5000, key=number), ProgramError("x" * 5000, user_traceback="y" * 9000))
    ref = quarantine.write()
    assert ref is not None
    assert (ref.records, ref.kept < MAX_LINES) == (2 * MAX_LINES, True)
    assert MAX_BYTES - 10_000 < store.head(KEY).size <= MAX_BYTES
    assert len(lines_of(store)) == ref.kept


@pytest.mark.parametrize("limit", [0, 1, 2])
def test_one_bad_record_more_than_allowed_fails_at_once_and_all_can_be_looked_at(
    store: ObjectStore, limit: int
) -> None:
    quarantine = open_quarantine(store, limit)
    for number in range(limit):
        quarantine.add(make_record(key=number), ProgramError("boom"))
    last = ProgramError("ValueError: the last", user_traceback="File job.py")
    with pytest.raises(
        TooManyBadRecordsError, match=rf"bad records \({limit + 1}\) than .* \({limit}\); the last: Value"
    ) as told:
        quarantine.add(make_record(key=limit), last)
    assert (told.value.bad_records, told.value.user_traceback) == (limit + 1, "File job.py")
    assert told.value.record == f"s3://corpus/a.txt at byte {limit}: 'a line'"
    assert [line["key"] for line in lines_of(store)] == list(range(limit + 1))
