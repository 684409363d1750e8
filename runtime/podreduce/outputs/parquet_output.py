"""A Parquet part: the first rows set its schema, row groups are cut by bytes, zstd compresses inside."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from podreduce.columnar.value_columns import build_column, captured, find_type
from podreduce.contract.errors import ProgramError
from podreduce.contract.texts import cut_middle
from podreduce.encoding.showing import show_ascii
from podreduce.encoding.unwritable import UnwritableError
from podreduce.outputs.line_output import unwritable
from podreduce.outputs.part_stream import PartStream

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet as pq

__all__ = ["ParquetBody"]

BATCH_RECORDS = 16 * 1024
BATCH_BYTES = 8 * 1024 * 1024
"""When records are converted to columns, which take less memory."""
GROUP_BYTES = 32 * 1024 * 1024
SHOWN_BYTES = 250


class ParquetBody:
    """Makes row groups from records or batches.

    Attributes:
        records: how many were written.
    """

    def __init__(self, stream: PartStream) -> None:
        self.records = 0
        self._file = StreamFile(stream)
        self._writer: pq.ParquetWriter | None = None
        self._schema: pa.Schema | None = None
        self._keys: list[Any] = []
        self._values: list[Any] = []
        self._pending_bytes = 0
        self._group: list[pa.RecordBatch] = []
        self._group_bytes = 0

    def write(self, key: Any, value: Any) -> None:  # noqa: ANN401 - anything the program yields
        """Write one record."""
        self.append(self.prepare(key, value))

    def prepare(self, key: Any, value: Any) -> tuple[Any, Any, int]:  # noqa: ANN401 - anything the program yields
        """Return one record in the form for `append`. Whether it fits the columns' types is checked later."""
        try:
            (kept_key, key_bytes), (kept_value, value_bytes) = captured(key), captured(value)
        except UnwritableError as error:
            raise unwritable(key, error) from None
        except RecursionError:
            nested = UnwritableError("it is nested too deeply, or contains itself: yield a flatter value")
            raise unwritable(key, nested) from None
        return kept_key, kept_value, key_bytes + value_bytes

    def append(self, prepared: tuple[Any, Any, int]) -> None:
        """Write the result of `prepare`."""
        key, value, size_bytes = prepared
        self._keys.append(key)
        self._values.append(value)
        self._pending_bytes += size_bytes
        self.records += 1
        if self._pending_bytes >= BATCH_BYTES or len(self._keys) >= BATCH_RECORDS:
            self._convert()

    def write_all(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Write many records."""
        for key, value in pairs:
            self.write(key, value)

    def write_batch(self, batch: "pa.RecordBatch") -> None:
        """Write the rows of a batch; all batches must have the schema of the first."""
        self._convert()
        if self._schema is not None and not batch.schema.equals(self._schema):
            raise ProgramError(
                f"a batch has the schema {one_line(batch.schema)}, but the first had {one_line(self._schema)}: "
                "a Parquet part has one schema; cast the batches to it"
            )
        self.records += batch.num_rows
        self._add(batch)

    def prepare_batch(self, batch: "pa.RecordBatch") -> "pa.RecordBatch":
        """Return the batch: whether it fits is checked when it is written."""
        return batch

    def append_batch(self, batch: "pa.RecordBatch") -> None:
        """Write the result of `prepare_batch`."""
        self.write_batch(batch)

    def finish(self) -> None:
        """Write the remaining rows, and the footer. A part without records has null columns."""
        self._convert()
        self._write_group()
        if self._writer is None:
            import pyarrow as pa  # noqa: PLC0415 - slow to import; only this format needs it

            self._open_writer(pa.table({"key": pa.nulls(0), "value": pa.nulls(0)})).close()
        else:
            self._writer.close()

    def _convert(self) -> None:
        """Convert the collected records to a batch."""
        if not self._keys:
            return
        import pyarrow as pa  # noqa: PLC0415

        if self._schema is None:
            kinds = self._find_types()
            self._schema = pa.schema([("key", kinds[0]), ("value", kinds[1])])
        kinds = self._schema.types
        if self._schema.names != ["key", "value"]:
            raise ProgramError(f"pairs were yielded after batches of {one_line(self._schema)}: yield only one kind")
        try:
            columns = [build_column(self._keys, kinds[0]), build_column(self._values, kinds[1])]
        except UnwritableError as error:
            raise self._blame(kinds, error) from None
        self._add(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._keys, self._values, self._pending_bytes = [], [], 0

    def _find_types(self) -> "tuple[pa.DataType, pa.DataType]":
        """Return the types of the columns for the first records."""
        try:
            return find_type(self._keys), find_type(self._values)
        except UnwritableError as error:
            clash = bisect_left(range(1, len(self._keys)), True, key=self._clashes)  # noqa: FBT003 - the value to find
            raise blamed(self._keys[clash], error) from None

    def _clashes(self, records: int) -> bool:
        """Tell whether the first `records` records have no common type."""
        try:
            find_type(self._keys[:records])
            find_type(self._values[:records])
        except UnwritableError:
            return True
        return False

    def _blame(self, kinds: "list[pa.DataType]", error: UnwritableError) -> ProgramError:
        """Return the error for the first record that cannot be written."""
        for key, value in zip(self._keys, self._values, strict=True):
            try:
                build_column([key], kinds[0])
                build_column([value], kinds[1])
            except UnwritableError as its_own:
                return blamed(key, its_own)
        return blamed(self._keys[0], error)

    def _add(self, batch: "pa.RecordBatch") -> None:
        self._schema = self._schema or batch.schema
        self._group.append(batch)
        self._group_bytes += batch.nbytes
        if self._group_bytes >= GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        if not self._group:
            return
        import pyarrow as pa  # noqa: PLC0415

        table = pa.Table.from_batches(self._group, self._schema)
        try:
            self._open_writer(table).write_table(table, row_group_size=max(table.num_rows, 1))
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise ProgramError(
                f"columns {one_line(table.schema)} cannot be written as Parquet ({error}): cast them to other types"
            ) from None
        self._group, self._group_bytes = [], 0

    def _open_writer(self, first: "pa.Table") -> "pq.ParquetWriter":
        """Return the writer; if there is none yet, one for rows like the first ones."""
        if self._writer is None:
            from pyarrow import parquet as pq  # noqa: PLC0415 - slow to import; only this format needs it

            from podreduce.outputs.parquet_dictionaries import dictionary_paths  # noqa: PLC0415 - likewise

            paths = dictionary_paths(first)
            self._writer = pq.ParquetWriter(self._file, first.schema, compression="zstd", use_dictionary=paths)
        return self._writer


class StreamFile:
    """A part as a file that Arrow writes into."""

    def __init__(self, stream: PartStream) -> None:
        self.closed = False
        self._stream = stream

    def write(self, data: bytes) -> int:
        """Send some bytes."""
        self._stream.write(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: the part is sent on in blocks."""

    def close(self) -> None:
        """Do nothing: the part is completed by its writer."""


def blamed(key: Any, error: UnwritableError) -> ProgramError:  # noqa: ANN401 - anything the program yields
    """Return the error for a record that was written earlier: the caller does not know which one it was."""
    found = unwritable(key, error)
    found.record = f"key {show_ascii(key)}"
    return found


def one_line(schema: "pa.Schema") -> str:
    """Return a schema on one line for a message, cut in the middle if it is long."""
    return cut_middle(", ".join(f"{field.name}: {field.type}" for field in schema), SHOWN_BYTES)
