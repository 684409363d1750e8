"""Writes the tables that tell each reduce where its partition is in every map's blob (see `contract.offsets`).

Rule: may be repeated at any point. A page's key contains the digest of its content, and the manifest is written after
its pages. The sizes come from the commit records. They are read again for this, a few at a time, because with many
maps and buckets they take gigabytes. Slow work runs in a thread, so that other jobs continue.
"""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from podreduce.contract.bucket_sizes import decode_sizes
from podreduce.contract.layout import offsets_key
from podreduce.contract.offsets import CorruptOffsetsError, OffsetTable, find_bounds
from podreduce.contract.task import OffsetPage, ShuffleManifest, TaskRef, TaskType
from podreduce.contract.wire import digest_bytes

if TYPE_CHECKING:
    from podreduce_operator.runs.run_records import RunRecords

__all__ = ["write_offsets"]

PAGE_OFFSETS = 4 << 20
"""About how many offsets a page has. It takes 16 MiB and is built in memory."""
BATCH_MAPS = 500
"""How many maps' sizes are in memory at a time."""


async def write_offsets(records: "RunRecords", manifest: ShuffleManifest) -> tuple[OffsetPage, ...]:
    """Write all pages of a manifest that is about to be frozen, and return the references for it.

    There are no pages in total order, because there the reduces read each blob's index of keys. There are none either
    if the maps differ in their number of buckets, or name blobs smaller than their buckets. Then the reduces read the
    blobs' footers and report the wrong blob.

    Raises:
        PodreduceError: the store cannot be read or written.
    """
    bounds = find_bounds(manifest.partitions)
    if manifest.ranges is not None or bounds == (0,):
        return ()
    try:
        return await write_pages(records, manifest, bounds)
    except (CorruptOffsetsError, OverflowError):
        return ()


async def write_pages(
    records: "RunRecords", manifest: ShuffleManifest, bounds: Sequence[int]
) -> tuple[OffsetPage, ...]:
    """Write the pages of the offsets at `bounds`."""
    maps = len(manifest.maps)
    maps_of_page = max(PAGE_OFFSETS // len(bounds), 1)
    pages = []
    for number, first_map in zip(count(), range(0, maps, maps_of_page)):
        blobs = manifest.maps[first_map : first_map + maps_of_page]
        table = OffsetTable(bounds=bounds, maps=len(blobs), most_bytes=max(blob.bytes for blob in blobs))
        await fill_table(table, first_map, records)
        data, digest = await asyncio.to_thread(encode_table, table)
        key = offsets_key(manifest.generation, number, digest)
        await records.store.put_async(key, data)
        pages.append(OffsetPage(key=key, first_map=first_map, maps=len(blobs), width=table.width))
    return tuple(pages)


async def fill_table(table: OffsetTable, first_map: int, records: "RunRecords") -> None:
    """Add the offsets of all maps to a page."""
    for start in range(0, table.maps, BATCH_MAPS):
        end = min(start + BATCH_MAPS, table.maps)
        tasks = [TaskRef(type=TaskType.MAP, index=first_map + number) for number in range(start, end)]
        await asyncio.to_thread(add_batch, table, start, await records.read_sizes(tasks))


def add_batch(table: OffsetTable, start: int, sizes: Sequence[bytes | tuple[int, ...]]) -> None:
    """Add the offsets of consecutive maps to a page, from its map number `start` on."""
    for number, each in enumerate(sizes, start):
        table.add(number, decode_sizes(each))


def encode_table(table: OffsetTable) -> tuple[bytes, str]:
    """Return a page and its SHA-256."""
    data = table.encode()
    return data, digest_bytes(data)
