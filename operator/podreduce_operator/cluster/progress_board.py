"""The last progress report of each running attempt, in memory only. Losing it does no harm.

Rule: times are kept on the operator's monotonic clock and converted when read. So if the machine's clock is set, no
attempt looks hung. An attempt that reports the same counts again has made no progress.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from podreduce.contract.progress import ProgressReport
from podreduce.contract.wire import decode_json
from podreduce_operator.model.pods import AttemptProgress, PodView

__all__ = ["ProgressBoard", "read_progress_line"]


class ProgressBoard:
    """The last report of each attempt.

    Args:
        clock: seconds since the epoch, for the reported times.
        monotonic: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._entries: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def take(self, report: ProgressReport) -> None:
        """Store a report."""
        known, now = self._entries.get(report.attempt_id), self._monotonic()
        changed = now if known is None or known.report != report else known.changed
        self._entries[report.attempt_id] = Entry(report=report, taken=now, changed=changed)

    def of(self, pods: Iterable[PodView]) -> Mapping[str, AttemptProgress]:
        """Return the progress of these pods' attempts, by attempt id."""
        offset = self._clock() - self._monotonic()
        known = ((pod.attempt_id, self._entries.get(pod.attempt_id)) for pod in pods)
        return {attempt_id: entry.as_progress(offset) for attempt_id, entry in known if entry is not None}

    def forget(self, attempt_id: str) -> None:
        """Forget an attempt that is gone."""
        self._entries.pop(attempt_id, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A report, when it arrived, and when its counts last changed (monotonic seconds)."""

    report: ProgressReport
    taken: float
    changed: float

    def as_progress(self, offset: float) -> AttemptProgress:
        """Return the progress with times on a clock that is `offset` seconds ahead."""
        return AttemptProgress(
            fraction=self.report.fraction,
            reported_at=self.taken + offset,
            changed_at=self.changed + offset,
            records=self.report.records,
        )


class ProgressLine(msgspec.Struct, rename="camel"):
    """The line of a task's log that reports its progress (see `podreduce.watching.progress`)."""

    event: str
    attempt: str
    records: int
    bytes: int
    reduced: int
    records_out: int
    beats: int
    fraction: float


def read_progress_line(line: str) -> ProgressReport | None:
    """Return the progress in a line of a task's output; None if the line has none."""
    if not line.startswith("{") or '"progress"' not in line:
        return None
    try:
        parsed = decode_json(line, ProgressLine)
    except msgspec.DecodeError:
        return None
    if parsed.event != "progress":
        return None
    return ProgressReport(
        attempt_id=parsed.attempt,
        records=parsed.records,
        bytes=parsed.bytes,
        reduced=parsed.reduced,
        records_out=parsed.records_out,
        beats=parsed.beats,
        fraction=parsed.fraction,
    )
