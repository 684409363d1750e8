"""Frames of columns: a sorted batch of one virtual bucket as an Arrow IPC stream. Rule: pure."""

from typing import Final

import pyarrow as pa

from podreduce.columnar.columns import bisect_keys
from podreduce.encoding.frames import KIND_COLUMNS, StoredFrame, compress_body, plain_body
from podreduce.encoding.key_range import KeyRange

__all__ = ["FRAME_BYTES", "clip_columns", "pack_columns", "unpack_columns"]

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


def clip_columns(stored: StoredFrame, key_range: KeyRange) -> StoredFrame | None:
    """Return the rows whose keys are in the range, as a frame; None if there are none."""
    table = unpack_columns(stored)
    keys = table.column(0)
    start = bisect_keys(keys, key_range.low)
    end = len(keys) if key_range.high is None else bisect_keys(keys, key_range.high, start)
    if start >= end:
        return None
    return stored if end - start == len(keys) else pack_columns(stored.bucket, table.slice(start, end - start))
