"""What a job gave, in a form to compare: how it ended, and its records read back by json, csv and pyarrow."""

import base64
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.metamorphic.data import KEY_BYTES, RECORD_BYTES

__all__ = ["Outcome", "Record", "group_by_key", "is_ascending", "read_part", "render"]

Record = tuple[Any, ...]
"""A record as its output format has it, hashable; numbers that are equal are alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended.

    Attributes:
        error: the class of the error that failed it; `message` is what it says. Empty if it is complete.
        parts: the records of each part of the output.
        records_read: by the maps; `bad_records`: how many of them were skipped.
    """

    error: str = ""
    message: str = ""
    parts: tuple[tuple[Record, ...], ...] = ()
    records_read: int = 0
    bad_records: int = 0

    @property
    def records(self) -> list[Record]:
        """All records of the output, part by part."""
        return [record for part in self.parts for record in part]


def group_by_key(records: Iterable[Record], output: str) -> dict[Any, list[Record]]:
    """Return the records of each key, in their order."""
    groups: dict[Any, list[Record]] = {}
    for record in records:
        groups.setdefault(key_of(record, output), []).append(record)
    return groups


def key_of(record: Record, output: str) -> Any:
    """Return the key of a record of a reduce; of CSV its first field."""
    if output == "JSONLines":
        return dict(record[0][1:]).get("key")
    return record[0][:KEY_BYTES] if output == "FixedLength" else record[0]


def is_ascending(records: Sequence[Record], output: str) -> bool:
    """Tell whether the keys never decrease; of formats that keep what keys are."""
    if output not in ("JSONLines", "Parquet"):
        return True
    ranks = [rank(key_of(record, output)) for record in records]
    return all(one <= other for one, other in pairwise(ranks))


def rank(key: Any) -> tuple[int, Any]:
    """Return what sorts keys as podreduce promises: null, then numbers, then strs by code points, then tuples."""
    if key is None:
        return (0, 0)
    if isinstance(key, int | float):
        return (1, key)
    return (2, key) if isinstance(key, str) else (3, [rank(each) for each in key[1:] if each not in ("_1", "_2")])


def freeze(value: Any) -> Any:
    """Return a value that can be hashed and is equal where the other is; fields that are null are left out."""
    if isinstance(value, Mapping):
        return ("dict", *sorted((name, freeze(each)) for name, each in value.items() if each is not None))
    if isinstance(value, list | tuple):
        return ("list", *map(freeze, value))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if not isinstance(value, bool) else ("bool", value)


def read_part(data: bytes, output: str) -> Iterator[Record]:
    """Yield the records of a part."""
    if output == "Text":
        for line in data.decode().split("\n")[:-1]:
            yield tuple(line.split("\t"))
    elif output == "JSONLines":
        for line in data.decode().split("\n")[:-1]:
            yield (freeze(json.loads(line)),)
    elif output == "CSV":
        for row in csv.reader(io.StringIO(data.decode(), newline="")):
            yield tuple(row)
    elif output == "Parquet":
        for row in pq.read_table(pa.BufferReader(data)).to_pylist():
            yield (freeze(row["key"]), freeze(row["value"]))
    else:
        for start in range(0, len(data), RECORD_BYTES):
            yield (data[start : start + RECORD_BYTES],)


def render(key: Any, value: Any, output: str, *, as_row: bool = False) -> Record:
    """Return the record that a key and a value are, written by other means than podreduce's.

    With `as_row` the value alone is the record, as columns.
    """
    if as_row:
        columns = value if isinstance(value, Mapping) else {str(number): each for number, each in enumerate(value)}
        return (freeze(columns),)
    match output:
        case "Text":
            return (text_of(key), text_of(value))
        case "JSONLines":
            return (freeze({"key": plain(key), "value": plain(value)}),)
        case "CSV":
            return (*fields_of(key), *fields_of(value))
        case "Parquet":
            return (freeze(structs(key)), freeze(structs(value)))
    return (key + value,)


def plain(value: Any) -> Any:
    """Return what JSON has for a value."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def text_of(value: Any) -> str:
    """Return a field of Text."""
    if isinstance(value, str):
        escapes = {"\\": "\\\\", "\t": "\\t", "\r": "\\r", "\n": "\\n"}
        return "".join(escapes.get(each, each) for each in value)
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def fields_of(value: Any) -> Sequence[str]:
    """Return the fields of CSV that a key or value makes."""
    if isinstance(value, list | tuple):
        return [field for each in value for field in fields_of(each)]
    if value is None:
        return [""]
    return [value if isinstance(value, str) else plain(value) if isinstance(value, bytes) else json.dumps(value)]


def structs(value: Any) -> Any:
    """Return what Parquet has for a value: a tuple is a struct."""
    if isinstance(value, tuple):
        return {f"_{number}": structs(each) for number, each in enumerate(value, 1)}
    return [structs(each) for each in value] if isinstance(value, list) else value
