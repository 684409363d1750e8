"""Collects the bytes that a `LineFormat` makes of records, and sends them in blocks."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from podreduce.contract.errors import ProgramError
from podreduce.encoding.showing import show_ascii
from podreduce.encoding.unwritable import UnwritableError
from podreduce.outputs.line_formats import LineFormat
from podreduce.outputs.many_records import write_many
from podreduce.outputs.part_stream import PartStream

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LineBody", "cannot_write", "unwritable"]

FLUSH_BYTES = 256 * 1024
PAIRS_AT_ONCE = 4096


class LineBody:
    """Turns records into bytes and sends them to the stream.

    Attributes:
        records: how many were written.
    """

    def __init__(self, stream: PartStream, line_format: LineFormat) -> None:
        self._write_block = stream.write
        self._line = line_format.line
        self._lines = line_format.lines
        self._batch = line_format.batch
        self._pending = [line_format.head]
        self._pending_bytes = len(line_format.head)
        self._sent_records = -1  # the head is not a record

    @property
    def records(self) -> int:
        """How many records were written."""
        return self._sent_records + len(self._pending)

    def write(self, key: Any, value: Any) -> None:  # noqa: ANN401 - anything the program yields
        """Write one record."""
        self.append(self.prepare(key, value))

    def prepare(self, key: Any, value: Any) -> bytes:  # noqa: ANN401 - anything the program yields
        """Return one record in the form for `append`."""
        try:
            return self._line(key, value)
        except (UnwritableError, UnicodeEncodeError) as error:
            raise unwritable(key, error) from None

    def append(self, line: bytes) -> None:
        """Write the result of `prepare`."""
        self._pending.append(line)
        self._pending_bytes += len(line)
        if self._pending_bytes >= FLUSH_BYTES:
            self._flush()

    def write_all(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Write many records."""
        write_many(pairs, at_once=PAIRS_AT_ONCE, write_block=self._write_together, write=self.write)

    def write_batch(self, batch: "pa.RecordBatch") -> None:
        """Write the rows of a batch."""
        self.append_batch(self.prepare_batch(batch))

    def prepare_batch(self, batch: "pa.RecordBatch") -> tuple[bytes | memoryview, int]:
        """Return a batch in the form for `append_batch`."""
        try:
            return self._batch(batch), batch.num_rows
        except UnwritableError as error:
            raise cannot_write(batch, f"{error}") from None
        except (ValueError, OverflowError, NotImplementedError) as error:  # from Arrow: Python cannot hold a value
            raise cannot_write(batch, f"{error}; cast the column, for example to pa.string()") from None

    def append_batch(self, prepared: tuple[bytes | memoryview, int]) -> None:
        """Write the result of `prepare_batch`."""
        self._send(*prepared)

    def finish(self) -> None:
        """Send the remaining bytes."""
        self._flush()

    def _write_together(self, pairs: Sequence[tuple[Any, Any]]) -> bool:
        block = self._lines(pairs)
        if block is None:
            return False
        self._send(block, len(pairs))
        return True

    def _send(self, block: bytes | memoryview, records: int) -> None:
        self._flush()
        self._sent_records += records
        if block:
            self._write_block(block)

    def _flush(self) -> None:
        self._sent_records += len(self._pending)
        block = b"".join(self._pending)
        self._pending.clear()
        self._pending_bytes = 0
        if block:
            self._write_block(block)


def unwritable(key: Any, error: Exception) -> ProgramError:  # noqa: ANN401 - anything the program yields
    """Return the error for the record of that key."""
    reason = f"cannot be written: {error}"
    if isinstance(error, UnicodeEncodeError):
        reason = "holds a lone surrogate, which is not UTF-8: yield text.encode('utf-8', 'replace').decode()"
    return ProgramError(f"the record with the key {show_ascii(key)} {reason}")


def cannot_write(batch: "pa.RecordBatch", reason: str) -> ProgramError:
    """Return the error for a batch that cannot be written in the format."""
    return ProgramError(f"the batch of columns {', '.join(batch.schema.names)} cannot be written: {reason}")
