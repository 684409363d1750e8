"""A merge is the stable sort of the runs put together, however they are cut into frames."""

from collections.abc import Iterator
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podreduce.encoding.codec import decode_key, encode_key
from podreduce.encoding.frames import StoredFrame
from podreduce.encoding.merge import merge_runs
from tests.support.blobs import Record, make_frames

RUNS = st.lists(st.lists(st.tuples(st.sampled_from("abcdefg"), st.integers(0, 9)), max_size=12), max_size=5)


def merge(runs: list[list[StoredFrame]]) -> list[tuple[Any, list[Any]]]:
    return [
        (decode_key(key), [value for frame, group in pieces for value in frame.values(group)])
        for key, pieces in merge_runs(map(iter, runs))
    ]


def sort_stably(runs: list[list[Record]]) -> list[tuple[Any, list[Any]]]:
    together = sorted((record for run in runs for record in run), key=itemgetter(0))
    return [(key, [value for _, value in group]) for key, group in groupby(together, key=itemgetter(0))]


@given(RUNS, st.integers(1, 5))
@example([], 1)
@example([[]], 1)
@example([[("a", 1)]], 1)
@example([[("a", 1)] * 7, [("a", 2)] * 3, [("b", 1)]], 2)
@example([[("b", n) for n in range(6)], [("a", 1), ("b", 7), ("c", 1)]], 3)
def test_a_merge_is_the_stable_sort_of_the_runs_put_together(runs: list[list[Record]], frame_rows: int) -> None:
    assert merge([make_frames(run, frame_rows=frame_rows) for run in runs]) == sort_stably(runs)


@given(RUNS, st.integers(1, 5))
def test_a_run_is_not_asked_for_more_after_its_last_frame(runs: list[list[Record]], frame_rows: int) -> None:
    def refuse() -> Iterator[StoredFrame]:
        yield from pytest.fail("the frame before was the last")

    watched = [chain(make_frames(run, frame_rows=frame_rows), refuse()) for run in runs if run]
    assert sum(len(list(pieces)) > 0 for _, pieces in merge_runs(watched)) == len(sort_stably(runs))


def test_runs_that_do_not_mark_their_last_frame_merge_all_the_same() -> None:
    first, second = make_frames([("a", 1), ("b", 2)], frame_rows=1), make_frames([("b", 3)])
    assert merge([first[:1], second, first[1:1]]) == [("a", [1]), ("b", [3])]


@given(RUNS, st.integers(1, 3), st.lists(st.integers(0, 4), min_size=7, max_size=7))
def test_what_is_left_of_a_group_is_skipped(runs: list[list[Record]], frame_rows: int, takes: list[int]) -> None:
    expected = [(key, values[:take]) for (key, values), take in zip(sort_stably(runs), takes, strict=False)]
    merged = merge_runs(iter(make_frames(run, frame_rows=frame_rows)) for run in runs)
    found = []
    for (key, pieces), take in zip(merged, takes, strict=False):
        values = (value for frame, group in pieces for value in frame.values(group))
        found.append((decode_key(key), [value for _, value in zip(range(take), values, strict=False)]))
    assert found == expected


def test_a_key_over_many_frames_is_streamed_holding_one_frame_a_run() -> None:
    loaded: list[int] = []

    def watch(run: int, frames: list[StoredFrame]) -> Iterator[StoredFrame]:
        for frame in frames:
            loaded.append(run)
            yield frame

    runs = [make_frames([("heavy", n) for n in range(100)], frame_rows=1) for _ in range(2)]
    merged = merge_runs(watch(number, frames) for number, frames in enumerate(runs))
    key, pieces = next(merged)
    assert key == encode_key("heavy")
    assert loaded == [0, 1]
    for taken, _ in enumerate(pieces, start=1):
        assert len(loaded) <= taken + 1
    assert loaded.count(0) == loaded.count(1) == 100
