"""What is told of a run, from the times at which its pods came and went. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tests.scale.fake_tasks import Times

__all__ = ["Figures", "created_per_second", "percentile", "succession_delays"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One row of the table; None where it says nothing.

    Attributes:
        seconds: from the first request to the end.
        per_second: pods created a second while there was room for them.
        delay_p50: seconds from a pod's end to the creation of its successor, `delay_p99` likewise.
        cpu_millis_per_pod: the operator's processor time.
        peak_mib: its resident memory.
    """

    name: str
    pods: int
    seconds: float
    per_second: float
    delay_p50: float | None = None
    delay_p99: float | None = None
    cpu_millis_per_pod: float | None = None
    peak_mib: float | None = None


def created_per_second(times: Times, room: int) -> float:
    """Return how fast the first `room` pods were created: from then on they waited for others to end."""
    first = sorted(times.created.values())[:room]
    return (len(first) - 1) / (first[-1] - first[0]) if len(first) > 1 else 0.0


def succession_delays(times: Times, room: int) -> list[float]:
    """Return the delay between each pod's end and its successor's creation, ascending; none if there always was room.

    With room for P pods, the n-th end makes room for creation P + n.
    """
    created, ended = sorted(times.created.values()), sorted(times.ended.values())
    if most_at_a_time(created, ended) < room:
        return []
    return sorted(later - earlier for earlier, later in zip(ended, created[room:], strict=False))


def most_at_a_time(created: Sequence[float], ended: Sequence[float]) -> int:
    """Return how many pods there were at a time at most, of those that had not ended."""
    changes = sorted([(at, 1) for at in created] + [(at, -1) for at in ended])
    return max(accumulate(change for _, change in changes), default=0)


def percentile(ascending: Sequence[float], share: float) -> float | None:
    """Return the value below which that share lies."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))] if ascending else None
