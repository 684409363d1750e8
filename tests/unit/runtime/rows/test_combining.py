"""When a combiner is called and with how many values, in memory and over merged runs; what aggregates are packed as."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from podreduce.encoding.codec import encode_key
from podreduce.encoding.frame_packing import FramePacker
from podreduce.encoding.frames import AnyFrame, OnesFrame, unpack_frame
from podreduce.rows.combining import Combiner, PackGroup, aggregating
from tests.support.blobs import make_frames

KEY = encode_key("k")
COMBINERS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "sum": lambda values: [sum(values)],
    "half": lambda values: values[::2],
    "all": lambda values: values,
}


def watched(name: str) -> tuple[Combiner, list[int]]:
    """A combiner, and how many values it got each time."""
    calls: list[int] = []

    def combine(key: Any, values: list[Any]) -> list[Any]:
        assert key == "k"
        calls.append(len(values))
        return COMBINERS[name](values)

    return Combiner(combine), calls


@pytest.mark.parametrize(
    ("rows_in", "rows_out", "pays"),
    [(0, 0, True), (8191, 8191, True), (8192, 8192, False), (10_000, 8000, True), (10_000, 8001, False)],
)
def test_a_combiner_pays_until_it_is_known_to_leave_more_than_four_fifths(
    rows_in: int, rows_out: int, pays: bool
) -> None:
    combiner, _ = watched("sum")
    combiner.rows_in, combiner.rows_out = rows_in, rows_out
    assert combiner.pays is pays


@pytest.mark.parametrize(
    ("name", "count", "sizes"),
    [
        ("sum", 1, []),
        ("sum", 2, [2]),
        ("sum", 8192, [8192]),
        ("sum", 8193, [8192, 1, 2]),
        ("half", 16_384, [8192, 8192, 8192]),
        ("all", 16_384, [8192, 8192]),
    ],
)
def test_a_group_in_memory_is_combined_by_batches_and_what_they_leave_once_more(
    name: str, count: int, sizes: list[int]
) -> None:
    combiner, calls = watched(name)
    left = combiner.combine("k", [1] * count)
    assert calls == sizes
    assert (combiner.rows_in, combiner.rows_out) == (count, len(left))
    assert name != "sum" or left == [count]


def pack(pack_group: PackGroup, pieces: list[list[Any]]) -> list[tuple[AnyFrame, list[Any]]]:
    """The values of each group that a key's pieces make, with its frame."""
    frames = [unpack_frame(frame) for piece in pieces for frame in make_frames([("k", each) for each in piece])]
    found: list[tuple[AnyFrame, list[Any]]] = []

    def emit(stored: Any, keys: Any, *_: Any) -> None:
        frame = unpack_frame(stored)
        found.extend((frame, frame.values(at)) for at in range(len(keys)))

    packer = FramePacker(emit)
    pack_group(packer, 0, KEY, [(frame, 0) for frame in frames])
    packer.flush()
    return found


@pytest.mark.parametrize(
    ("pieces", "combined", "left"),
    [
        ([5], [], [5]),
        ([5, 3], [8], [1]),
        ([8000, 191, 5], [8196], [1]),
        ([8000, 192, 5], [8192], [1, 5]),
        ([8000, 192, 8000, 191, 5], [8192, 8196], [1, 1]),
        ([8000, 192, 8000, 192, 5, 6], [8192, 8192, 11], [1, 1, 1]),
    ],
)
def test_pieces_of_a_key_are_combined_some_at_a_time_and_a_single_one_is_left(
    pieces: list[int], combined: list[int], left: list[int]
) -> None:
    combiner, calls = watched("sum")
    found = [values for _, values in pack(combiner.pack_group, [[1] * size for size in pieces])]
    assert calls == combined
    assert list(map(len, found)) == left
    assert sum(map(sum, found)) == sum(pieces)
    assert (combiner.rows_in, combiner.rows_out) == (sum(combined), len(combined))


def test_pieces_are_passed_on_once_combining_does_not_pay() -> None:
    combiner, calls = watched("sum")
    combiner.rows_in = combiner.rows_out = 10_000
    assert [values for _, values in pack(combiner.pack_group, [[1, 2], [3]])] == [[1, 2], [3]]
    assert calls == []


def test_one_aggregate_is_packed_as_one_value_and_what_cannot_be_one_as_several() -> None:
    ((frame, values),) = pack(aggregating("sum"), [[1, 2], [3]])
    assert (values, type(frame)) == ([6], OnesFrame)
    ((_, values),) = pack(aggregating("max"), [[(1, math.nan)], [(0, 5)]])
    assert repr(values) == repr([(1, math.nan)])
    ((_, values),) = pack(aggregating("max"), [[(math.nan,)], [(1.0,)], [(2.0,)]])
    assert repr(values) == repr([(math.nan,), (2.0,)])
