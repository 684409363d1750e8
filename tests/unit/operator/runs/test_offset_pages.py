"""Where partitions lie, by the tables of offsets: exactly what the footers say, and never anything else unseen."""

import tracemalloc
import zlib
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.bucket_sizes import decode_sizes, encode_sizes
from podreduce.contract.offsets import (
    CorruptOffsetsError,
    OffsetTable,
    find_bounds,
    parse_rows,
    row_bytes,
    stretches_of,
)
from podreduce.contract.task import OffsetPage
from podreduce.encoding.blobs import CorruptBlobError, Place, read_footer, read_frames, read_places
from podreduce.encoding.frames import StoredFrame
from podreduce_operator.balance.bucket_packing import pack_by_hash
from tests.support.blobs import Blob, make_blob, make_frames

SIZES = st.lists(st.integers(0, 2**40), max_size=50)
OWNERS = st.lists(st.integers(0, 5), min_size=1, max_size=40)


def partitions_of(owners: list[int]) -> list[list[int]]:
    return [[bucket for bucket, owner in enumerate(owners) if owner == each] for each in range(6)]


@given(SIZES)
def test_sizes_of_buckets_come_back(sizes: list[int]) -> None:
    assert list(decode_sizes(encode_sizes(sizes))) == sizes


def test_sizes_of_4096_like_buckets_take_a_third_of_their_digits() -> None:
    sizes = [32_000 + bucket * 7919 % 3000 for bucket in range(4096)]
    assert len(encode_sizes(sizes)) * 4 / 3 < len(str(sizes)) / 3
    assert len(encode_sizes([0] * 4095 + [5])) < 100


@pytest.mark.parametrize("data", [b"", b"sizes", encode_sizes([1])[:-1]])
def test_what_are_no_sizes_is_told(data: bytes) -> None:
    with pytest.raises(ValueError, match="invalid bucket sizes"):
        decode_sizes(data)


def test_sizes_that_unpack_to_more_than_any_blob_has_are_refused_before_they_take_memory() -> None:
    data = zlib.compress(bytes(64 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="invalid bucket sizes"):
            decode_sizes(data)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


@given(OWNERS)
def test_stretches_are_all_buckets_once_and_bounded(owners: list[int]) -> None:
    partitions = partitions_of(owners)
    stretches = [stretch for buckets in partitions for stretch in stretches_of(buckets)]
    assert sorted(bucket for start, end in stretches for bucket in range(start, end)) == list(range(len(owners)))
    assert find_bounds(partitions) == (*sorted(start for start, _ in stretches), len(owners))


@given(OWNERS, st.lists(st.integers(0, 2**40), min_size=40, max_size=40), st.integers(1, 4))
def test_a_table_says_where_each_stretch_begins_and_ends(owners: list[int], sizes: list[int], maps: int) -> None:
    bounds = find_bounds(partitions_of(owners))
    rows = [[size // (number + 1) for size in sizes[: len(owners)]] for number in range(maps)]
    table = OffsetTable(bounds=bounds, maps=maps, most_bytes=sum(sizes))
    for number, row in enumerate(rows):
        table.add(number, row)
    data, page = table.encode(), OffsetPage(key="page", first_map=0, maps=maps, width=table.width)
    size = row_bytes(page)
    assert len(data) == size * len(bounds)
    for place, (start, end) in enumerate(pairwise(bounds)):
        starts, ends = parse_rows(page, data[place * size : (place + 2) * size])
        assert [*zip(starts, ends, strict=True)] == [(sum(row[:start]), sum(row[:end])) for row in rows]


def test_small_blobs_have_narrow_offsets_and_a_map_of_other_buckets_is_refused() -> None:
    assert [OffsetTable(bounds=(0, 1), maps=1, most_bytes=most).width for most in (2**32 - 1, 2**32)] == [4, 8]
    with pytest.raises(CorruptOffsetsError, match="sizes of 3 buckets, not 2"):
        OffsetTable(bounds=(0, 2), maps=1, most_bytes=9).add(0, [1, 2, 3])


@pytest.mark.parametrize("harm", ["flip", "cut"])
def test_no_changed_byte_of_a_page_goes_unseen(harm: str) -> None:
    table = OffsetTable(bounds=(0, 2, 3), maps=2, most_bytes=100)
    table.add(0, [1, 2, 3])
    table.add(1, [10, 20, 30])
    page = OffsetPage(key="page", first_map=0, maps=2, width=table.width)
    data = table.encode()[: 2 * row_bytes(page)]
    for at in range(len(data)):
        changed = bytearray(data[:at]) if harm == "cut" else bytearray(data)
        if harm == "flip":
            changed[at] ^= 1 << at % 8
        with pytest.raises(CorruptOffsetsError):
            parse_rows(page, bytes(changed))


RECORDS = [(f"key{number}", number) for number in range(300)]


def make_bucket_blob(records: list, frame_rows: int) -> Blob:
    """A blob of 16 buckets, the last of them empty."""
    frames = [
        frame
        for bucket in range(15)
        for frame in make_frames(records[bucket::15], bucket=bucket, frame_rows=frame_rows)
    ]
    return make_blob(frames, buckets=16)


def places_in(blob: Blob, buckets: list[int]) -> list[Place]:
    offsets = list(accumulate(blob.summary.bucket_bytes, initial=0))
    return [Place(buckets=each, start=offsets[each[0]], end=offsets[each[1]]) for each in stretches_of(buckets)]


def frames_at(blob: Blob, places: list[Place]) -> list[StoredFrame]:
    return list(read_places(places, lambda start, end: blob.data[start:end]))


@pytest.mark.parametrize("records", [RECORDS, RECORDS[:5], []], ids=len)
@pytest.mark.parametrize("frame_rows", [1, 4, 8192])
def test_places_hold_the_frames_that_the_footer_finds(records: list, frame_rows: int) -> None:
    blob = make_bucket_blob(records, frame_rows)
    footer = read_footer(blob.data[blob.summary.footer_offset :], crc32=blob.summary.footer_crc32)
    for buckets in (*pack_by_hash(16, 3), range(16), range(4, 9), [0, 1, 2, 7, 8, 15], []):
        expected = list(read_frames(footer, buckets, lambda start, end: blob.data[start:end]))
        assert frames_at(blob, places_in(blob, list(buckets))) == expected


@pytest.mark.parametrize("change", [{"buckets": (5, 8)}, {"buckets": (4, 7)}, {"start": 1}, {"end": -1}], ids=str)
def test_places_that_are_wrong_are_found_out(change: dict) -> None:
    blob = make_bucket_blob(RECORDS, 9)
    (place,) = places_in(blob, [4, 5, 6, 7])
    fields = {"buckets": place.buckets, "start": place.start, "end": place.end}
    moved = {name: value if name == "buckets" else fields[name] + value for name, value in change.items()}
    with pytest.raises(CorruptBlobError):
        frames_at(blob, [Place(**(fields | moved))])
