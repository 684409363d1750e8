"""Writes records into a staged part as a stream; digest, records and bytes are known at its end.

Tasks use `PartWriter`. It has a body that turns records into bytes (`LineBody` for Text, JSONLines, CSV and
FixedLength, `ParquetBody`, or `PairsBody`), and a `PartStream` that compresses, hashes and uploads them.
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
from podreduce.outputs.pairs_output import PairsBody
from podreduce.outputs.parquet_output import ParquetBody
from podreduce.outputs.part_stream import PartStream
from podreduce.storage import ObjectStore, StagedUpload

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PartWriter", "open_part"]


def open_part(store: ObjectStore, plan: Plan, task: TaskRef, attempt_id: str) -> "PartWriter":
    """Open an attempt's output part as the plan says."""
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
    """An unpublished output part. Use it in a `with`: if it ends normally, all of the part is in the store.

    Args:
        compression: `spec.output.compression`; `columns` and `record_length` likewise, for the formats that use them.

    Attributes:
        write: (key, value) writes one record. Raises ProgramError if it cannot be written in the output format.
        write_all: writes many pairs, faster than one by one. No code of the program may run in it: its errors would
            be taken for ours.
        write_batch: writes a `pyarrow.RecordBatch`; each row is a record.
        prepare: the part of `write` that can refuse a record; `append` does the rest with its result. In the same way
            `prepare_batch` and `append_batch` are the two parts of `write_batch`. A record not appended is not written.
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
        """How many compressed bytes were sent so far; after the `with` these are all bytes."""
        return self._stream.bytes_written

    def part_ref(self) -> PartRef:
        """Return the part's entry in the commit record; call it after the `with`."""
        return PartRef(
            key=self._staged.key, bytes=self.bytes_written, records=self.records, sha256=self._stream.sha256()
        )


def open_body(
    stream: PartStream, output_format: str, columns: tuple[str, ...], record_length: int | None
) -> LineBody | ParquetBody | PairsBody:
    """Return the body that writes that format."""
    if output_format == "Pairs":
        return PairsBody(stream)
    if output_format == "Parquet":
        return ParquetBody(stream)
    if output_format not in LINE_FORMATS:
        raise InternalError(f"output.format {output_format!r}: the plan should have refused it")
    return LineBody(stream, LINE_FORMATS[output_format](columns, record_length))
