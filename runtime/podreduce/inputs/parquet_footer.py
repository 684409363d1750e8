"""The row groups in a Parquet object's footer, and the object as a file that Arrow can read."""

from collections.abc import Callable
from io import SEEK_CUR, SEEK_END, SEEK_SET

import pyarrow as pa
import pyarrow.parquet as pq

from podreduce.contract.errors import InputError
from podreduce.contract.plan import Piece

__all__ = ["RangeFile", "middle_of", "refuse_broken_chunks", "refuse_strays", "stored_bytes"]


class RangeFile:
    """An object of `size` bytes as a file for Arrow: each `read` calls `get_range` and raises its errors."""

    closed = False

    def __init__(self, get_range: Callable[[int, int], bytes], size: int) -> None:
        self._get_range = get_range
        self._size = size
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, or all that are left."""
        data = self._get_range(self._at, self._size if size < 0 else min(self._at + size, self._size))
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Go to a place and return it."""
        self._at = offset + {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def close(self) -> None:
        """Do nothing: nothing is open."""


def refuse_broken_chunks(metadata: pq.FileMetaData, object_bytes: int) -> None:
    """Let Arrow check what the footer says about every chunk of a column, without reading one.

    Arrow raises an error when it opens an invalid chunk to read it. Without this check other calls would abort. All
    chunks of a row group are checked before it asks for bytes; then it gets none, and its error for that is ignored.

    Raises:
        OSError: a chunk's description is invalid.
    """
    is_asked = False

    def give_nothing(start: int, end: int) -> bytes:
        nonlocal is_asked
        del start, end
        is_asked = True
        return b""

    handle = pa.PythonFile(RangeFile(give_nothing, object_bytes), mode="r")
    with pq.ParquetFile(handle, metadata=metadata, buffer_size=1 << 16) as file:
        for number in range(metadata.num_row_groups):
            is_asked = False
            try:
                next(file.iter_batches(row_groups=[number], use_threads=False), None)
            except OSError:
                if not is_asked:
                    raise


def refuse_strays(metadata: pq.FileMetaData, piece: Piece) -> None:
    """Refuse an object whose footer puts a row group outside it: no piece would have that group."""
    for number in range(metadata.num_row_groups):
        if not 0 <= middle_of(metadata, number) < piece.object_bytes:
            raise InputError(
                f"{piece.uri}: its footer puts row group {number} outside the object: it is damaged, write it again"
            )


def stored_bytes(metadata: pq.FileMetaData, number: int) -> int:
    """Return the bytes of a row group in the object."""
    group = metadata.row_group(number)
    return sum(group.column(index).total_compressed_size for index in range(group.num_columns))


def middle_of(metadata: pq.FileMetaData, number: int) -> int:
    """Return the byte in the middle of a row group."""
    group = metadata.row_group(number)
    columns = [group.column(index) for index in range(group.num_columns)]
    starts = [min(filter(None, (each.dictionary_page_offset, each.data_page_offset))) for each in columns]
    return min(starts, default=0) + stored_bytes(metadata, number) // 2
