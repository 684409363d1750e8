"""Which keys hold most of the shuffled data, merged from the heaviest keys of each map. Rule: pure.

Source: Agarwal, Cormode, Huang, Phillips, Wei, Yi, "Mergeable summaries" (2012), section 2 (Misra-Gries). Counters are
added. If there are too many, the largest one over the limit is subtracted from all. So a key's bytes are never too
high, and too low by less than a thousandth of all bytes, including what its maps left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from podreduce.contract.task import CommitRecord, HeavyKey

__all__ = ["KeyShare", "Skew"]

MAX_COUNTERS = 1024
MAX_SHOWN = 5
LEAST_SHARE = 0.01
LEAST_BYTES = 1 << 20
"""A smaller key does not slow a job down, whatever its share. In a tiny job every key has a large share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyShare:
    """A heavy key: its text, the first bytes of its encoding, its virtual bucket, its share of the shuffled bytes."""

    key: str
    encoded: bytes
    bucket: int
    share: float


@dataclass(slots=True)
class Skew:
    """The heaviest keys of all maps so far."""

    counters: dict[tuple[int, bytes, str], int] = field(default_factory=dict)
    total_bytes: int = 0

    def add(self, commit: CommitRecord) -> None:
        """Add a map's heaviest keys."""
        self.total_bytes += commit.encoded_bytes
        for heavy in commit.heavy_keys:
            counter = identify(heavy)
            self.counters[counter] = self.counters.get(counter, 0) + heavy.size_bytes
        if len(self.counters) > 2 * MAX_COUNTERS:
            self.counters = subtract(self.counters)

    def heaviest(self) -> tuple[KeyShare, ...]:
        """Return at most five keys, the heaviest first. Each has more than 1 % of the bytes and more than 1 MiB."""
        least = max(self.total_bytes * LEAST_SHARE, LEAST_BYTES)
        heavy = [(size_bytes, counter) for counter, size_bytes in self.counters.items() if size_bytes > least]
        heavy.sort(key=lambda item: (-item[0], item[1]))
        return tuple(
            KeyShare(key=key, encoded=encoded, bucket=bucket, share=min(size_bytes / max(self.total_bytes, 1), 1.0))
            for size_bytes, (bucket, encoded, key) in heavy[:MAX_SHOWN]
        )


def identify(heavy: HeavyKey) -> tuple[int, bytes, str]:
    """Return what identifies a key. For a very long key this is only its start."""
    return heavy.bucket, heavy.encoded, heavy.key


def subtract(counters: Mapping[tuple[int, bytes, str], int]) -> dict[tuple[int, bytes, str], int]:
    """Return the `MAX_COUNTERS` largest counters at most, with the next counter's value subtracted from each."""
    taken = sorted(counters.values(), reverse=True)[MAX_COUNTERS]
    return {counter: size_bytes - taken for counter, size_bytes in counters.items() if size_bytes > taken}
