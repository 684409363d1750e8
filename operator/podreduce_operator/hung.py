"""Attempts that have stopped moving: how long that may last, and what it means.

Rule: pure. An attempt that has never reported is not judged: perhaps nothing lets it through.
"""

from podreduce_operator.failures import Cause
from podreduce_operator.model import AttemptProgress, PodPhase, PodView

__all__ = ["find_hung", "hung_at"]


def hung_at(pod: PodView, progress: AttemptProgress | None, deadline_seconds: int | None) -> float | None:
    """Return when a running attempt is given up if nothing more is heard of it; None if never."""
    if progress is None or deadline_seconds is None or pod.phase is not PodPhase.RUNNING:
        return None
    return progress.changed_at + deadline_seconds


def find_hung(pod: PodView, progress: AttemptProgress | None, deadline_seconds: int | None, now: float) -> Cause | None:
    """Say that an attempt hangs, or None while it may be at work."""
    at = hung_at(pod, progress, deadline_seconds)
    if at is None or now < at:
        return None
    remedy = "mend what hangs, or call context.progress() in long work"
    message = f"no progress for {deadline_seconds} s (progressDeadlineSeconds): {remedy}"
    return Cause(reason="NoProgress", message=message)
