"""Where a partition lies in every map's blob, read from the pages of offsets that the shuffle manifest names.

Rule: an optimization only. If a page cannot be read, the blobs' footers have the same numbers.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import structlog

from podreduce.contract.errors import ObjectChangedError, ObjectNotFoundError
from podreduce.contract.offsets import CorruptOffsetsError, Stretch, find_bounds, parse_rows, row_bytes, stretches_of
from podreduce.contract.task import OffsetPage, ShuffleManifest
from podreduce.encoding.blobs import REQUEST_BYTES, CorruptBlobError, Place, Window, plan_requests
from podreduce.storage import ObjectStore

__all__ = ["Locations", "locate_partition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Locations:
    """By stretch of buckets, where it starts and ends in each map's blob."""

    stretches: Sequence[Stretch]
    starts: "Sequence[array[int]]"
    ends: "Sequence[array[int]]"

    @classmethod
    def of_none(cls, stretches: Sequence[Stretch]) -> Self:
        """Return locations without any map yet."""
        return cls(stretches=stretches, starts=[array("Q") for _ in stretches], ends=[array("Q") for _ in stretches])

    def places(self, number: int) -> list[Place]:
        """Return where the partition is in the blob of a map."""
        places = zip(self.stretches, self.starts, self.ends, strict=True)
        return [Place(buckets=buckets, start=starts[number], end=ends[number]) for buckets, starts, ends in places]


def locate_partition(run_store: ObjectStore, manifest: ShuffleManifest, partition: int) -> Locations | None:
    """Return where a partition is in all blobs; None if the footers must be read."""
    if not manifest.offset_pages:
        return None
    bounds = find_bounds(manifest.partitions)
    stretches = list(stretches_of(manifest.partitions[partition]))
    rows = [bounds.index(start) for start, _ in stretches]
    found = Locations.of_none(stretches)
    try:
        for page in manifest.offset_pages:
            take_page(found, page, rows, run_store)
    except (CorruptOffsetsError, CorruptBlobError, ObjectNotFoundError, ObjectChangedError) as error:
        structlog.get_logger().warning("a page of offsets cannot be read; using the blobs' footers", error=str(error))
        return None
    return found


def take_page(found: Locations, page: OffsetPage, rows: Sequence[int], run_store: ObjectStore) -> None:
    """Read these rows and the row after each; a partition's stretches never touch, so no row is read twice."""
    size = row_bytes(page)
    ranges = [(row * size, (row + 2) * size) for row in rows]
    window = Window(partial(run_store.get_range, page.key), plan_requests(ranges, REQUEST_BYTES))
    for (start, end), starts, ends in zip(ranges, found.starts, found.ends, strict=True):
        low, high = parse_rows(page, window.take(start, end))
        starts.extend(low)
        ends.extend(high)
