"""Where frames end, to the value and to the byte, and which form the values of a group have in them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from podreduce.encoding.codec import LIST_MARK, Encoded, encode_list, encode_value
from podreduce.encoding.frame_packing import (
    HEADER_BYTES,
    LEAST_LISTED,
    MAX_RAW_BYTES,
    MAX_ROWS,
    NUMBER_BYTES,
    SAMPLE_VALUES,
    FramePacker,
    cut_values,
    encode_group,
    rows_of_frame,
)
from podreduce.encoding.frames import GROUP_BYTES, StoredFrame, unpack_frame

HALF = MAX_RAW_BYTES // 2
ROOM = MAX_RAW_BYTES - GROUP_BYTES - 1
"""What the data of a group with a key of one byte may take in a frame of its own."""


@dataclass(slots=True, kw_only=True)
class Packed:
    """A packer and what it has emitted."""

    frames: list[StoredFrame] = field(default_factory=list)
    told: list[tuple[list[bytes], list[int], list[int]]] = field(default_factory=list)
    packer: FramePacker = field(init=False)

    def __post_init__(self) -> None:
        self.packer = FramePacker(self.take)

    def take(self, frame: StoredFrame, keys: Sequence[bytes], counts: Sequence[int], sizes: Sequence[int]) -> None:
        self.frames.append(frame)
        self.told.append(([*keys], [*counts], [*sizes]))

    def rows(self) -> list[tuple[int, int]]:
        """Each frame's bucket and values, those of the last one included."""
        self.packer.flush()
        return [(frame.bucket, frame.rows) for frame in self.frames]


@pytest.mark.parametrize(
    ("groups", "rows"),
    [
        ([(1, ROOM)], [1]),
        ([(1, ROOM), (1, 0)], [1, 1]),
        ([(1, HALF), (1, ROOM - HALF - GROUP_BYTES - 1)], [2]),
        ([(1, HALF), (1, ROOM - HALF - GROUP_BYTES)], [1, 1]),
        ([(1, ROOM), (1, HALF), (1, ROOM - HALF - GROUP_BYTES - 1)], [1, 2]),
        ([(1, ROOM), (1, HALF), (1, ROOM - HALF - GROUP_BYTES)], [1, 1, 1]),
        ([(MAX_ROWS, 5), (MAX_ROWS - 1, 5), (1, 5)], [MAX_ROWS, MAX_ROWS]),
        ([(MAX_ROWS, 5), (MAX_ROWS - 1, 5), (1, 5), (1, 5)], [MAX_ROWS, MAX_ROWS, 1]),
        ([(MAX_ROWS + 5, 5), (1, 5)], [MAX_ROWS + 5, 1]),
    ],
)
def test_a_frame_of_groups_is_full_to_the_byte_and_to_the_value(groups: list[tuple[int, int]], rows: list[int]) -> None:
    packed = Packed()
    for count, size in groups:
        packed.packer.add(2, b"k", count, bytes(size))
    assert packed.rows() == [(2, each) for each in rows]
    assert [count for _, counts, _ in packed.told for count in counts] == [count for count, _ in groups]
    assert [size for _, _, sizes in packed.told for size in sizes] == [size for _, size in groups]


@pytest.mark.parametrize("value", [1, "abc", (1, "a")], ids=repr)
@pytest.mark.parametrize(("extra", "rows"), [(-1, [2, 1]), (0, [2, 1]), (1, [1, 2])], ids=["under", "full", "over"])
def test_a_frame_of_single_values_is_full_when_it_is_over_its_bytes(value: Any, extra: int, rows: list[int]) -> None:
    size = NUMBER_BYTES if type(value) is int else len(encode_value(value))
    packed = Packed()
    packed.packer.add_one(0, b"a", value)
    packed.packer.flush()
    packed.packer.add_one(0, bytes(MAX_RAW_BYTES - size + extra), value)
    packed.packer.add_one(0, b"b", value)
    packed.packer.add_one(0, b"c", value)
    assert packed.rows() == [(0, 1), *((0, each) for each in rows)]


def test_single_values_and_groups_have_frames_of_their_own() -> None:
    packed = Packed()
    packed.packer.add_one(0, b"a", 1)
    packed.packer.add(0, b"b", 1, encode_value(2))
    packed.packer.add_one(0, b"c", 3)
    packed.packer.add_one(1, b"d", 4)
    packed.packer.add_one(1, b"e", 5)
    packed.packer.add(2, b"f", 1, encode_value(6))
    assert packed.rows() == [(0, 1), (0, 1), (0, 1), (1, 2), (2, 1)]
    opened = map(unpack_frame, packed.frames)
    assert [frame.values(group) for frame in opened for group in range(len(frame.keys))] == [[n] for n in range(1, 7)]
    assert packed.told[3] == ([b"d", b"e"], [1, 1], [NUMBER_BYTES, NUMBER_BYTES])


@pytest.mark.parametrize(
    ("keys", "values", "rows"),
    [
        ([], [], [2]),
        ([b"k"] * 3, [1, 2.5, 3], [1, 3, 1]),
        ([b"k"] * 3, [1, 2, "x" * MAX_RAW_BYTES], [4, 1]),
        ([b"k"] * MAX_ROWS, [1] * MAX_ROWS, [1, MAX_ROWS, 1]),
        ([b"k"] * (MAX_ROWS + 1), [1] * (MAX_ROWS + 1), [MAX_ROWS, 3]),
        ([bytes(HALF)] * 2, [1, 2], [1, 2, 1]),
        ([bytes(HALF), bytes(HALF + 1)], [1, 2], [3, 1]),
    ],
    ids=["none", "numbers", "another type", "as many as fit", "one too many", "as many bytes", "a byte too many"],
)
def test_single_numbers_that_fit_are_a_frame_at_once(keys: list[bytes], values: list[Any], rows: list[int]) -> None:
    packed = Packed()
    packed.packer.add_one(3, b"a", 0)
    packed.packer.add_ones(3, keys, values)
    packed.packer.add_one(3, b"z", 9)
    assert packed.rows() == [(3, each) for each in rows]
    opened = map(unpack_frame, packed.frames)
    found = [(key, frame.values(group)) for frame in opened for group, key in enumerate(frame.keys)]
    assert found == [(b"a", [0]), *((key, [value]) for key, value in zip(keys, values, strict=True)), (b"z", [9])]


def test_single_values_without_their_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        Packed().packer.add_ones(0, [b"a"], ["x", "y"])


@pytest.mark.parametrize(
    ("values", "is_listed"),
    [
        (["a"] * LEAST_LISTED, True),
        (["a"] * (LEAST_LISTED - 1), False),
        ([1] * LEAST_LISTED, False),
        (["a", *[1] * LEAST_LISTED], True),
        ([1, *["a"] * LEAST_LISTED], False),
        ([*["a"] * LEAST_LISTED, 1], True),
        ([*["a"] * LEAST_LISTED, Encoded(encode_value([1]))], False),
    ],
    ids=["strs", "few", "ints", "a str first", "an int first", "an int last", "one that was encoded"],
)
def test_many_strs_are_stored_as_a_list(values: list[Any], is_listed: bool) -> None:
    data = encode_group(values)
    assert data == (
        encode_list(values)
        if is_listed
        else b"".join(each if type(each) is Encoded else encode_value(each) for each in values)
    )


def strs_of(data_bytes: int) -> list[str]:
    """So many distinct strs that their list takes just these bytes."""
    values = [f"{number:03}" + "x" * (data_bytes // LEAST_LISTED - 20) for number in range(LEAST_LISTED)]
    return [*values[:-1], values[-1] + "x" * (data_bytes - len(encode_list(values)))]


@pytest.mark.parametrize(
    ("values", "rows", "listed"),
    [
        (["a"] * 40, [40], 1),
        (strs_of(MAX_RAW_BYTES), [LEAST_LISTED], 1),
        (strs_of(MAX_RAW_BYTES + 1), [LEAST_LISTED], 0),
        (["x" * (HALF + 1)] * 2, [1, 1], 0),
        (["x" * (2 * MAX_RAW_BYTES)], [1], 0),
        ([1] * (MAX_ROWS + 1), [MAX_ROWS, 1], 0),
    ],
    ids=["small", "full", "a byte more", "two large ones", "a very large one", "many"],
)
def test_a_group_is_cut_where_it_is_larger_than_a_frame(values: list[Any], rows: list[int], listed: int) -> None:
    packed = Packed()
    packed.packer.add_values(0, b"k", values)
    assert packed.rows() == [(0, each) for each in rows]
    opened = [unpack_frame(frame) for frame in packed.frames]
    assert [value for frame in opened for value in frame.values(0)] == values
    assert sum(frame.data(0).startswith(LIST_MARK) for frame in opened) == listed


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ([1] * SAMPLE_VALUES, SAMPLE_VALUES),
        ([1] * (SAMPLE_VALUES + 1), MAX_ROWS),
        (["x" * 951] * (SAMPLE_VALUES + 1), MAX_RAW_BYTES // (1000 - HEADER_BYTES)),
        (
            ["", *["x" * 951] * SAMPLE_VALUES],
            MAX_RAW_BYTES // ((49 + SAMPLE_VALUES * 1000) // (SAMPLE_VALUES + 1) - HEADER_BYTES),
        ),
        (["x" * (2 * MAX_RAW_BYTES)] * (SAMPLE_VALUES + 1), 1),
    ],
    ids=["few", "small", "of a kilobyte", "the first is small", "large"],
)
def test_a_sample_says_how_many_values_to_encode_at_a_time(values: list[Any], rows: int) -> None:
    assert rows_of_frame(values) == rows


@pytest.mark.parametrize(
    ("sizes", "cut"),
    [
        ([1], [[1]]),
        ([HALF, HALF], [[HALF, HALF]]),
        ([HALF, HALF + 1], [[HALF], [HALF + 1]]),
        ([MAX_RAW_BYTES + 1], [[MAX_RAW_BYTES + 1]]),
        ([MAX_RAW_BYTES, HALF, HALF], [[MAX_RAW_BYTES], [HALF, HALF]]),
        ([MAX_RAW_BYTES, HALF, HALF + 1], [[MAX_RAW_BYTES], [HALF], [HALF + 1]]),
        ([1, MAX_RAW_BYTES + 1, 1], [[1], [MAX_RAW_BYTES + 1], [1]]),
    ],
)
def test_values_are_cut_into_lists_that_fit_a_frame(sizes: list[int], cut: list[list[int]]) -> None:
    assert [[len(each) for each in piece] for piece in cut_values([bytes(size) for size in sizes])] == cut
