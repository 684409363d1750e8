"""Where a partition lies in every map's blob: tables of offsets, which the operator writes when it freezes the shuffle.

A partition's virtual buckets are a few stretches of neighbours, most often one. The stretches of all partitions, in
bucket order, fill a blob from its start to its footer. So one offset for each stretch and map is enough: it says where
the stretch begins and where the one before ends. A page has the offsets of some maps, a row for each bound:

    row 0        offset in map 0, in map 1, ...  crc32       where the first stretch begins: 0
    row 1        ...                                         where it ends, and the second begins
    last row     ...                                         where the last ends: the footer's offset

So a reduce task reads two neighbouring rows instead of the footer of every blob. The table is optional: without it a
reduce task reads the footers. Numbers are in the machine's byte order, as in frames. Rule: pure.
"""

import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter
from typing import Final

from podreduce.contract.task import OffsetPage
from podreduce.contract.texts import render_count

__all__ = ["CorruptOffsetsError", "OffsetTable", "find_bounds", "parse_rows", "row_bytes", "stretches_of"]

CRC_BYTES: Final = 4
NARROW: Final = 4
WIDE: Final = 8
TYPE_CODES: Final = {NARROW: "I", WIDE: "Q"}

Stretch = tuple[int, int]
"""Neighbouring buckets: the first, and the one after the last."""


class CorruptOffsetsError(Exception):
    """A page of offsets is not what was written."""


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
    """Return the buckets at which a stretch begins, then the number of buckets. Each bucket is in one partition."""
    stretches = [stretch for buckets in partitions for stretch in stretches_of(buckets)]
    return tuple(sorted({0, *(edge for stretch in stretches for edge in stretch)}))


def row_bytes(page: OffsetPage) -> int:
    """Return how many bytes a row takes."""
    return page.maps * page.width + CRC_BYTES


@dataclass(slots=True, kw_only=True)
class OffsetTable:
    """A page being built: the offsets of `maps` maps at `bounds`, for blobs of at most `most_bytes`."""

    bounds: Sequence[int]
    maps: int
    most_bytes: int

    _cells: "array[int] | None" = None

    @property
    def width(self) -> int:
        """How many bytes an offset takes."""
        return NARROW if self.most_bytes < 1 << 8 * NARROW else WIDE

    def add(self, number: int, sizes: Sequence[int]) -> None:
        """Add the sizes of all buckets of a map, the page's `number`th.

        Raises:
            CorruptOffsetsError: the number of sizes is not the number of buckets.
        """
        if len(sizes) != self.bounds[-1]:
            raise CorruptOffsetsError(f"a map has sizes of {render_count(len(sizes), 'bucket')}, not {self.bounds[-1]}")
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
    """Return two neighbouring rows: where a stretch begins and where it ends, by the page's maps.

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
