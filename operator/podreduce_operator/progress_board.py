"""How far running attempts are, as they last reported: in memory only, and nobody misses what is lost.

Rule: times are the operator's own. An attempt that reports the same counts again has not moved since they changed.
"""

import time
from collections.abc import Callable, Iterable, Mapping

import msgspec

from podreduce.contract.progress import ProgressReport
from podreduce_operator.model import AttemptProgress, PodView

__all__ = ["ProgressBoard", "read_progress_line"]


class ProgressBoard:
    """The last report of each attempt.

    Args:
        clock: seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._reports: dict[str, ProgressReport] = {}
        self._progress: dict[str, AttemptProgress] = {}

    def take(self, report: ProgressReport) -> None:
        """Take a report."""
        attempt_id, now = report.attempt_id, self._clock()
        moved = self._reports.get(attempt_id) != report
        changed_at = now if moved else self._progress[attempt_id].changed_at
        self._reports[attempt_id] = report
        self._progress[attempt_id] = AttemptProgress(fraction=report.fraction, reported_at=now, changed_at=changed_at)

    def of(self, pods: Iterable[PodView]) -> Mapping[str, AttemptProgress]:
        """Return what is known of these pods' attempts, by attempt id."""
        known = self._progress
        return {pod.attempt_id: known[pod.attempt_id] for pod in pods if pod.attempt_id in known}

    def forget(self, attempt_id: str) -> None:
        """Forget an attempt that is gone."""
        self._reports.pop(attempt_id, None)
        self._progress.pop(attempt_id, None)


class ProgressLine(msgspec.Struct, rename="camel"):
    """The line of a task's log that says how far it is (see `podreduce.progress`)."""

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
