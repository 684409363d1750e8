"""A blob hands out exactly the segments asked for, in few requests, and no changed byte goes unseen."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.offsets import stretches_of
from podreduce.encoding.blobs import (
    GAP_BYTES,
    LARGE_BODY_BYTES,
    CorruptBlobError,
    Place,
    plan_requests,
    read_footer,
    read_frames,
    read_places,
)
from podreduce.encoding.frames import HEADER_BYTES, StoredFrame
from tests.support.blobs import Blob, make_blob, make_frames

MIB = 1 << 20


def make_example() -> Blob:
    """Four buckets: two frames, none, one, one."""
    frames = [
        *make_frames([(f"key{n}", n) for n in range(20)], frame_rows=12, bucket=0),
        *make_frames([("a", [1, 2.5, None])], bucket=2),
        *make_frames([((n, "b"), "text" * n) for n in range(5)], bucket=3),
    ]
    return make_blob(frames)


def contents(frames: list[StoredFrame]) -> list[tuple[int, int, bytes, bool]]:
    return [(frame.bucket, frame.rows, frame.body, frame.ends_segment) for frame in frames]


def test_all_buckets_come_back_in_order_with_their_ends() -> None:
    frames = make_example().frames()
    assert [(frame.bucket, frame.rows, frame.ends_segment) for frame in frames] == [
        (0, 12, False),
        (0, 8, True),
        (2, 1, True),
        (3, 5, True),
    ]


@given(st.sets(st.integers(0, 3)), st.integers(1, 400))
def test_any_buckets_in_requests_of_any_size_are_those_of_the_whole(chosen: set[int], request_bytes: int) -> None:
    blob = make_example()
    footer = read_footer(blob.data[blob.summary.footer_offset :], crc32=blob.summary.footer_crc32)
    asked: list[tuple[int, int]] = []

    def fetch(start: int, end: int) -> memoryview:
        asked.append((start, end))
        return memoryview(blob.data)[start:end]

    frames = list(read_frames(footer, sorted(chosen), fetch, request_bytes=request_bytes))
    assert contents(frames) == [each for each in contents(blob.frames()) if each[0] in chosen]
    assert all(0 < end - start <= request_bytes for start, end in asked)


def whole_frames(data: bytes, *places: Place, request_bytes: int = 1000) -> list[StoredFrame]:
    return list(read_places(places, lambda start, end: data[start:end], request_bytes=request_bytes))


@given(st.sets(st.integers(0, 3)), st.integers(1, 400))
def test_neighbouring_buckets_at_known_places_are_read_together(chosen: set[int], request_bytes: int) -> None:
    blob = make_example()
    offsets = read_footer(blob.data[blob.summary.footer_offset :], crc32=blob.summary.footer_crc32).offsets
    places = [
        Place(buckets=(first, end), start=offsets[first], end=offsets[end])
        for first, end in stretches_of(sorted(chosen))
    ]
    frames = whole_frames(blob.data, *places, request_bytes=request_bytes)
    assert contents(frames) == [each for each in contents(blob.frames()) if each[0] in chosen]


@pytest.mark.parametrize(
    ("order", "buckets", "refused"),
    [
        ([0, 0, 2, 3], (0, 4), None),
        ([2], (2, 3), None),
        ([0], (1, 2), "bucket 0, not of 1 to 2"),
        ([1, 2], (1, 2), "bucket 2, not of 1 to 2"),
        ([2, 0], (0, 4), "bucket 0, not of 2 to 4"),
    ],
    ids=["in order", "one", "below", "above", "out of order"],
)
def test_a_place_must_hold_its_buckets_in_order(
    order: list[int], buckets: tuple[int, int], refused: str | None
) -> None:
    frames = [make_frames([("a", bucket)], bucket=bucket)[0] for bucket in order]
    data = b"".join(frame.header() + frame.body for frame in frames)
    place = Place(buckets=buckets, start=0, end=len(data))
    if refused is None:
        ends = [here != after for here, after in pairwise([*order, None])]
        assert [(frame.bucket, frame.ends_segment) for frame in whole_frames(data, place)] == list(
            zip(order, ends, strict=True)
        )
    else:
        with pytest.raises(CorruptBlobError, match=refused):
            whole_frames(data, place)


def test_the_summary_gives_the_bytes_of_each_bucket_and_of_the_whole() -> None:
    blob = make_example()
    summary = blob.summary
    sizes = [sum(HEADER_BYTES + len(f.body) for f in blob.frames() if f.bucket == bucket) for bucket in range(4)]
    assert list(summary.bucket_bytes) == sizes
    assert (sum(sizes), len(blob.data)) == (summary.footer_offset, summary.bytes)


def test_an_empty_blob_has_no_frames() -> None:
    blob = make_blob([])
    assert blob.frames() == []
    assert blob.summary.bucket_bytes == (0, 0, 0, 0)


@pytest.mark.parametrize("order", [[1, 0], [0, 4], [3, 2]], ids=str)
def test_frames_out_of_order_or_of_no_bucket_are_refused(order: list[int]) -> None:
    frames = [make_frames([("a", 1)], bucket=bucket)[0] for bucket in order]
    with pytest.raises(ValueError, match=f"bucket {order[-1]} cannot follow"):
        make_blob(frames)


def test_no_changed_byte_goes_unseen() -> None:
    blob = make_example()
    for at in range(len(blob.data)):
        changed = bytearray(blob.data)
        changed[at] ^= 1 << at % 8
        with pytest.raises(CorruptBlobError):
            Blob(data=bytes(changed), summary=blob.summary).frames()


@pytest.mark.parametrize("length", [0, 1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 5, 300])
def test_a_blob_cut_short_is_refused(length: int) -> None:
    blob = make_example()
    footer = read_footer(blob.data[blob.summary.footer_offset :], crc32=blob.summary.footer_crc32)
    data = blob.data[:length]
    with pytest.raises(CorruptBlobError, match="cut short"):
        list(read_frames(footer, range(4), lambda start, end: data[start:end]))


def test_a_footer_cut_short_is_refused() -> None:
    blob = make_example()
    with pytest.raises(CorruptBlobError, match="footer"):
        read_footer(blob.data[blob.summary.footer_offset : -8], crc32=blob.summary.footer_crc32)


@pytest.mark.parametrize(
    ("ranges", "requests"),
    [
        ([], []),
        ([(0, 10)], [(0, 10)]),
        ([(0, 10), (10, 20)], [(0, 20)]),
        ([(0, 10), (10 + GAP_BYTES, 20 + GAP_BYTES)], [(0, 20 + GAP_BYTES)]),
        ([(0, 10), (11 + GAP_BYTES, 12 + GAP_BYTES)], [(0, 10), (11 + GAP_BYTES, 12 + GAP_BYTES)]),
        ([(5, MIB + 5)], [(5, MIB + 5)]),
        ([(5, MIB + 6)], [(5, MIB + 5), (MIB + 5, MIB + 6)]),
        ([(0, MIB), (MIB, MIB + 1)], [(0, MIB), (MIB, MIB + 1)]),
        ([(0, 10), (MIB, MIB + 10), (MIB + 10, MIB + 20)], [(0, 10), (MIB, MIB + 20)]),
        ([(0, 10), (MIB, 2 * MIB), (2 * MIB, 2 * MIB + 1)], [(0, 10), (MIB, 2 * MIB), (2 * MIB, 2 * MIB + 1)]),
    ],
    ids=[
        "none",
        "one",
        "adjacent",
        "near",
        "far",
        "full",
        "too long",
        "adjacent but full",
        "far, then adjacent",
        "far, then full",
    ],
)
def test_near_ranges_are_read_together_up_to_the_request_size(
    ranges: list[tuple[int, int]], requests: list[tuple[int, int]]
) -> None:
    assert list(plan_requests(ranges, MIB)) == requests


def test_a_value_larger_than_a_request_comes_back() -> None:
    frames = make_frames([("a", random.Random(1).randbytes(1 << 21))])  # noqa: S311 - incompressible
    blob = make_blob(frames)
    footer = read_footer(blob.data[blob.summary.footer_offset :], crc32=blob.summary.footer_crc32)
    read = read_frames(footer, [0], lambda start, end: blob.data[start:end], request_bytes=1000)
    assert contents(list(read)) == contents(frames)


def test_a_frame_without_a_body_may_end_a_segment() -> None:
    empty = StoredFrame(bucket=1, groups=0, rows=0, raw_bytes=0, flags=0, body=b"")
    frames = make_blob([*make_frames([("a", 1)], bucket=1), empty]).frames()
    assert contents(frames)[1:] == [(1, 0, b"", True)]


@pytest.mark.parametrize("extra", [-1, 0, 1], ids=["in one piece", "at the limit", "in two pieces"])
def test_a_frame_about_the_limit_for_one_piece_comes_back(extra: int) -> None:
    body = random.Random(2).randbytes(LARGE_BODY_BYTES + extra)  # noqa: S311 - incompressible
    frame = StoredFrame(bucket=0, groups=0, rows=0, raw_bytes=len(body), flags=0, body=body)
    assert contents(make_blob([frame, *make_frames([("a", 1)], bucket=2)]).frames())[0] == (0, 0, body, True)
