"""A frame comes back as it was packed, ends where it is full, and shows any change to its bytes."""

from dataclasses import replace

import pytest

from podreduce.encoding.codec import Encoded, encode_value
from podreduce.encoding.frame_packing import MAX_RAW_BYTES, MAX_ROWS, FramePacker
from podreduce.encoding.frames import (
    HEADER_BYTES,
    CorruptBlobError,
    StoredFrame,
    check_frame,
    estimate_open_bytes,
    pack_frame,
    pack_ones,
    unpack_frame,
)


def encode_values(*values: object) -> bytes:
    return b"".join(map(encode_value, values))


@pytest.mark.parametrize("text", ["", "short", "a long text " * 10_000], ids=["empty", "stored", "compressed"])
def test_a_frame_comes_back_as_it_was_packed(text: str) -> None:
    data = [encode_values(text, (1, None)), encode_values(2.5)]
    frame = unpack_frame(pack_frame(3, [b"k1", b"key2"], [2, 1], data))
    assert (frame.keys, frame.counts) == ([b"k1", b"key2"], [2, 1])
    assert [frame.data(0), frame.data(1)] == data
    assert [frame.values(0), frame.values(1)] == [[text, (1, None)], [2.5]]


def test_a_frame_of_one_value_a_key_comes_back_group_by_group() -> None:
    values = [5, "x", (1, None), 2**70]
    frame = unpack_frame(pack_ones(3, [b"a", b"b", b"c", b"d"], values))
    assert (frame.keys, frame.counts) == ([b"a", b"b", b"c", b"d"], [1] * 4)
    assert [frame.values(group) for group in range(4)] == [[value] for value in values]
    again = unpack_frame(pack_frame(3, frame.keys, frame.counts, [frame.data(group) for group in range(4)]))
    assert [again.values(group) for group in range(4)] == [[value] for value in values]


def test_a_large_body_is_compressed_and_a_small_or_random_one_is_not() -> None:
    bodies = {size: pack_frame(0, [b"k"], [1], [b"N" * size]).body for size in (10, 100_000)}
    assert len(bodies[10]) > 10
    assert len(bodies[100_000]) < 10_000


def test_a_frame_tells_its_sizes() -> None:
    frame = pack_frame(7, [b"a", b"b"], [3, 1], [encode_values(1, 2, 3), encode_values(4)])
    assert (frame.bucket, frame.groups, frame.rows, frame.raw_bytes) == (7, 2, 4, 2 * 12 + 2 + 20)
    assert len(frame.header()) == HEADER_BYTES


def test_opening_a_frame_is_estimated_above_its_body() -> None:
    frame = pack_frame(0, [b"a"], [1], [b"N" * 100_000])
    assert estimate_open_bytes(frame) > 200_000


def test_a_header_or_body_that_changed_is_refused() -> None:
    frame = pack_frame(1, [b"a", b"b"], [1, 1], [encode_values("x"), encode_values("y")])
    stored = frame.header() + frame.body
    assert check_frame(stored[:HEADER_BYTES], stored[HEADER_BYTES:], ends_segment=False) == frame
    for at in range(len(stored)):
        changed = bytearray(stored)
        changed[at] ^= 1 << at % 8
        with pytest.raises(CorruptBlobError):
            check_frame(bytes(changed[:HEADER_BYTES]), bytes(changed[HEADER_BYTES:]), ends_segment=False)


def pack(groups: list[tuple[int, bytes, list[Encoded]]]) -> list[StoredFrame]:
    frames: list[StoredFrame] = []
    packer = FramePacker(lambda frame, *_: frames.append(frame))
    for bucket, key, values in groups:
        packer.add_values(bucket, key, values)
    packer.flush()
    return frames


ONE = Encoded(encode_value(1))
HALF = Encoded(encode_value("x" * (MAX_RAW_BYTES // 2)))
HUGE = Encoded(encode_value("x" * (50 << 20)))


@pytest.mark.parametrize(
    ("groups", "rows"),
    [
        ([], []),
        ([(0, b"a", [ONE])], [1]),
        ([(0, b"a", [ONE] * (MAX_ROWS - 1))], [MAX_ROWS - 1]),
        ([(0, b"a", [ONE] * MAX_ROWS)], [MAX_ROWS]),
        ([(0, b"a", [ONE] * (MAX_ROWS + 1))], [MAX_ROWS, 1]),
        ([(0, b"a", [ONE] * MAX_ROWS), (0, b"b", [ONE])], [MAX_ROWS, 1]),
        ([(0, b"a", [ONE] * (MAX_ROWS - 1)), (0, b"b", [ONE])], [MAX_ROWS]),
        ([(0, b"a", [ONE]), (1, b"a", [ONE])], [1, 1]),
        ([(0, b"a", [HALF, HALF, HALF])], [1, 1, 1]),
        ([(0, b"a", [ONE]), (0, b"b", [HALF]), (0, b"c", [HALF])], [2, 1]),
        ([(0, b"a", [ONE, HUGE, ONE])], [1, 1, 1]),
        ([(0, b"a", [HUGE])], [1]),
    ],
    ids=[
        "nothing", "one", "a row less than full", "full", "a row more", "full, then a key", "exactly full",
        "two buckets", "by bytes in a group", "by bytes between keys", "50 MB between small", "50 MB alone",
    ],
)  # fmt: skip
def test_a_frame_ends_where_it_is_full(groups: list[tuple[int, bytes, list[Encoded]]], rows: list[int]) -> None:
    frames = pack(groups)
    assert [frame.rows for frame in frames] == rows
    packed = [(stored, unpack_frame(stored)) for stored in frames]
    found = [
        (stored.bucket, key, frame.counts[at], frame.data(at))
        for stored, frame in packed
        for at, key in enumerate(frame.keys)
    ]
    together: dict[tuple[int, bytes], tuple[int, bytes]] = {}
    for bucket, key, count, data in found:
        rows_so_far, data_so_far = together.get((bucket, key), (0, b""))
        together[bucket, key] = (rows_so_far + count, data_so_far + data)
    assert together == {(bucket, key): (len(values), b"".join(values)) for bucket, key, values in groups}


def test_only_readers_know_the_end_of_a_segment() -> None:
    frame = pack_frame(0, [b"a"], [1], [ONE])
    assert not frame.ends_segment
    assert check_frame(frame.header(), frame.body, ends_segment=True) == replace(frame, ends_segment=True)
