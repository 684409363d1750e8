"""Writes all attempts of a run as one Parquet table, one row each, ordered by time, for duckdb, pandas and the like.

Rule: the columns are the task's type and index and then the fields of `contract.post_mortem.Attempt`, with the same
names. Call it in a thread: pyarrow takes a tenth of a second to import, and is imported only here.
"""

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec

from podreduce.contract.plan import JobIdentity
from podreduce.contract.post_mortem import Attempt
from podreduce.contract.task import TaskRef

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ROW_GROUP_ATTEMPTS", "write_attempts_table"]

ROW_GROUP_ATTEMPTS = 2500
"""Rows per row group. With 10,000 the writer needs 50 MB of memory, with 2,500 it needs 25 MB for the same file."""

REPEATED = ["task_type", "result", "reason", "why_deleted", "node", "phase"]
"""Columns with few different values. For columns that differ in each row, a dictionary would be a second copy."""


def write_attempts_table(job: JobIdentity, groups: Iterable[Sequence[Attempt]]) -> bytes:
    """Return the Parquet file, with one row group for each group. Its metadata name the job."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    identity = {f"podreduce.{name}": str(value) for name, value in msgspec.structs.asdict(job).items()}
    schema = table_schema().with_metadata(identity)
    sink = BytesIO()
    with pq.ParquetWriter(sink, schema, compression="zstd", use_dictionary=REPEATED) as writer:
        for rows in groups:
            columns = [pa.array(column(rows, field.name), field.type) for field in schema]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    pa.default_memory_pool().release_unused()
    return sink.getvalue()


def table_schema() -> "pa.Schema":
    """Return the table's columns."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    text, time, seconds = pa.string(), pa.timestamp("ms", tz="UTC"), pa.float64()
    return pa.schema(
        [
            ("task_type", text),
            ("task_index", pa.int32()),
            ("task", text),
            ("attempt", text),
            ("result", text),
            ("reason", text),
            ("message", text),
            ("exit_code", pa.int32()),
            ("counted", pa.bool_()),
            ("created_at", time),
            ("scheduled_at", time),
            ("started_at", time),
            ("finished_at", time),
            ("deleted_at", time),
            ("why_deleted", text),
            ("pending_seconds", seconds),
            ("starting_seconds", seconds),
            ("running_seconds", seconds),
            ("node", text),
            ("phase", text),
            ("generation", pa.int32()),
            ("ordinal", pa.int32()),
            ("attempt_id", text),
            ("cpu_requested", pa.float64()),
            ("memory_requested_bytes", pa.int64()),
            ("records_in", pa.int64()),
            ("bytes_in", pa.int64()),
            ("records_out", pa.int64()),
            ("bytes_out", pa.int64()),
            ("spills", pa.int64()),
            ("bad_records", pa.int64()),
        ]
    )


def column(attempts: Sequence[Attempt], name: str) -> list[Any]:
    """Return the values of one column. Empty text means unknown, and becomes null."""
    if name in {"task_type", "task_index"}:
        tasks = [TaskRef.parse(attempt.task) for attempt in attempts]
        return [task.type.value if name == "task_type" else task.index for task in tasks]
    values = [getattr(attempt, name) for attempt in attempts]
    return [None if value == "" else value for value in values]
