"""Where a partition lies in every map's blob: tables of offsets, which the operator writes when it freezes the shuffle.

A partition's virtual buckets are a few stretches of neighbours, most often one. All stretches of all partitions, in
bucket order, fill a blob from its start to its footer; so one offset a stretch and a map says where each begins and the
one before it ends. A page has these of some maps, a row for each bound between stretches:

    row 0        offset in map 0, in map 1, ...  crc32       where the first stretch begins: 0
    row 1        ...                                         where it ends, and the second begins
    last row     ...                                         where the last ends: the footer's offset

So a reduce reads two rows that lie side by side instead of a footer of every blob. Rule: pure. The numbers are in the
machine's byte order, as in frames. They are a short cut: without them a reduce asks the footers.
"""

import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter
from typing import Final

from podreduce.contract.task import OffsetPage

__all__ = ["CorruptOffsetsError", "OffsetTable", "find_bounds", "parse_rows", "row_bytes", "stretches_of"]

CRC_BYTES: Final = 4
NARROW: Final = 4
WIDE: Final = 8
TYPE_CODES: Final = {NARROW: "I", WIDE: "Q"}

Stretch = tuple[int, int]
"""Neighbouring buckets: the first, and the one behind the last."""


class CorruptOffsetsError(Exception):
    """A page of offsets does not read back as written."""


def stretches_of(buckets: Iterable[int]) -> Iterator[Stretch]:
    """Yield the stretches of ascending `buckets`."""
    start = end = -1
    for bucket in buckets:
        if bucket != end:
            if start < end:
                yield start, end
            start = bucket
        end = bucket + 1
    if start < end:
        yield start, end


def find_bounds(partitions: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Return the buckets at which a stretch begins, and last how many buckets there are; each is in one partition."""
    stretches = [stretch for buckets in partitions for stretch in stretches_of(buckets)]
    return tuple(sorted({0, *(edge for stretch in stretches for edge in stretch)}))


def row_bytes(page: OffsetPage) -> int:
    """Return what a row takes."""
    return page.maps * page.width + CRC_BYTES


@dataclass(slots=True, kw_only=True)
class OffsetTable:
    """A page being made: the offsets of `maps` maps at `bounds`, of blobs of at most `most_bytes`."""

    bounds: Sequence[int]
    maps: int
    most_bytes: int

    _cells: "array[int] | None" = None

    @property
    def width(self) -> int:
        """How many bytes an offset takes."""
        return NARROW if self.most_bytes < 1 << 8 * NARROW else WIDE

    def add(self, number: int, sizes: Sequence[int]) -> None:
        """Take the sizes of all buckets of a map, the page's `number`th.

        Raises:
            CorruptOffsetsError: there are more of them, or fewer.
        """
        if len(sizes) != self.bounds[-1]:
            raise CorruptOffsetsError(f"a map has sizes of {len(sizes)} buckets, not {self.bounds[-1]}")
        if self._cells is None:
            self._cells = array(TYPE_CODES[self.width], bytes(self.width * self.maps * len(self.bounds)))
        chosen = itemgetter(*self.bounds)(list(accumulate(sizes, initial=0)))
        self._cells[number :: self.maps] = array(TYPE_CODES[self.width], chosen)

    def encode(self) -> bytes:
        """Return the page."""
        cells = memoryview(self._cells or array(TYPE_CODES[self.width])).cast("B")
        width = self.maps * self.width
        rows = (cells[start : start + width] for start in range(0, len(cells), width or 1))
        return b"".join(piece for row in rows for piece in (row, zlib.crc32(row).to_bytes(CRC_BYTES, "little")))


def parse_rows(page: OffsetPage, data: bytes) -> tuple["array[int]", "array[int]"]:
    """Return two rows that lie side by side: where a stretch begins and where it ends, by the page's maps.

    Raises:
        CorruptOffsetsError: `data` is not what was written.
    """
    size = row_bytes(page)
    rows = []
    for row in (data[:size], data[size:]):
        if len(row) != size or zlib.crc32(row[:-CRC_BYTES]) != int.from_bytes(row[-CRC_BYTES:], "little"):
            raise CorruptOffsetsError(f"a row of {page.key} fails its CRC")
        rows.append(array("Q", array(TYPE_CODES[page.width], row[:-CRC_BYTES])))
    return rows[0], rows[1]
