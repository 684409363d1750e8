"""A part of the format Pairs: keys and values as they were yielded, in frames (see encoding.pair_frames).

A frame ends with the record that brings it to 8,192 records or 256 KiB of encodings. So equal records give equal bytes,
however they are handed over, and a reader needs little memory for a frame.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from podreduce.encoding.codec import UnsupportedTypeError, encode_joined, encode_value
from podreduce.encoding.pair_frames import pack_pairs
from podreduce.outputs.line_output import cannot_write, unwritable
from podreduce.outputs.many_records import write_many
from podreduce.outputs.part_stream import PartStream

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PairsBody"]

FRAME_RECORDS = 8192
FRAME_BYTES = 256 * 1024
PAIRS_AT_ONCE = 1024

EncodedPair = tuple[bytes, bytes]


class PairsBody:
    """Makes frames from records and sends them to the stream."""

    def __init__(self, stream: PartStream) -> None:
        self._write_block = stream.write
        self._keys: list[bytes] = []
        self._values: list[bytes] = []
        self._records = 0
        self._bytes = 0
        self._sent_records = 0

    @property
    def records(self) -> int:
        """How many records were written."""
        return self._sent_records + self._records

    def write(self, key: Any, value: Any) -> None:  # noqa: ANN401 - anything the program yields
        """Write one record."""
        self.append(self.prepare(key, value))

    def prepare(self, key: Any, value: Any) -> EncodedPair:  # noqa: ANN401 - anything the program yields
        """Return one record in the form for `append`."""
        try:
            return encode_value(key), encode_value(value)
        except UnsupportedTypeError as error:
            raise unwritable(key, error) from None

    def append(self, pair: EncodedPair) -> None:
        """Write the result of `prepare`."""
        self._add(*pair, 1)

    def write_all(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Write many records."""
        write_many(pairs, at_once=PAIRS_AT_ONCE, write_block=self._write_together, write=self.write)

    def write_batch(self, batch: "pa.RecordBatch") -> None:
        """Write the rows of a batch of two columns."""
        self.append_batch(self.prepare_batch(batch))

    def prepare_batch(self, batch: "pa.RecordBatch") -> list[EncodedPair]:
        """Return a batch in the form for `append_batch`."""
        if batch.num_columns != 2:  # noqa: PLR2004 - key and value
            raise cannot_write(
                batch, "a record of Pairs is a key and a value: return a batch of two columns, or write Parquet"
            )
        from podreduce.columnar.python_types import to_python  # noqa: PLC0415 - slow to import; only columnar jobs need it

        try:
            keys, values = map(to_python, batch.columns)
            return [self.prepare(key, value) for key, value in zip(keys, values, strict=True)]
        except (ValueError, OverflowError, NotImplementedError, ImportError) as error:  # Python cannot hold a value
            raise cannot_write(batch, f"{error}; cast the column, for example to timestamp('us')") from None

    def append_batch(self, prepared: list[EncodedPair]) -> None:
        """Write the result of `prepare_batch`."""
        for pair in prepared:
            self.append(pair)

    def finish(self) -> None:
        """Send the remaining records. A part without records is empty."""
        if self._records:
            self._send()

    def _write_together(self, pairs: Sequence[tuple[Any, Any]]) -> bool:
        keys, values = zip(*pairs, strict=True)
        key_data, value_data = encode_joined(keys), encode_joined(values)
        if key_data is None or value_data is None or not self._takes(len(key_data) + len(value_data), len(pairs)):
            return False
        self._add(key_data, value_data, len(pairs))
        return True

    def _takes(self, size: int, records: int) -> bool:
        """Tell whether the frame takes so many more records before it ends."""
        return self._bytes + size < FRAME_BYTES and self._records + records <= FRAME_RECORDS

    def _add(self, key_data: bytes, value_data: bytes, records: int) -> None:
        self._keys.append(key_data)
        self._values.append(value_data)
        self._records += records
        self._bytes += len(key_data) + len(value_data)
        if self._bytes >= FRAME_BYTES or self._records >= FRAME_RECORDS:
            self._send()

    def _send(self) -> None:
        self._write_block(pack_pairs(self._records, self._keys, self._values))
        self._sent_records += self._records
        self._keys, self._values, self._records, self._bytes = [], [], 0, 0
