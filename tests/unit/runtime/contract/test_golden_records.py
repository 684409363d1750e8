"""What earlier releases left in the store is read, and says the same: a newer operator finds their runs under way."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

import podreduce.contract
from podreduce.contract.wire import SCHEMA_VERSION, NewerRecordError, Wire, decode, encode
from tests.support.golden_records import GOLDEN, RECORDS, fill

FILES = sorted(GOLDEN.glob("*/*.json"))


def says_all_of(later: Any, earlier: Any) -> bool:
    """Whether `later` says what `earlier` does; it may say more."""
    if isinstance(earlier, dict):
        return isinstance(later, dict) and all(
            name in later and says_all_of(later[name], value) for name, value in earlier.items()
        )
    if isinstance(earlier, list):
        return isinstance(later, list) and len(later) == len(earlier) and all(map(says_all_of, later, earlier))
    return bool(later == earlier)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_record_of_an_earlier_release_is_read_with_all_that_it_says(file: Path) -> None:
    data = file.read_bytes()
    record = decode(data, RECORDS[file.stem])
    assert says_all_of(json.loads(encode(record)), json.loads(data))


def test_records_are_of_the_first_schema() -> None:
    schemas = {file: json.loads(file.read_bytes()).get("schema", 1) for file in FILES}
    assert set(schemas.values()) == {1}
    told = {name: msgspec.structs.fields(kind) for name, kind in RECORDS.items()}
    written = {field.default for fields in told.values() for field in fields if field.name == "schema"}
    assert written == {1}, "another schema: what reads a record must know which it is, and both must be tested"


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_what_a_later_release_adds_to_a_record_is_ignored(file: Path) -> None:
    data = file.read_bytes()
    newer = json.dumps({**json.loads(data), "added": {"later": [1]}}).encode()
    assert decode(newer, RECORDS[file.stem]) == decode(data, RECORDS[file.stem])


@pytest.mark.parametrize("kept", [True, False], ids=["same fields", "other fields"])
@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_record_of_a_later_schema_is_refused_as_such(file: Path, *, kept: bool) -> None:
    record = json.loads(file.read_bytes())
    if "schema" not in record:
        pytest.skip("has no schema: it only ever gains fields")
    later = {**(record if kept else {}), "schema": SCHEMA_VERSION + 1}
    with pytest.raises(NewerRecordError, match=f"schema {SCHEMA_VERSION + 1}"):
        decode(json.dumps(later).encode(), RECORDS[file.stem])


def test_the_newest_release_has_left_a_record_of_each_kind() -> None:
    newest = max(GOLDEN.iterdir(), key=lambda folder: tuple(map(int, folder.name.split("."))))
    assert {file.stem for file in newest.iterdir()} == set(RECORDS), "python -m tests.support.golden_records <release>"


def test_every_kind_of_record_with_a_schema_has_its_golden_one() -> None:
    kinds: set[type] = set()
    waiting: list[type] = [Wire]
    while waiting:
        found = waiting.pop().__subclasses__()
        kinds.update(found)
        waiting.extend(found)
    versioned = {
        kind
        for kind in kinds
        if kind.__module__.startswith(podreduce.contract.__name__)
        and any((field.name, field.type) == ("schema", int) for field in msgspec.structs.fields(kind))
    }
    assert len(versioned) >= 8
    assert versioned <= set(RECORDS.values())


@pytest.mark.parametrize("name", RECORDS)
def test_nothing_in_a_record_is_lost_on_its_way(name: str) -> None:
    kind = RECORDS[name]
    told = fill(inspect.type_info(kind))
    assert json.loads(encode(msgspec.convert(told, kind, strict=False))) == told
