"""Merges sorted runs by blocks. Rule: values of a key keep the order of the runs; memory is one frame per run.

A heap would compare Python objects record by record. Instead, each run has one frame loaded. Let K be the least of the
loaded frames' last keys (of runs that have more frames). All keys less than K are already loaded, so they are put
together in run order and sorted by one stable sort, which only merges sorted stretches. Then K itself, which may
continue over any number of frames, is streamed run by run. Each round uses up at least one frame.

    run 0:  [a c d] [f ...      K = d:  a, b, c from the sort,
    run 1:  [b d e] [e ...              then d streamed: run 0's (continued in its next frame), run 1's
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from typing import TypeAlias

from podreduce.encoding.frames import AnyFrame, StoredFrame, unpack_frame

__all__ = ["Group", "Piece", "merge_runs"]

Piece: TypeAlias = tuple[AnyFrame, int]
"""Some values of a key: a frame and the group's number in it."""

Group: TypeAlias = tuple[bytes, Iterable[Piece]]
"""An encoded key and an iterator of the pieces of its values. Use it up once, before taking the next group."""


class Cursor:
    """A run being merged: the loaded frame's keys, and the first group not taken yet."""

    __slots__ = ("_frames", "at", "frame", "is_last", "keys")

    def __init__(self, frames: Iterator[StoredFrame]) -> None:
        self._frames = frames
        self.refill()

    def refill(self) -> bool:
        """Load the next frame; without a next frame, set `is_last` and leave no keys."""
        self.frame: AnyFrame | None = None  # free it before the next one is made
        stored = next(self._frames, None)
        self.at, self.is_last = 0, stored is None or stored.ends_segment
        self.frame = unpack_frame(stored) if stored else None
        self.keys = self.frame.keys if self.frame else []
        return bool(self.keys)

    def has_groups(self) -> bool:
        """Tell whether there is a group to take; load the next frame if the last is used up."""
        return self.at < len(self.keys) or (not self.is_last and self.refill())

    def take_until(self, end: int) -> Iterator[Piece]:
        """Return the pieces of the groups up to `end`, and advance to it."""
        if self.frame is None:
            raise ValueError("no frame is loaded")
        start, self.at = self.at, end
        return zip(repeat(self.frame), range(start, end))


def merge_runs(runs: Iterable[Iterator[StoredFrame]]) -> Iterator[Group]:
    """Yield the groups of sorted runs in key order, a key's pieces in the order of the runs.

    A run's last frame must have `ends_segment`. Pieces that the caller does not iterate over are skipped.
    """
    cursors = list(map(Cursor, runs))
    while cursors:
        cut = min((cursor.keys[-1] for cursor in cursors if not cursor.is_last), default=None)
        yield from merge_below(cursors, cut)
        if cut is not None:
            pieces = stream_key(cursors, cut)
            yield cut, pieces
            for _ in pieces:  # skip what the caller left
                pass
        cursors = [cursor for cursor in cursors if cursor.has_groups()]


def merge_below(cursors: Sequence[Cursor], cut: bytes | None) -> Iterator[Group]:
    """Take all loaded groups below `cut` (None: all) and yield them merged."""
    keys: list[bytes] = []
    taken: list[Iterator[Piece]] = []
    for cursor in cursors:
        end = len(cursor.keys) if cut is None else bisect_left(cursor.keys, cut, cursor.at)
        if end > cursor.at:
            keys += cursor.keys[cursor.at : end]
            taken.append(cursor.take_until(end))
    order = range(len(keys)) if len(taken) < 2 else sorted(range(len(keys)), key=keys.__getitem__)  # noqa: PLR2004
    return group_adjacent(keys, list(chain.from_iterable(taken)), order)


def group_adjacent(keys: Sequence[bytes], pieces: Sequence[Piece], order: Iterable[int]) -> Iterator[Group]:
    """Yield each key once with its pieces; `order` brings equal keys together."""
    current, group = b"", []
    for index in order:
        key = keys[index]
        if key == current:
            group.append(pieces[index])
            continue
        if group:
            yield current, group
        current, group = key, [pieces[index]]
    if group:
        yield current, group


def stream_key(cursors: Iterable[Cursor], key: bytes) -> Iterator[Piece]:
    """Yield the pieces of `key`, the least key not taken yet, run by run; load frames as needed."""
    for cursor in cursors:
        while cursor.has_groups() and cursor.keys[cursor.at] == key:
            yield from cursor.take_until(cursor.at + 1)
