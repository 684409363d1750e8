"""How far running attempts are, as they last reported: in memory only, and nobody misses what is lost.

Rule: times are the operator's own, kept on the monotonic clock and told on the other: setting the machine's clock makes
no attempt look as if it hung. One that reports the same counts again has not moved since they changed.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from podreduce.contract.progress import ProgressReport
from podreduce_operator.model.pods import AttemptProgress, PodView

__all__ = ["ProgressBoard", "read_progress_line"]


class ProgressBoard:
    """The last report of each attempt.

    Args:
        clock: seconds since the epoch, as whoever asks reckons; `monotonic`: seconds that no one sets.
    """

    def __init__(self, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._entries: dict[str, Entry] = {}

    def take(self, report: ProgressReport) -> None:
        """Take a report."""
        known, now = self._entries.get(report.attempt_id), self._monotonic()
        changed = now if known is None or known.report != report else known.changed
        self._entries[report.attempt_id] = Entry(report=report, taken=now, changed=changed)

    def of(self, pods: Iterable[PodView]) -> Mapping[str, AttemptProgress]:
        """Return what is known of these pods' attempts, by attempt id."""
        offset = self._clock() - self._monotonic()
        known = ((pod.attempt_id, self._entries.get(pod.attempt_id)) for pod in pods)
        return {attempt_id: entry.as_progress(offset) for attempt_id, entry in known if entry is not None}

    def forget(self, attempt_id: str) -> None:
        """Forget an attempt that is gone."""
        self._entries.pop(attempt_id, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A report, when it was taken, and when its counts had last changed (monotonic seconds)."""

    report: ProgressReport
    taken: float
    changed: float

    def as_progress(self, offset: float) -> AttemptProgress:
        """Return it with times on a clock that is `offset` ahead."""
        return AttemptProgress(
            fraction=self.report.fraction, reported_at=self.taken + offset, changed_at=self.changed + offset
        )


class ProgressLine(msgspec.Struct, rename="camel"):
    """The line of a task's log that says how far it is (see `podreduce.watching.progress`)."""

    event: str
    attempt: str
    records: int
    bytes: int
    reduced: int
    records_out: int
    beats: int
    fraction: float


def read_progress_line(line: str) -> ProgressReport | None:
    """Return what a line of a task's output reports; None if it is about something else."""
    if not line.startswith("{") or '"progress"' not in line:
        return None
    try:
        told = msgspec.json.decode(line, type=ProgressLine)
    except msgspec.DecodeError:
        return None
    if told.event != "progress":
        return None
    return ProgressReport(
        attempt_id=told.attempt,
        records=told.records,
        bytes=told.bytes,
        reduced=told.reduced,
        records_out=told.records_out,
        beats=told.beats,
        fraction=told.fraction,
    )
