"""The reduce task's buffer: takes the maps' segments in map order, spills what does not fit, yields groups.

Segments are held as they came, compressed, many times smaller than their objects. They may take half of the budget. The
other half is for frames that are open while segments are merged, to scratch or to the program.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from podreduce.encoding.codec import Value
from podreduce.encoding.frames import StoredFrame, estimate_open_bytes
from podreduce.encoding.merge import Group, Piece, merge_runs
from podreduce.rows.runs import RunStack, RunWriter, pack_group

__all__ = ["ReduceInput"]

STORED_FRAME_BYTES: Final = 400
"""How much memory a held frame takes besides its body, with its share of the run."""


@dataclass(slots=True, kw_only=True)
class HeldRun:
    """A segment in memory; its frames are freed as they are taken."""

    stored: list[StoredFrame] = field(default_factory=list)
    open_bytes: int = 0

    def add(self, frame: StoredFrame) -> None:
        """Hold one more frame."""
        self.stored.append(frame)
        self.open_bytes = max(self.open_bytes, estimate_open_bytes(frame))

    def frames(self) -> Iterator[StoredFrame]:
        """Yield the frames, once."""
        self.stored.reverse()
        while self.stored:
            yield self.stored.pop()


class ReduceInput:
    """Collects one partition's segments and merges them.

    Args:
        budget_bytes: how many bytes may be held in memory (`memory.buffer_budget_bytes`).
        scratch_directory: where runs are spilled.

    Attributes:
        records: how many values came; `stored_bytes` is the size of their frames; `reduced` is how many were yielded.
        spills: how many runs were spilled.
    """

    input_share = 0.5

    def __init__(self, *, budget_bytes: int, scratch_directory: str) -> None:
        self._budget_bytes = budget_bytes // 2
        self._directory = scratch_directory
        self._runs = RunStack(buckets=1, budget_bytes=self._budget_bytes, directory=scratch_directory)
        self._held: list[HeldRun] = []
        self._held_bytes = 0
        self.records = 0
        self.reduced = 0
        self.stored_bytes = 0
        self.spills = 0

    def add_blob(self, frames: Iterable[StoredFrame]) -> None:
        """Add one map output's frames (`blobs.read_frames`); call it in map index order.

        Raises:
            ScratchFullError: the scratch volume has no space for a spill.
        """
        run = HeldRun()
        for frame in frames:
            if not run.stored:
                self._held.append(run)
            run.add(frame)
            self.records += frame.rows
            self.stored_bytes += len(frame.body)
            self._held_bytes += len(frame.body) + STORED_FRAME_BYTES
            full = self._held_bytes > self._budget_bytes
            if full:
                self._spill()
            if full or frame.ends_segment:
                run = HeldRun()

    def groups(self) -> Iterator[tuple[bytes, Iterator[Value]]]:
        """Yield each encoded key with its values, in key order. Call it once, after the last blob.

        A key's values come in (map index, position) order. They are streamed: read them before the next group, which
        skips the rest of them.

        Raises:
            ScratchFullError: the scratch volume has no space for a spill.
        """
        for key, pieces in self._merge():
            yield key, self._decode(pieces)
        self._runs.close()

    def _decode(self, pieces: Iterable[Piece]) -> Iterator[Value]:
        """Return an iterator over a group's values; a generator would be slower for each value."""
        return chain.from_iterable(self._hand_out(frame.values(group)) for frame, group in pieces)

    def _hand_out(self, values: list[Value]) -> list[Value]:
        """Count values that the program is about to get."""
        self.reduced += len(values)
        return values

    def _merge(self) -> Iterator[Group]:
        """Merge from memory if nothing was spilled and all segments can be open at once, else from scratch."""
        if not len(self._runs) and sum(run.open_bytes for run in self._held) <= self._budget_bytes:
            return merge_runs(run.frames() for run in self._held)
        self._spill()
        self._runs.settle()
        return self._runs.groups(0)

    def _spill(self) -> None:
        """Write the held segments as runs, each of as many segments as can be open together."""
        for held in cut_by_open_bytes(self._held, self._budget_bytes):
            writer = RunWriter(self._directory, buckets=1)
            for key, pieces in merge_runs(run.frames() for run in held):
                pack_group(writer.packer, 0, key, pieces)
            self._runs.push(writer.finish())
            self.spills += 1
        self._held, self._held_bytes = [], 0


def cut_by_open_bytes(runs: Iterable[HeldRun], budget_bytes: int) -> Iterator[list[HeldRun]]:
    """Yield neighbouring runs in lists that fit the budget when open; a run that does not fit is alone."""
    together: list[HeldRun] = []
    open_bytes = 0
    for run in runs:
        if together and open_bytes + run.open_bytes > budget_bytes:
            yield together
            together, open_bytes = [], 0
        together.append(run)
        open_bytes += run.open_bytes
    if together:
        yield together
