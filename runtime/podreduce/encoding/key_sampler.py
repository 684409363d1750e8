"""Samples of the distribution of a map's keys, for the operator to cut ranges of about equal bytes. Rule: pure."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import ceil
from operator import add, sub
from typing import Final

from podreduce.contract.task import KeySample
from podreduce.encoding.key_index import FRAME_SAMPLES
from podreduce.encoding.key_range import MAX_CUT_BYTES
from podreduce.encoding.keys import key_prefix

__all__ = ["KeySampler"]
JOB_SAMPLES: Final = 6_000_000
LEAST_SAMPLES: Final = 16
MAX_SAMPLES: Final = 1024
"""How many samples all maps have together; a map has no fewer than the least and no more than the most. This makes some
1,400 a partition: even the worst of 4,096 partitions has an error below a tenth (3.7 standard deviations)."""
JOB_SAMPLE_BYTES: Final = 256 << 20
LEAST_SAMPLE_BYTES: Final = 6 << 10
"""The bytes of all samples, and the bytes that a map always gets: long keys have fewer samples."""
SAMPLE_BYTES: Final = 12
"""The bytes of a sample in a commit record besides its key in base64."""
MAX_HELD_SAMPLES: Final = 4096
"""How many samples are held while a blob is written."""
GOLDEN_RATIO: Final = 0.6180339887498949
"""Any number of its multiples, modulo 1, are evenly spaced (Knuth, The Art of Computer Programming, vol. 3, 6.4)."""


class KeySampler:
    """Collects samples of a blob's keys as its frames are written.

    These are systematic samples (Cochran, Sampling Techniques, chapter 8): of all bytes in a row, the key at every
    n-th byte, each standing for n bytes. The first position differs from map to map. So the samples of all maps are
    close together, and neither end of the keys counts too little or too much.

    Args:
        key_elements: tuples are cut after this many elements, so that keys with the same beginning stay together.
        maps: how many maps the job has.
        index: the index of this map: each takes its samples at other places, so that all together leave no gaps.
    """

    __slots__ = ("_key_elements", "_limit", "_most_bytes", "_phase", "_samples")

    def __init__(self, *, key_elements: int | None = None, maps: int = 1, index: int = 0) -> None:
        self._key_elements = key_elements
        self._limit = min(max(JOB_SAMPLES // maps, LEAST_SAMPLES), MAX_SAMPLES)
        self._most_bytes = max(JOB_SAMPLE_BYTES // maps, LEAST_SAMPLE_BYTES)
        self._phase = (0.5 + index * GOLDEN_RATIO) % 1
        self._samples: list[KeySample] = []

    def add(self, stored_bytes: int, keys: Sequence[bytes], sizes: Sequence[int] | None = None) -> None:
        """Add a frame of `stored_bytes`.

        Args:
            stored_bytes: its bytes in the blob.
            keys: its keys in ascending order, some or all; the first must be among them.
            sizes: the bytes of each key's values; without it all keys count the same.
        """
        weights = [1] * len(keys) if sizes is None else list(map(add, map(len, keys), sizes))
        for key, size_bytes in pick(stored_bytes, keys, weights):
            self._append(self._cut(key), size_bytes)
        if len(self._samples) > 2 * MAX_HELD_SAMPLES:
            self._samples = thin(self._samples, MAX_HELD_SAMPLES)

    def samples(self) -> tuple[KeySample, ...]:
        """Return the samples for a commit record."""
        limit = self._limit
        samples = thin(self._samples, limit, phase=self._phase)
        while limit > LEAST_SAMPLES and wire_bytes(samples) > self._most_bytes:
            limit = max(limit * 3 // 4, LEAST_SAMPLES)
            samples = thin(self._samples, limit, phase=self._phase)
        return tuple(samples)

    def _cut(self, key: bytes) -> bytes:
        """Return where a range may begin that would begin at `key`."""
        return (key if self._key_elements is None else key_prefix(key, self._key_elements))[:MAX_CUT_BYTES]

    def _append(self, key: bytes, size_bytes: int) -> None:
        """Add one sample; neighbouring samples of the same key become one."""
        if self._samples and self._samples[-1].key == key:
            size_bytes += self._samples.pop().size_bytes
        self._samples.append(KeySample(key, size_bytes))


def wire_bytes(samples: Sequence[KeySample]) -> int:
    """Return about how many bytes samples take in a commit record."""
    return sum(SAMPLE_BYTES + len(sample.key) * 4 // 3 for sample in samples)


def pick(stored_bytes: int, keys: Sequence[bytes], weights: Sequence[int]) -> Iterator[tuple[bytes, int]]:
    """Yield keys of a frame, ascending, with the bytes that each stands for: `stored_bytes` in total."""
    ends = list(accumulate(weights))
    if len(keys) <= FRAME_SAMPLES:
        edges = [stored_bytes * end // ends[-1] for end in ends]
        yield from zip(keys, map(sub, edges, [0, *edges[:-1]]), strict=True)
        return
    for number in range(FRAME_SAMPLES):
        middle = (2 * number + 1) * ends[-1] // (2 * FRAME_SAMPLES)
        size_bytes = stored_bytes * (number + 1) // FRAME_SAMPLES - stored_bytes * number // FRAME_SAMPLES
        yield keys[bisect_right(ends, middle)], size_bytes


def thin(samples: Sequence[KeySample], limit: int, *, phase: float = 0.5) -> list[KeySample]:
    """Return at most `limit` systematic samples; the first is at `phase` of a step. A heavy key has many."""
    if len(samples) <= limit:
        return list(samples)
    total = sum(sample.size_bytes for sample in samples)
    kept, end, taken = [], 0, 0
    for sample in samples:
        end += sample.size_bytes
        reached = min(ceil(limit * end / total - phase), limit) if total else limit
        if reached > taken:
            kept.append(KeySample(sample.key, total * reached // limit - total * taken // limit))
            taken = reached
    return kept
