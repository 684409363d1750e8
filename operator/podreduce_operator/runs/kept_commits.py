"""Keeps a run's commits: of each task the newest, and sums of what all of them say.

Rule: pure. What commits say about keys (bucket sizes, samples, heaviest keys) and the tasks' counters are added up
at once, so memory grows with tasks, and not with tasks x buckets or tasks x counters.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from operator import add

import msgspec

from podreduce.contract.bucket_sizes import decode_sizes
from podreduce.contract.layout import commit_key
from podreduce.contract.task import CommitRecord, TaskRef, TaskType
from podreduce_operator.runs.counter_sums import CounterSums
from podreduce_operator.runs.record_budget import RunShare, size_of
from podreduce_operator.shuffle.heavy_keys import Skew
from podreduce_operator.shuffle.key_spread import KeySpread

__all__ = ["KeptCommits"]

MOST_KEPT_BYTES = 1 << 20
"""How many bytes of bucket sizes are kept for a run: about 2,000 maps of a small job, or 100 of the largest."""
SIZE_BYTES, POINT_BYTES, HEAVY_BYTES, NAME_BYTES = 40, 130, 700, 300
"""About what a bucket's size, a key sample without its key, a heaviest key and a counter take in memory."""
NO_COUNTERS: Mapping[str, dict[str, int]] = {}


class KeptCommits:
    """The commits of one run.

    Attributes:
        newest: the commit of the newest generation, by task, without the added-up fields. The bucket sizes of the first
            maps stay, up to a limit, so that a small job need not read them again.
        outdated: the attempts whose commits are of older generations.
        counters: the tasks' counters over `newest`, and over `superseded`.
        superseded: the keys of outdated commits whose counters are still to be subtracted.
        bucket_bytes: stored bytes of each virtual bucket, over the first generation of all committed maps.
        key_spread: the samples of the maps' keys, in total order.
        skew: the heaviest keys of the maps.
    """

    def __init__(self, share: RunShare) -> None:
        self.newest: dict[TaskRef, CommitRecord] = {}
        self.outdated: set[str] = set()
        self.counters = CounterSums()
        self.superseded: set[str] = set()
        self.bucket_bytes: list[int] = []
        self.key_spread = KeySpread()
        self.skew = Skew()
        self._keys: set[str] = set()
        self._sizes_bytes = 0
        self._sums_bytes = 0
        self._share = share

    def __contains__(self, key: object) -> bool:
        """Tell whether the commit at this key was added."""
        return key in self._keys

    def add(self, key: str, commit: CommitRecord) -> None:
        """Keep a commit that was not added before.

        Raises:
            ActionError: it would take too much memory.
        """
        known = self.newest.get(commit.task)
        if known is None or known.generation < commit.generation:
            self._keep(commit, known)
        else:
            self._share.take(size_of(key) + size_of(commit.attempt_id))
            self.outdated.add(commit.attempt_id)
        self._keys.add(key)
        if commit.generation == 0 and commit.task.type is TaskType.MAP:
            self._add_up(commit)
        self._count_sums()

    def _keep(self, commit: CommitRecord, known: CommitRecord | None) -> None:
        sizes = self._choose_sizes(commit)
        kept = msgspec.structs.replace(commit, bucket_bytes=sizes, key_samples=(), heavy_keys=(), counters=NO_COUNTERS)
        self._share.take(size_of(kept))
        self._sizes_bytes += len(sizes)
        self.newest[commit.task] = kept
        self.counters.add(commit.counters)
        if known is not None:
            self._share.change(-size_of(known))
            self.superseded.add(commit_key(known.task, known.generation))
            self.outdated.add(known.attempt_id)

    def _add_up(self, commit: CommitRecord) -> None:
        self.bucket_bytes = add_columns(self.bucket_bytes, decode_sizes(commit.bucket_bytes))
        self.key_spread.add(commit.key_samples)
        self.skew.add(commit)

    def _count_sums(self) -> None:
        """Count the memory of the sums: each has a limit, so they are never refused."""
        sums_bytes = len(self.key_spread.points) * POINT_BYTES + self.key_spread.key_bytes
        sums_bytes += len(self.skew.counters) * HEAVY_BYTES + len(self.counters) * NAME_BYTES
        sums_bytes += len(self.bucket_bytes) * SIZE_BYTES
        self._share.change(sums_bytes - self._sums_bytes)
        self._sums_bytes = sums_bytes

    def _choose_sizes(self, commit: CommitRecord) -> bytes:
        """Return a commit's bucket sizes if they are kept, or empty bytes."""
        sizes = commit.bucket_bytes
        return sizes if isinstance(sizes, bytes) and self._sizes_bytes + len(sizes) <= MOST_KEPT_BYTES else b""


def add_columns(sums: Sequence[int], more: Sequence[int]) -> list[int]:
    """Add `more` to `sums`, element by element. The shorter one is extended with zeros."""
    if len(sums) == len(more):
        return list(map(add, sums, more))
    return [left + right for left, right in zip_longest(sums, more, fillvalue=0)]
