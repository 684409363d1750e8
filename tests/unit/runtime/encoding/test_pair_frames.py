"""Frames of pairs: they come back as they were, every damage is found, and no marker is where no frame starts."""

import zlib
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.columnar.value_columns import build_column, captured, find_type
from podreduce.encoding.codec import encode_joined, encode_value
from podreduce.encoding.pair_frames import (
    HEAD_BYTES,
    MARKER,
    CorruptPairsError,
    pack_pairs,
    parse_head,
    unpack_pairs,
)
from tests.support.pairs_oracle import HEAD, read_pairs, write_pairs

GOLDEN = Path(__file__).with_name("version-1.pairs")

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.binary(max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text("ab"), inner)
    ),
    max_leaves=5,
)
PAIRS = st.lists(st.tuples(VALUES, VALUES), max_size=20)
SCRAPS = st.lists(st.sampled_from([MARKER, HEAD, HEAD + b"\0", HEAD[:5], HEAD[1:], b"\0", b"\1", b"x"]))


def pack(pairs: list[tuple[Any, Any]]) -> bytes:
    return pack_pairs(len(pairs), [encode_value(key) for key, _ in pairs], [encode_value(value) for _, value in pairs])


def unpack(frame: bytes) -> list[tuple[Any, Any]]:
    found = unpack_pairs(frame, len(frame))
    return list(zip(found.keys(), found.values(), strict=True))


@given(PAIRS)
def test_pairs_come_back_with_their_types(pairs: list[tuple[Any, Any]]) -> None:
    assert repr(unpack(pack(pairs))) == repr(pairs)


@given(PAIRS)
def test_frames_are_as_the_docs_describe_them(pairs: list[tuple[Any, Any]]) -> None:
    assert pack(pairs) == write_pairs(pairs) or not pairs
    assert repr(read_pairs(pack(pairs))) == repr(pairs)


@given(st.lists(VALUES))
def test_values_encoded_together_are_those_encoded_one_by_one(values: list[Any]) -> None:
    assert encode_joined(values) == b"".join(map(encode_value, values))


@pytest.mark.parametrize("values", [[1, Decimal(1)], [{1}], [[date.min]]], ids=repr)
def test_what_must_be_encoded_one_by_one_is_not_encoded_together(values: list[Any]) -> None:
    assert encode_joined(values) is None


@given(SCRAPS)
def test_a_marker_is_only_where_a_frame_starts(scraps: list[bytes]) -> None:
    value = b"".join(scraps)
    frames = pack([(value, [value, value[1:]])]) + pack([(1, value)]) + pack([])
    starts = [at for at in range(len(frames)) if frames.startswith(MARKER, at)]
    assert starts == [0, len(pack([(value, [value, value[1:]])])), len(frames) - len(pack([]))]
    assert unpack(pack([(value, 1)])) == [(value, 1)]


def test_large_frames_are_compressed_and_come_back() -> None:
    pairs = [(f"key {number}", HEAD * 3) for number in range(1000)]
    frame = pack(pairs)
    assert len(frame) < 20_000
    assert unpack(frame) == read_pairs(frame) == pairs


@pytest.mark.parametrize("size", [4095, 4096, 4097])
def test_frames_of_any_size_come_back(size: int) -> None:
    pairs = [(b"k", bytes(size - 12))]
    assert unpack(pack(pairs)) == pairs


FRAME = pack([("k", 1), ("l", MARKER)])


def test_every_changed_bit_is_found() -> None:
    for bit in range(8 * len(FRAME)):
        changed = bytearray(FRAME)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CorruptPairsError):
            unpack(bytes(changed))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME[:30], "cut short: a header has 56 bytes, and 30 are there"),
        (FRAME[:-1], f"cut short: it has {len(FRAME)} bytes, and {len(FRAME) - 1} are there"),
        (FRAME + b"x", "followed by bytes that are no frame"),
        (b"", "does not begin with the marker"),
    ],
)
def test_what_is_no_whole_frame_is_told(frame: bytes, message: str) -> None:
    with pytest.raises(CorruptPairsError, match=message):
        unpack(frame)


def with_header(frame: bytes, place: int, data: bytes) -> bytes:
    """The frame with other bytes in its header, and with the CRC of that."""
    head = bytearray(frame[:HEAD_BYTES])
    head[place : place + len(data)] = data
    head[20:24] = zlib.crc32(head[24:], zlib.crc32(head[16:20])).to_bytes(4, "little")
    return bytes(head) + frame[HEAD_BYTES:]


@pytest.mark.parametrize(("place", "data"), [(16, b"\2"), (17, b"\4")], ids=["version", "flags"])
def test_a_frame_of_a_later_release_is_told_from_a_damaged_one(place: int, data: bytes) -> None:
    with pytest.raises(CorruptPairsError, match="a later release of podreduce wrote it"):
        parse_head(with_header(FRAME, place, data))


@pytest.mark.parametrize("place", [32, 40], ids=["keys", "body"])
def test_sizes_that_would_take_all_memory_are_refused_at_once(place: int) -> None:
    with pytest.raises(CorruptPairsError, match="sizes that are not possible"):
        parse_head(with_header(FRAME, place, (1 << 50).to_bytes(8, "little")))


@pytest.mark.parametrize(
    ("keys", "more", "possible"),
    [(5, 0, True), (5, 1, False), (5, -1, True), ("all", 0, True), ("one more", 0, False)],
)
def test_a_body_was_at_most_256_times_as_large_and_has_its_keys_in_it(
    keys: int | str, more: int, possible: bool
) -> None:
    raw_bytes = 256 * (len(FRAME) - HEAD_BYTES + 1) + more
    key_bytes = {"all": raw_bytes, "one more": raw_bytes + 1}.get(str(keys), keys)
    frame = with_header(
        with_header(FRAME, 32, int(key_bytes).to_bytes(8, "little")), 40, raw_bytes.to_bytes(8, "little")
    )
    if possible:
        assert parse_head(frame).raw_bytes == raw_bytes
    else:
        with pytest.raises(CorruptPairsError, match="sizes that are not possible"):
            parse_head(frame)


OF_EACH_TYPE: list[tuple[Any, Any]] = [
    (None, True),
    (False, 0),
    (-1, 10**30),
    (1.0, -0.0),
    (float("inf"), 1e-320),
    ("", "é\ud800\U0001f642"),
    (b"", b"\xff\0" + MARKER),
    ((1, (2.0, ())), [[], (), {}]),
    ({"b": 1, "a": (None,)}, {1: 2, (3, 4): [5]}),
    (Decimal("1.50"), Decimal("-Infinity")),
    (date(2024, 2, 29), time(1, 2, 3, 4, fold=1)),
    (datetime(2024, 7, 1, 12), datetime(2024, 7, 1, 12, tzinfo=UTC)),  # noqa: DTZ001 - naive
    (
        datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
        datetime(2024, 7, 1, tzinfo=timezone(timedelta(hours=-3), "three")),
    ),
    (timedelta(days=-1, microseconds=1), UUID(int=7)),
    ([Decimal("1E+3"), "a"], {"when": [date(1, 1, 1)]}),
]
OFTEN = [(number, f"value {number % 10}") for number in range(2000)]


def exactly(item: Any) -> Any:
    """An item such that only the same of the same types equals it."""
    if isinstance(item, tuple | list):
        return type(item), [*map(exactly, item)]
    if isinstance(item, dict):
        return [(exactly(name), exactly(each)) for name, each in item.items()]
    return type(item), repr(item)


def test_an_object_of_the_first_version_is_read_for_ever() -> None:
    """The file was written once. If this fails, objects in people's buckets can no longer be read."""
    data = GOLDEN.read_bytes()
    second = data.index(MARKER, 1)
    assert exactly(unpack(data[:second])) == exactly(OF_EACH_TYPE)
    assert exactly(unpack(data[second:])) == exactly(OFTEN)


def test_an_earlier_release_reads_what_this_one_writes() -> None:
    """If this fails, the encoding changed, and needs another version."""
    data = GOLDEN.read_bytes()
    assert pack(OF_EACH_TYPE) == data[: data.index(MARKER, 1)]


@given(st.lists(st.integers(-9, 9) | st.none()), st.lists(st.tuples(st.text(max_size=2), st.floats(allow_nan=False))))
def test_columns_of_values_read_back(numbers: list[Any], rows: list[Any]) -> None:
    for values in (numbers, rows):
        items = [captured(value)[0] for value in values]
        found = build_column(items, find_type(items)).to_pylist()
        assert found == [{"_1": value[0], "_2": value[1]} if type(value) is tuple else value for value in values]
