"""Sorted runs on scratch: written from groups, read bucket by bucket, merged if they are too many.

Runs have levels: when enough runs of one level are neighbours, they become one run of the next level. So each record is
rewritten once a level and files stay few. Only neighbours are merged, so values of a key keep the order of the runs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from podreduce.contract.errors import InternalError
from podreduce.encoding.blobs import BlobFooter, BlobWriter, CorruptBlobError, read_frames
from podreduce.encoding.frame_packing import FramePacker
from podreduce.encoding.frames import StoredFrame, estimate_open_bytes
from podreduce.encoding.merge import Group, Piece, merge_runs
from podreduce.rows.combining import PackGroup
from podreduce.rows.scratch import ScratchFile

__all__ = ["Run", "RunStack", "RunWriter", "pack_group"]

READ_BYTES: Final = 256 << 10
MAX_FAN_IN: Final = 32
OPEN_BYTES: Final = 3 << 20
"""About how much memory a run of full frames takes while it is merged; the budget divided by it is the fan-in."""


def pack_group(packer: FramePacker, bucket: int, key: bytes, pieces: Iterable[Piece]) -> None:
    """Pass a merged group on unchanged."""
    for frame, index in pieces:
        packer.add(bucket, key, frame.counts[index], frame.data(index))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished run. `open_bytes` is the memory for reading it; `level` is how often its records were merged."""

    file: ScratchFile
    footer: BlobFooter
    open_bytes: int
    level: int

    def frames(self, bucket: int) -> Iterator[StoredFrame]:
        """Yield a bucket's frames.

        Raises:
            InternalError: the frames are not what was written: the node's disk or memory is at fault.
        """
        try:
            yield from read_frames(self.footer, [bucket], self.file.fetch, request_bytes=READ_BYTES)
        except CorruptBlobError as error:
            raise InternalError(f"a spill file is not what was written ({error}): check the node's disk") from error


class RunWriter:
    """Writes one run: give `packer` its groups in (bucket, key) order, then `finish`."""

    __slots__ = ("_blob", "_file", "_level", "_open_bytes", "packer")

    def __init__(self, directory: str, *, buckets: int, level: int = 0) -> None:
        self._file = ScratchFile(directory)
        self._blob = BlobWriter(self._file.write, buckets=buckets)
        self._level = level
        self._open_bytes = 0
        self.packer = FramePacker(self._append)

    def _append(self, frame: StoredFrame, *_: object) -> None:
        """Write a frame."""
        self._open_bytes = max(self._open_bytes, estimate_open_bytes(frame) + READ_BYTES)
        self._blob.append(frame)

    def finish(self) -> Run:
        """Write the remaining groups and return the run."""
        self.packer.flush()
        self._file.flush()
        return Run(file=self._file, footer=self._blob.footer(), open_bytes=self._open_bytes, level=self._level)


class RunStack:
    """The runs of one task, oldest first.

    Attributes:
        merges: how many runs were written from others.
    """

    def __init__(self, *, buckets: int, budget_bytes: int, directory: str, pack: PackGroup = pack_group) -> None:
        self._buckets = buckets
        self._budget_bytes = budget_bytes
        self._directory = directory
        self._pack = pack
        self._fan_in = min(max(budget_bytes // OPEN_BYTES, 2), MAX_FAN_IN)
        self._runs: list[Run] = []
        self.merges = 0

    def __len__(self) -> int:
        return len(self._runs)

    def push(self, run: Run) -> None:
        """Add the next run; merge the last runs if enough of them are of one level."""
        self._runs.append(run)
        while self._last_have_one_level():
            self._merge(len(self._runs) - self._fan_in, len(self._runs))

    def settle(self) -> None:
        """Merge neighbours until all runs can be open at once within the budget."""
        start = 0
        while len(self._runs) > 1 and sum(run.open_bytes for run in self._runs) > self._budget_bytes:
            start = start if start < len(self._runs) - 1 else 0
            self._merge(start, min(start + self._fan_in, len(self._runs)))
            start += 1

    def groups(self, bucket: int) -> Iterator[Group]:
        """Yield a bucket's groups in key order."""
        return merge_runs(run.frames(bucket) for run in self._runs)

    def close(self) -> None:
        """Free the scratch space."""
        for run in self._runs:
            run.file.close()
        self._runs = []

    def _last_have_one_level(self) -> bool:
        """Tell whether the last runs are as many as may be merged, and all of one level."""
        tail = self._runs[-self._fan_in :]
        return len(tail) == self._fan_in and len({run.level for run in tail}) == 1

    def _merge(self, start: int, end: int) -> None:
        """Replace the runs from `start` to `end` by one."""
        runs = self._runs[start:end]
        level = 1 + max(run.level for run in runs)
        writer = RunWriter(self._directory, buckets=self._buckets, level=level)
        for bucket in range(self._buckets):
            for key, pieces in merge_runs(run.frames(bucket) for run in runs):
                self._pack(writer.packer, bucket, key, pieces)
        self._runs[start:end] = [writer.finish()]
        self.merges += 1
        for run in runs:
            run.file.close()
