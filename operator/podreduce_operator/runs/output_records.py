"""Reads a published output back as Python values: for results in Python, comparisons, and the conditions of loops.

Rule: only reads. One part at a time is in memory.
"""

import json
import re
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from podreduce.contract.layout import FORMAT_ENDINGS
from podreduce.inputs import decode_pairs
from podreduce.inputs.compression import decompressor_of, is_compressed
from podreduce.storage import ObjectStore

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["iter_records", "read_table"]

PART = "part-"
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
ESCAPES = {"t": "\t", "r": "\r", "n": "\n", "\\": "\\"}
PARQUET, TEXT, JSON_LINES, PAIRS = (FORMAT_ENDINGS[name] for name in ("Parquet", "Text", "JSONLines", "Pairs"))


def iter_records(output: ObjectStore) -> Iterator[Any]:
    """Yield the records of an output: (key, value), or a dict for a row of other columns.

    Raises:
        ValueError: its format is not read back.
    """
    for name, data in iter_parts(output):
        if PAIRS in name:
            yield from decode_pairs(data, output.uri_of(name))
        elif PARQUET in name:
            yield from map(as_pair, read_parquet(data).to_pylist())
        elif TEXT in name:
            yield from (split_line(line) for line in data.decode().split("\n")[:-1])
        elif JSON_LINES in name:
            yield from (as_pair(json.loads(line)) for line in data.decode().split("\n")[:-1])
        else:
            raise ValueError(f"{output.uri_of(name)}: only Pairs, Text, JSONLines and Parquet are read back")


def read_table(output: ObjectStore) -> "pa.Table":
    """Return an output as one table."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    parquet = [read_parquet(data) for name, data in iter_parts(output) if PARQUET in name]
    if parquet:
        return pa.concat_tables(parquet, promote_options="permissive")
    records = list(iter_records(output))
    if all(isinstance(record, tuple) for record in records):
        keys, values = zip(*records, strict=True) if records else ((), ())
        return pa.table({"key": list(keys), "value": list(values)})
    return pa.Table.from_pylist(records)


def iter_parts(output: ObjectStore) -> Iterator[tuple[str, bytes]]:
    """Yield the parts' names and bytes, decompressed, in the order of their numbers."""
    for name in sorted(found.key for found in output.list(PART)):
        data = output.get(name)
        if is_compressed(name):
            data = b"".join(decompressor_of(name)(iter([data]), name))
        yield name, data


def read_parquet(data: bytes) -> "pa.Table":
    """Return the table of a part."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    return pq.read_table(BytesIO(data))


def as_pair(row: dict[str, Any]) -> Any:  # noqa: ANN401 - a pair or a row
    """Return a row as a pair if it has the columns of one."""
    return (row["key"], row["value"]) if set(row) == {"key", "value"} else row


def split_line(line: str) -> tuple[str, str]:
    """Return the key and the value of a line of Text."""
    key, _, value = line.partition("\t")
    return unescape(key), unescape(value)


def unescape(text: str) -> str:
    """Return a field of Text without its escapes."""
    return ESCAPED.sub(lambda found: ESCAPES[found[1]], text)
