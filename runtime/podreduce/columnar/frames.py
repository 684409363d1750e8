"""Frames of columns: a sorted batch of one virtual bucket as an Arrow IPC stream. Rule: pure."""

from collections.abc import Iterable, Iterator
from typing import Final

import pyarrow as pa

from podreduce.columnar.columns import bisect_keys
from podreduce.encoding.frames import KIND_COLUMNS, StoredFrame, compress_body, plain_body
from podreduce.encoding.key_range import KeyRange

__all__ = ["FRAME_BYTES", "clip_columns", "pack_columns", "unpack_columns", "unpack_together"]

FRAME_BYTES: Final = 1 << 20
"""About what a frame holds; a merge has one frame of each run open."""


def pack_columns(bucket: int, table: pa.Table) -> StoredFrame:
    """Make a frame of a sorted table."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body = memoryview(sink.getvalue()).cast("B")
    return compress_body(bucket, body, groups=table.num_rows, rows=table.num_rows, kind=KIND_COLUMNS)  # type: ignore[arg-type] # a buffer is as good


def unpack_columns(stored: StoredFrame) -> pa.Table:
    """Return the table of a checked frame; it shares the frame's memory."""
    return pa.ipc.open_stream(pa.py_buffer(plain_body(stored))).read_all()


def unpack_together(frames: Iterable[StoredFrame]) -> Iterator[pa.Table]:
    """Yield the tables of checked frames in order, those of many small frames as one of about `FRAME_BYTES`."""
    tables: list[pa.Table] = []
    size_bytes = 0
    for stored in frames:
        table = unpack_columns(stored)
        if tables and (size_bytes + stored.raw_bytes > FRAME_BYTES or table.schema != tables[0].schema):
            yield pa.concat_tables(tables)
            tables, size_bytes = [], 0
        tables.append(table)
        size_bytes += stored.raw_bytes
    if tables:
        yield pa.concat_tables(tables)


def clip_columns(stored: StoredFrame, key_range: KeyRange) -> StoredFrame | None:
    """Return the rows whose keys are in the range, as a frame; None if there are none."""
    table = unpack_columns(stored)
    keys = table.column(0)
    start = bisect_keys(keys, key_range.low)
    end = len(keys) if key_range.high is None else bisect_keys(keys, key_range.high, start)
    if start >= end:
        return None
    return stored if end - start == len(keys) else pack_columns(stored.bucket, table.slice(start, end - start))
