"""Draws a job's input: records, and the objects that hold them, written by other means than podreduce's.

A record has a key `k` and a value `v`, of which each may be missing where the format allows it. What a row tier gets of
each record (its key and its value) is known here by construction, for the oracle.
"""

import csv
import gzip
import io
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.metamorphic.texts import draw_text
from tests.support import pairs_oracle

__all__ = ["FORMATS", "Input", "Shape", "draw_input"]

KEY_BYTES, RECORD_BYTES = 4, 8
BOM = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the records of a job are like.

    Attributes:
        format: of the input; with `header` and `multiline` for CSV.
        kind: what the values are: `int`, `float` or `str`; keys are `key_kind`, `str` or `int`.
        ragged: fields may be missing; `nulls`: or be null; `line_ends`: or hold what `str.splitlines` cuts at.
        bad: some records cannot be read; `bom`: the first object starts with a mark of byte order.
        empty: some objects have no byte.
    """

    format: str
    kind: str = "int"
    key_kind: str = "str"
    header: bool = True
    multiline: bool = False
    ragged: bool = False
    nulls: bool = False
    line_ends: bool = False
    bad: bool = False
    bom: bool = False
    empty: bool = False


@dataclass(slots=True, kw_only=True)
class Input:
    """Objects by name, what the spec says of them, and the records in them; `homes`: the object of each record."""

    shape: Shape
    objects: dict[str, bytes] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    records: list[tuple[Any, Any]] = field(default_factory=list)
    homes: list[str] = field(default_factory=list)
    bad_records: int = 0


Writer = Callable[[random.Random, Shape, Input, str], bytes]
"""(chance, shape, input, name) → an object's bytes, its records having been put into the input."""


def draw_input(chance: random.Random, shape: Shape) -> Input:
    """Draw the objects of a job."""
    drawn = Input(shape=shape, spec=spec_of(shape))
    for number in range(chance.choice((1, 1, 2, 3, 5))):
        name = f"{number}.data"
        if shape.empty and chance.random() < 0.4 and shape.format != "Parquet":
            data = b""
            if shape.format == "WholeObject":
                drawn.records.append((name, data))
        else:
            data = FORMATS[shape.format](chance, shape, drawn, name)
        drawn.objects[name] = data
        may_compress = shape.format not in ("Parquet", "WholeObject") and data
        if may_compress and chance.random() < 0.15:
            drawn.objects[f"{name}.gz"] = gzip.compress(drawn.objects.pop(name), mtime=0)
            name += ".gz"
        drawn.homes += [name] * (len(drawn.records) - len(drawn.homes))
    return drawn


def spec_of(shape: Shape) -> dict[str, Any]:
    """Return the fields of `spec.input`."""
    spec: dict[str, Any] = {"format": shape.format}
    if shape.format == "CSV":
        spec["csv"] = {"header": shape.header, "multiline": shape.multiline}
    if shape.format == "FixedLength":
        spec |= {"recordLength": RECORD_BYTES, "keyLength": KEY_BYTES}
    return spec


def draw_rows(chance: random.Random, shape: Shape) -> Iterator[tuple[Any, Any]]:
    """Draw keys and values; mostly few keys, so that they meet."""
    banned = "|" if shape.format in ("Text", "WholeObject") else ""
    pool = [draw_key(chance, shape, banned) for _ in range(chance.choice((1, 3, 12, 60)))]
    for _ in range(chance.choice((0, 1, 2, 7, 25, 60, 120))):
        key = None if shape.nulls and chance.random() < 0.1 else chance.choice(pool)
        value = None if shape.nulls and chance.random() < 0.25 else draw_value(chance, shape, banned)
        yield key, value


def draw_key(chance: random.Random, shape: Shape, banned: str) -> Any:
    """Draw a key."""
    return (
        chance.randint(-3, 30)
        if shape.key_kind == "int"
        else draw_text(chance, line_ends=shape.line_ends, banned=banned)
    )


def draw_value(chance: random.Random, shape: Shape, banned: str) -> Any:
    """Draw a value: floats are such that any order of adding them gives the same."""
    if shape.kind == "int":
        return chance.choice((0, 1, 1, 2, 7, -5, 1000, chance.randint(-(2**40), 2**40)))
    if shape.kind == "float":
        return chance.randint(-4000, 4000) / 4 + 0.25
    return draw_text(chance, line_ends=shape.line_ends, banned=banned)


def write_lines(chance: random.Random, shape: Shape, drawn: Input, lines: Iterable[tuple[bytes, Any]]) -> bytes:
    """Return lines one after the other, some with CRLF; each comes with its value, None where it is no record.

    The records' keys are the bytes before them.
    """
    data, end = bytearray(), chance.choice((b"\n", b"\n", b"\r\n"))
    if shape.bom and not drawn.objects:
        data += BOM.encode()
    last, heading = b"", shape.header
    for line, value in lines:
        if shape.bad and not heading and chance.random() < 0.04:
            data += BAD_LINES[shape.format] + end
            drawn.bad_records += 1
        if value is not None:
            drawn.records.append((len(data), value))
        data += line + end
        last, heading = line, False
    if chance.random() < 0.4 and last:  # a blank line is one by its end alone
        del data[-len(end) :]
    return bytes(data)


BAD_LINES = {"Text": b"bad \xff\xfe", "JSONLines": b'{"k": ', "CSV": b'a,1,"x'}


def write_text(chance: random.Random, shape: Shape, drawn: Input, name: str) -> bytes:
    """Write lines `k|v`, or `k` alone."""
    del name
    rows = (
        key if shape.ragged and chance.random() < 0.2 else f"{key}|{value}" for key, value in draw_rows(chance, shape)
    )
    return write_lines(chance, shape, drawn, ((row.encode(), row) for row in rows))


def write_json(chance: random.Random, shape: Shape, drawn: Input, name: str) -> bytes:
    """Write lines of objects, some without one field or any, some with one more, and blank ones."""
    del name

    def lines() -> Iterator[tuple[bytes, Any]]:
        for key, value in draw_rows(chance, shape):
            row = {"k": key, "v": value}
            if shape.ragged:
                row = {each: row[each] for each in row if chance.random() < 0.8}
                row |= {"x": "more"} if chance.random() < 0.1 else {}
                if chance.random() < 0.1:
                    yield b" ", None
            yield json.dumps(row, ensure_ascii=chance.random() < 0.5).encode(), row

    return write_lines(chance, shape, drawn, lines())


def write_csv(chance: random.Random, shape: Shape, drawn: Input, name: str) -> bytes:
    """Write rows, of strings; without a header some are shorter or longer."""
    del name

    def lines() -> Iterator[tuple[bytes, Any]]:
        if shape.header:
            yield b"k,v", None
        for key, value in draw_rows(chance, shape):
            row = [key, str(value)]
            if shape.ragged and not shape.header:
                row = row[:1] if chance.random() < 0.2 else [*row, "more"] if chance.random() < 0.2 else row
            if row == [""]:
                row = ["a"]  # which would be a blank line
            yield csv_line(chance, shape, row), dict(zip("kv", row, strict=True)) if shape.header else row
            if shape.ragged and chance.random() < 0.1:
                yield b"", None

    first = len(drawn.records)
    data = write_lines(chance, shape, drawn, lines())
    if shape.multiline:
        drawn.records[first:] = [(number, value) for number, (_, value) in enumerate(drawn.records[first:])]
    return data


def csv_line(chance: random.Random, shape: Shape, row: list[str]) -> bytes:
    """Return a row as a line; where rows may have several, some fields get a newline."""
    if shape.multiline and chance.random() < 0.2:
        row[0] += "\nnext"
    buffer = io.StringIO()
    quoting = csv.QUOTE_ALL if chance.random() < 0.3 else csv.QUOTE_MINIMAL
    csv.writer(buffer, lineterminator="\r\n", quoting=quoting).writerow(row)
    return buffer.getvalue().removesuffix("\r\n").encode()


def write_parquet(chance: random.Random, shape: Shape, drawn: Input, name: str) -> bytes:
    """Write a table in row groups of some rows."""
    del name
    rows = list(draw_rows(chance, shape))
    drawn.records += [(number, {"k": key, "v": value}) for number, (key, value) in enumerate(rows)]
    types = {"int": pa.int64(), "float": pa.float64(), "str": pa.string()}
    table = pa.table(
        {
            "k": pa.array([key for key, _ in rows], types[shape.key_kind]),
            "v": pa.array([value for _, value in rows], types[shape.kind]),
        }
    )
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=chance.choice((1, 3, 10, 1000)))
    data: bytes = sink.getvalue().to_pybytes()
    return data


def write_fixed(chance: random.Random, shape: Shape, drawn: Input, name: str) -> bytes:
    """Write records of fixed length, keys of few bytes so that they meet."""
    del name, shape
    records = []
    for _ in range(chance.choice((0, 1, 2, 7, 25, 120))):
        key = bytes(chance.choices(b"\0\xffab\n", k=1)) * KEY_BYTES
        records.append((key, chance.randbytes(RECORD_BYTES - KEY_BYTES)))
    drawn.records += records
    return b"".join(key + value for key, value in records)


def write_whole(chance: random.Random, shape: Shape, drawn: Input, name: str) -> bytes:
    """Write an object that is a record."""
    data = draw_text(chance, line_ends=shape.line_ends).encode()
    drawn.records.append((name, data))
    return data


def write_pairs(chance: random.Random, shape: Shape, drawn: Input, name: str) -> bytes:
    """Write keys and values in frames of some, a few frames with a byte changed."""
    del name
    rows = list(draw_rows(chance, shape))
    data, size = bytearray(), chance.choice((1, 2, 5, 1000))
    for start in range(0, len(rows), size):
        frame = bytearray(pairs_oracle.write_pairs(rows[start : start + size]))
        if shape.bad and chance.random() < 0.1:
            frame[-1] ^= 1
            drawn.bad_records += 1
        else:
            drawn.records += rows[start : start + size]
        data += frame
    return bytes(data)


FORMATS: dict[str, Writer] = {
    "Text": write_text,
    "JSONLines": write_json,
    "CSV": write_csv,
    "Parquet": write_parquet,
    "FixedLength": write_fixed,
    "WholeObject": write_whole,
    "Pairs": write_pairs,
}
