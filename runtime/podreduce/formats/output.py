"""Writes records into a staged part, streamed: digest, records and bytes are known at its end.

`PartWriter` is what a task uses. Behind it a body makes bytes of records (`LineBody` for Text, JSONLines, CSV and
FixedLength, `ParquetBody`), and a `PartStream` compresses, hashes and uploads them.
"""

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from podreduce.contract.plan import Plan
from podreduce.contract.task import PartRef
from podreduce.errors import InternalError
from podreduce.formats.line_formats import LINE_FORMATS
from podreduce.formats.line_output import LineBody
from podreduce.formats.parquet_output import ParquetBody
from podreduce.formats.part_stream import PartStream
from podreduce.storage import ObjectStore

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PartWriter", "open_part"]


def open_part(store: ObjectStore, key: str, plan: Plan) -> "PartWriter":
    """Open an output part as the plan wants it."""
    return PartWriter(
        store,
        key,
        plan.output_format,
        compression=plan.output_compression,
        columns=plan.output_columns,
        record_length=plan.output_record_length,
    )


class PartWriter:
    """An unpublished output part; use it in a `with`, whose normal end completes the object.

    Args:
        compression: `spec.output.compression`; `columns` and `record_length` likewise, for the formats that have them.

    Attributes:
        write: (key, value) writes one record. Raises ProgramError if it has no form in the output format.
        write_all: writes pairs that are at hand, the faster for being many. No code of the program may run in it: its
            errors would be taken for ours.
        write_batch: writes a `pyarrow.RecordBatch`, a row a record.
    """

    write: Callable[[Any, Any], None]
    write_all: Callable[[Iterable[tuple[Any, Any]]], None]
    write_batch: "Callable[[pa.RecordBatch], None]"

    def __init__(
        self,
        store: ObjectStore,
        key: str,
        output_format: str,
        *,
        compression: str = "None",
        columns: tuple[str, ...] = (),
        record_length: int | None = None,
    ) -> None:
        self._key = key
        self._stream = PartStream(store, key, compression)
        self._body = open_body(self._stream, output_format, columns, record_length)
        self.write = self._body.write
        self.write_all = self._body.write_all
        self.write_batch = self._body.write_batch

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
        return PartRef(key=self._key, bytes=self.bytes_written, records=self.records, sha256=self._stream.sha256())


def open_body(
    stream: PartStream, output_format: str, columns: tuple[str, ...], record_length: int | None
) -> LineBody | ParquetBody:
    """Return what makes bytes of records in that format."""
    if output_format == "Parquet":
        return ParquetBody(stream)
    if output_format not in LINE_FORMATS:
        raise InternalError(f"output.format {output_format!r}: the plan should not have let this pass")
    return LineBody(stream, LINE_FORMATS[output_format](columns, record_length))
