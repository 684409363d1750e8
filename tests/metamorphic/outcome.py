"""What a job gave, in a form to compare: how it ended, and its records read back by json, csv and pyarrow."""

import base64
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.metamorphic.data import KEY_BYTES, RECORD_BYTES
from tests.support.pairs_oracle import read_pairs

__all__ = ["Outcome", "Record", "group_by_key", "is_ascending", "keys_of", "read_part", "render"]

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
    if output not in ("JSONLines", "Parquet", "Pairs"):
        return True
    keys = [key_of(record, output) for record in records]
    ranks = [rank(untyped(key) if output == "Pairs" else key) for key in keys]
    return all(one <= other for one, other in pairwise(ranks))


def keys_of(records: Sequence[Record], output: str) -> Iterator[Any]:
    """Yield the keys of the records of a reduce as they were yielded, where the format tells."""
    if output == "Pairs":
        yield from (as_yielded(record[0]) for record in records)
    if output == "JSONLines":
        keys = (key_of(record, output) for record in records)
        yield from (key for key in keys if not isinstance(key, tuple))


def as_yielded(key: Any) -> Any:
    """Return what `typed` was given."""
    kind, *parts = key
    return tuple(map(as_yielded, parts)) if kind == "tuple" else parts[0]


def untyped(key: Any) -> Any:
    """Return what `typed` was given; a tuple as `freeze` returns it."""
    kind, *parts = key
    return ("list", *map(untyped, parts)) if kind in ("list", "tuple") else parts[0]


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
    return PART_READERS[output](data)


def lines_of(data: bytes) -> Sequence[str]:
    """Return the lines of a part."""
    return data.decode().split("\n")[:-1]


def slices_of(data: bytes) -> Iterator[Record]:
    """Yield the records of fixed length."""
    return ((data[start : start + RECORD_BYTES],) for start in range(0, len(data), RECORD_BYTES))


PART_READERS: dict[str, Callable[[bytes], Iterator[Record]]] = {
    "Text": lambda data: (tuple(line.split("\t")) for line in lines_of(data)),
    "JSONLines": lambda data: ((freeze(json.loads(line)),) for line in lines_of(data)),
    "CSV": lambda data: map(tuple, csv.reader(io.StringIO(data.decode(), newline=""))),
    "Parquet": lambda data: (
        (freeze(row["key"]), freeze(row["value"])) for row in pq.read_table(pa.BufferReader(data)).to_pylist()
    ),
    "FixedLength": slices_of,
    "Pairs": lambda data: ((typed(key), typed(value)) for key, value in read_pairs(data)),
}


def render(key: Any, value: Any, output: str, *, as_row: bool = False) -> Record:
    """Return the record that a key and a value are, written by other means than podreduce's.

    With `as_row` the value alone is the record, as columns.
    """
    if as_row:
        columns = value if isinstance(value, Mapping) else {str(number): each for number, each in enumerate(value)}
        return (freeze(columns),)
    return RENDERERS[output](key, value)


RENDERERS: dict[str, Callable[[Any, Any], Record]] = {
    "Text": lambda key, value: (text_of(key), text_of(value)),
    "JSONLines": lambda key, value: (freeze({"key": plain(key), "value": plain(value)}),),
    "CSV": lambda key, value: (*fields_of(key), *fields_of(value)),
    "Parquet": lambda key, value: (freeze(structs(key)), freeze(structs(value))),
    "FixedLength": lambda key, value: (key + value,),
    "Pairs": lambda key, value: (typed(key), typed(value)),
}


def typed(value: Any) -> Any:
    """Return a value that can be hashed and is equal only where the other has the same types."""
    kind = type(value).__name__
    return (kind, *map(typed, value)) if isinstance(value, list | tuple) else (kind, value)


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
