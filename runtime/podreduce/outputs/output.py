"""Writes records into a staged part, streamed: digest, records and bytes are known at its end.

`PartWriter` is what a task uses. Behind it a body makes bytes of records (`LineBody` for Text, JSONLines, CSV and
FixedLength, `ParquetBody`), and a `PartStream` compresses, hashes and uploads them.
"""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from podreduce.contract.errors import InternalError
from podreduce.contract.layout import part_name, staged_part_key
from podreduce.contract.plan import Plan
from podreduce.contract.task import PartRef, TaskRef
from podreduce.outputs.line_formats import LINE_FORMATS
from podreduce.outputs.line_output import LineBody
from podreduce.outputs.parquet_output import ParquetBody
from podreduce.outputs.part_stream import PartStream
from podreduce.storage import ObjectStore, StagedUpload

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PartWriter", "open_part"]


def open_part(store: ObjectStore, plan: Plan, task: TaskRef, attempt_id: str) -> "PartWriter":
    """Open an attempt's output part as the plan wants it."""
    key = staged_part_key(plan.job.uid, plan.job.run_id, task, attempt_id)
    name = part_name(task, plan.output_format, plan.output_compression)
    return PartWriter(
        StagedUpload(store, key, name),
        plan.output_format,
        compression=plan.output_compression,
        columns=plan.output_columns,
        record_length=plan.output_record_length,
    )


class PartWriter:
    """An unpublished output part; use it in a `with`, whose normal end has all of it in the store.

    Args:
        compression: `spec.output.compression`; `columns` and `record_length` likewise, for the formats that have them.

    Attributes:
        write: (key, value) writes one record. Raises ProgramError if it has no form in the output format.
        write_all: writes pairs that are at hand, the faster for being many. No code of the program may run in it: its
            errors would be taken for ours.
        write_batch: writes a `pyarrow.RecordBatch`, a row a record.
        prepare: does of `write` what can find fault with a record, `append` the rest with what it returned; so do
            `prepare_batch` and `append_batch` of `write_batch`. Nothing is written of what is never appended.
    """

    write: Callable[[Any, Any], None]
    write_all: Callable[[Iterable[tuple[Any, Any]]], None]
    write_batch: "Callable[[pa.RecordBatch], None]"
    prepare: Callable[[Any, Any], Any]
    append: Callable[[Any], None]
    prepare_batch: "Callable[[pa.RecordBatch], Any]"
    append_batch: Callable[[Any], None]

    def __init__(
        self,
        staged: StagedUpload,
        output_format: str,
        *,
        compression: str = "None",
        columns: tuple[str, ...] = (),
        record_length: int | None = None,
    ) -> None:
        self._staged = staged
        self._stream = PartStream(staged, compression)
        self._body = open_body(self._stream, output_format, columns, record_length)
        self.write = self._body.write
        self.write_all = self._body.write_all
        self.write_batch = self._body.write_batch
        self.prepare, self.append = self._body.prepare, self._body.append
        self.prepare_batch, self.append_batch = self._body.prepare_batch, self._body.append_batch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stream.abort()
            return
        try:
            self._body.finish()
        except BaseException:
            self._stream.abort()
            raise
        self._stream.close()

    @property
    def records(self) -> int:
        """How many records were written."""
        return self._body.records

    @property
    def bytes_written(self) -> int:
        """How many bytes, compressed, have gone on their way; all of them after the `with`."""
        return self._stream.bytes_written

    def part_ref(self) -> PartRef:
        """Return what a commit record says of the part; call it after the `with`."""
        return PartRef(
            key=self._staged.key, bytes=self.bytes_written, records=self.records, sha256=self._stream.sha256()
        )


def open_body(
    stream: PartStream, output_format: str, columns: tuple[str, ...], record_length: int | None
) -> LineBody | ParquetBody:
    """Return what makes bytes of records in that format."""
    if output_format == "Parquet":
        return ParquetBody(stream)
    if output_format not in LINE_FORMATS:
        raise InternalError(f"output.format {output_format!r}: the plan should not have let this pass")
    return LineBody(stream, LINE_FORMATS[output_format](columns, record_length))
