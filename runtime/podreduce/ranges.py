"""Total order: which keys a partition takes, where they lie in a blob, and samples of how they are spread. Rule: pure.

A blob in total order is one key-sorted segment. Its footer has a sparse index, the first key of every k-th frame; its
commit record has samples, from which the operator cuts ranges of near-equal bytes. Of a long key only the first bytes
are kept, in the index, in the samples and so in the ranges: they are as good a cut, and every comparison stays exact.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import add
from typing import Final, Self

from podreduce.contract.task import KeySample
from podreduce.keys import key_prefix

__all__ = ["MAX_CUT_BYTES", "KeyIndex", "KeyRange", "KeySampler"]

MAX_CUT_BYTES: Final = 256
"""How many bytes of a key are kept."""
JOB_SAMPLES: Final = 1 << 16
LEAST_SAMPLES: Final = 256
MAX_SAMPLES: Final = 1024
"""How many samples all maps have together, if each has no fewer than the least and no more than the most."""
MAX_HELD_SAMPLES: Final = 4096
"""How many are held while a blob is written."""
GOLDEN_RATIO: Final = 0.6180339887498949
"""Its multiples, modulo 1, lie evenly however many there are (Knuth, The Art of Computer Programming, vol. 3, 6.4)."""
FRAME_SAMPLES: Final = 64
"""How many samples a frame gives: small blobs have few frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRange:
    """The encoded keys from `low` up to `high`, exclusive; None is beyond all."""

    low: bytes = b""
    high: bytes | None = None

    @classmethod
    def of_partition(cls, ranges: Sequence[bytes], partition: int) -> Self:
        """Return the range of a partition, where `ranges` are the keys at which they meet (see ShuffleManifest)."""
        edges = [b"", *ranges, None]
        return cls(low=edges[partition] or b"", high=edges[partition + 1])

    @property
    def is_empty(self) -> bool:
        """Whether no key is in it."""
        return self.high is not None and self.high <= self.low

    def slice(self, keys: Sequence[bytes]) -> tuple[int, int]:
        """Return from where to where ascending `keys` are in the range."""
        return bisect_left(keys, self.low), len(keys) if self.high is None else bisect_left(keys, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyIndex:
    """A blob's sparse index: `keys[i]` is the first key (or its first bytes) from byte `offsets[i]` on.

    Attributes:
        offsets: one more than there are keys; the last is where the segment ends.
    """

    keys: tuple[bytes, ...]
    offsets: tuple[int, ...]

    def overlap(self, key_range: KeyRange) -> tuple[int, int]:
        """Return the entries, first and last (exclusive), between which the range's keys lie; equal if it has none.

        All keys of the entries but the first and the last are in the range. A key that the first entry starts with
        may have begun in the one before, so that one is taken too.
        """
        if key_range.is_empty or not self.keys:
            return 0, 0
        start, end = key_range.slice(self.keys)
        return min(max(start - 1, 0), end), end

    def encode(self) -> bytes:
        """Return what `decode` reads."""
        lengths = array("I", map(len, self.keys))
        return b"".join([array("Q", self.offsets).tobytes(), lengths.tobytes(), *self.keys])

    @classmethod
    def decode(cls, data: memoryview, entries: int) -> Self:
        """Read an index of so many entries; `data` was checked."""
        lengths_at = 8 * (entries + 1)
        keys_at = lengths_at + 4 * entries
        ends = accumulate(data[lengths_at:keys_at].cast("I"), initial=keys_at)
        return cls(
            keys=tuple(bytes(data[start:end]) for start, end in pairwise(ends)),
            offsets=tuple(data[:lengths_at].cast("Q")),
        )


class KeySampler:
    """Collects samples of a blob's keys as its frames are written.

    Args:
        key_elements: tuples are cut after so many elements, so that keys that begin alike are never parted.
        maps: how many maps the job has.
        index: which of them this is: each takes its samples at other places, so that together they leave no gaps.
    """

    __slots__ = ("_key_elements", "_last", "_limit", "_phase", "_samples")

    def __init__(self, *, key_elements: int | None = None, maps: int = 1, index: int = 0) -> None:
        self._key_elements = key_elements
        self._limit = min(max(JOB_SAMPLES // maps, LEAST_SAMPLES), MAX_SAMPLES)
        self._phase = 1 - index * GOLDEN_RATIO % 1
        self._samples: list[KeySample] = []
        self._last = b""

    def add(self, stored_bytes: int, keys: Sequence[bytes], sizes: Sequence[int] | None = None) -> None:
        """Take a frame of `stored_bytes`.

        Args:
            stored_bytes: what it takes in the blob.
            keys: its keys in ascending order, some or all, its first among them.
            sizes: what the values of each key take; without it all keys count the same.
        """
        weights = [1] * len(keys) if sizes is None else list(map(add, map(len, keys), sizes))
        for key, size_bytes in pick(stored_bytes, keys, weights):
            self._append(self._cut(key), size_bytes)
        self._last = self._cut(keys[-1])
        if len(self._samples) > 2 * MAX_HELD_SAMPLES:
            self._samples = thin(self._samples, MAX_HELD_SAMPLES)

    def samples(self) -> tuple[KeySample, ...]:
        """Return what a commit record holds of them: the least key first, and last the greatest that was seen."""
        samples = thin(self._samples, self._limit - 1, phase=self._phase)
        return (*samples, *[KeySample(self._last, 0) for sample in samples[-1:] if sample.key != self._last])

    def _cut(self, key: bytes) -> bytes:
        """Return where a range may begin instead of at `key`."""
        return (key if self._key_elements is None else key_prefix(key, self._key_elements))[:MAX_CUT_BYTES]

    def _append(self, key: bytes, size_bytes: int) -> None:
        """Take one sample; a key's frames make one."""
        if self._samples and self._samples[-1].key == key:
            size_bytes += self._samples.pop().size_bytes
        self._samples.append(KeySample(key, size_bytes))


def pick(stored_bytes: int, keys: Sequence[bytes], weights: Sequence[int]) -> Iterator[tuple[bytes, int]]:
    """Yield keys at about equal distances, with the bytes from each to the next: `stored_bytes` in all."""
    starts = list(accumulate(weights, initial=0))
    total = starts[-1]
    chosen = sorted({bisect_right(starts, number * total // FRAME_SAMPLES) - 1 for number in range(FRAME_SAMPLES)})
    edges = [stored_bytes * starts[number] // total for number in chosen] + [stored_bytes]
    for number, (start, end) in zip(chosen, pairwise(edges), strict=True):
        yield keys[number], end - start


def thin(samples: Sequence[KeySample], limit: int, *, phase: float = 1.0) -> list[KeySample]:
    """Return at most `limit` (4 or more) samples of about equal bytes; a heavier key keeps a sample of its own.

    The first has only the part `phase` of the others' bytes.
    """
    if len(samples) <= limit:
        return list(samples)
    total = sum(sample.size_bytes for sample in samples)
    kept = merge_light(samples, total // (limit - 1) + 1, phase)
    return kept if len(kept) <= limit else merge_light(samples, 2 * total // (limit - 2) + 1, phase)


def merge_light(samples: Sequence[KeySample], step_bytes: int, phase: float) -> list[KeySample]:
    """Merge each sample into the one before until that has `step_bytes`; one that has them by itself is not merged."""
    kept, wanted = [samples[0]], step_bytes * phase
    for sample in samples[1:]:
        last = kept[-1]
        if last.size_bytes < wanted and sample.size_bytes < step_bytes:
            kept[-1] = KeySample(last.key, last.size_bytes + sample.size_bytes)
        else:
            kept.append(sample)
            wanted = step_bytes
    return kept
