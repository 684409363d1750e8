"""A frame comes back as it was packed, ends where it is full, and shows any change to its bytes."""

import random
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from podreduce.encoding.codec import LIST_MARK, Encoded, encode_key, encode_value
from podreduce.encoding.frame_packing import MAX_RAW_BYTES, MAX_ROWS, FramePacker
from podreduce.encoding.frames import (
    FLAG_LZ4,
    FLAG_ONES,
    HEADER_BYTES,
    KIND_COLUMNS,
    LEAST_COMPRESSED,
    SAMPLE_BYTES,
    CorruptBlobError,
    StoredFrame,
    check_frame,
    compress_body,
    estimate_open_bytes,
    pack_frame,
    pack_ones,
    parse_header,
    plain_body,
    unpack_frame,
)

MIB = 1 << 20


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


def test_groups_that_are_listed_and_others_come_back_from_one_frame() -> None:
    groups: list[list[Any]] = [[1, "a"], ["word"] * 50, [None], ["x", "x"] * 20, [(2, "b")]]
    frames = pack([(0, encode_key(number), values) for number, values in enumerate(groups)])
    frame = unpack_frame(frames[0])
    assert [frame.data(number).startswith(LIST_MARK) for number in range(5)] == [False, True, False, True, False]
    for order in (range(5), range(4, -1, -1)):
        frame = unpack_frame(frames[0])
        assert [(number, frame.values(number)) for number in order] == [(number, groups[number]) for number in order]


def noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)  # noqa: S311 - what cannot be compressed


def zeros_about(middle: bytes) -> bytes:
    """A mebibyte with this in its middle, where the sample is taken."""
    return bytes(MIB // 2) + middle + bytes(MIB // 2 - len(middle))


@pytest.mark.parametrize(
    ("body", "is_compressed"),
    [
        (bytes(LEAST_COMPRESSED - 1), False),
        (bytes(LEAST_COMPRESSED), True),
        (noise(LEAST_COMPRESSED), False),
        (noise(LEAST_COMPRESSED)[37:] + b"N" * 37, False),
        (noise(LEAST_COMPRESSED)[38:] + b"N" * 38, True),
        (bytes(SAMPLE_BYTES - 1) + noise(SAMPLE_BYTES), True),
        (bytes(SAMPLE_BYTES) + noise(SAMPLE_BYTES), False),
        (bytes(MIB), True),
        (zeros_about(noise(SAMPLE_BYTES)), False),
        (zeros_about(noise(SAMPLE_BYTES - SAMPLE_BYTES // 12)), False),
        (zeros_about(noise(SAMPLE_BYTES - SAMPLE_BYTES // 8)), True),
    ],
    ids=[
        "small", "least", "random", "as large as before", "smaller by a byte", "under two samples", "two samples",
        "large", "random in the middle", "shrinks by a twelfth", "shrinks by an eighth",
    ],
)  # fmt: skip
def test_what_shrinks_is_compressed_and_of_a_large_body_a_sample_decides(body: bytes, is_compressed: bool) -> None:
    stored = compress_body(3, body, groups=5, rows=7, flags=FLAG_ONES, kind=KIND_COLUMNS)
    assert (stored.bucket, stored.groups, stored.rows, stored.raw_bytes) == (3, 5, 7, len(body))
    assert (stored.kind, stored.flags) == (KIND_COLUMNS, FLAG_ONES | (FLAG_LZ4 if is_compressed else 0))
    assert (len(stored.body) < len(body)) == is_compressed
    assert type(stored.body) is type(plain_body(stored)) is bytes
    assert plain_body(stored) == body


def test_a_frame_tells_its_sizes() -> None:
    frame = pack_frame(7, [b"a", b"b"], [3, 1], [encode_values(1, 2, 3), encode_values(4)])
    assert (frame.bucket, frame.groups, frame.rows, frame.raw_bytes) == (7, 2, 4, 2 * 12 + 2 + 20)
    assert len(frame.header()) == HEADER_BYTES


def measure_open_bytes(stored: StoredFrame) -> int:
    """How much memory a frame takes with all of its values."""
    tracemalloc.start()
    frame = unpack_frame(stored)
    values = [frame.values(group) for group in range(len(frame.keys))]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(values) == stored.groups
    return taken


MANY = range(1000, 9000)


@pytest.mark.parametrize(
    "stored",
    [
        pack_frame(0, [b"a"], [1], [encode_value("N" * 200_000)]),
        pack_frame(0, [b"k%d" % number for number in MANY], [1] * 8000, [encode_value(number) for number in MANY]),
        pack_frame(0, [b"a"], [8000], [encode_values(*MANY)]),
        pack_ones(0, [b"k%d" % number for number in MANY], [*MANY]),
        pack_frame(0, [], [], []),
    ],
    ids=["one value", "many keys", "many values of a key", "a value a key", "nothing"],
)
def test_an_open_frame_takes_no_more_memory_than_is_estimated_and_not_much_less(stored: StoredFrame) -> None:
    measured = measure_open_bytes(stored)
    assert measured <= estimate_open_bytes(stored) <= 2.5 * measured + 2000


@pytest.mark.parametrize(("version", "kind"), [(0, 0), (2, 0), (2, 1), (1, 2), (2, 2)])
def test_a_frame_of_another_release_is_refused_by_its_version_and_kind(version: int, kind: int) -> None:
    header = bytearray(StoredFrame(bucket=0, groups=0, rows=0, raw_bytes=0, flags=0, body=b"").header())
    header[:2] = version, kind
    with pytest.raises(CorruptBlobError, match=f"version {version}, kind {kind}: corrupt, or of another release"):
        parse_header(header)


def test_a_header_or_body_that_changed_is_refused() -> None:
    frame = pack_frame(1, [b"a", b"b"], [1, 1], [encode_values("x"), encode_values("y")])
    stored = frame.header() + frame.body
    assert check_frame(stored[:HEADER_BYTES], stored[HEADER_BYTES:], ends_segment=False) == frame
    for at in range(len(stored)):
        changed = bytearray(stored)
        changed[at] ^= 1 << at % 8
        with pytest.raises(CorruptBlobError):
            check_frame(bytes(changed[:HEADER_BYTES]), bytes(changed[HEADER_BYTES:]), ends_segment=False)


def pack(groups: list[tuple[int, bytes, list[Any]]]) -> list[StoredFrame]:
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
