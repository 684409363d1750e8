"""Batches of rows as single values, for reduces that need the columns of all rows at once. Pure."""

from collections.abc import Iterable
from typing import cast

import pyarrow as pa

__all__ = ["pack", "unpack_all"]


def pack(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a batch as one record whose value holds all rows; no record if it has none."""
    if not batch.num_rows:
        return pa.record_batch({"key": pa.array([], pa.int64()), "value": pa.array([], pa.binary())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    value = cast("bytes", sink.getvalue().to_pybytes())
    return pa.record_batch({"key": pa.array([0], pa.int64()), "value": pa.array([value], pa.binary())})


def unpack_all(values: Iterable[bytes]) -> pa.Table:
    """Return the rows of all values. The columns lie where the values lie: nothing is copied."""
    return pa.concat_tables([pa.ipc.open_stream(value).read_all() for value in values])
