r"""How far a task is: its loops count, and a thread logs the counts at least once a second.

The line, as JSON, is what the local engine reads from a task's standard output:

    {"event":"progress","task":"m-3","records":41250,"bytes":2097152,"recordsOut":90112,"elapsedSeconds":1.8,
     "reduced":0,"beats":0,"fraction":0.25,"attempt":"…","level":"info","timestamp":"…"}

`records` and `bytes` (as stored) are input read so far, `recordsOut` records written or put into the shuffle,
`reduced` values passed to the reduce function, `fraction` the part of the work that is done; none of them decreases.
The line after the last record has `"done":true`.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from operator import length_hint
from types import TracebackType
from typing import Any, Self, TypeVar

from structlog.typing import FilteringBoundLogger

from podreduce.contract.progress import ProgressReport
from podreduce.contract.task import TaskRef

__all__ = ["INTERVAL_SECONDS", "Progress"]

T = TypeVar("T")

INTERVAL_SECONDS = 0.9
"""Less than the promised second, so that a busy interpreter still keeps the promise."""


class Progress:
    """The counts of one task; use it in a `with` while the task works.

    Args:
        beats: returns how often the program reported that it is not stuck.

    Attributes:
        records: input records read; `bytes` is their size as stored; `records_out` are the records written.
    """

    def __init__(
        self,
        task: TaskRef,
        logger: FilteringBoundLogger,
        *,
        beats: Callable[[], int] = lambda: 0,
        interval_seconds: float = INTERVAL_SECONDS,
    ) -> None:
        self._following: tuple[int, Iterator[Any]] = (0, iter(()))
        self.bytes = 0
        self.records_out = 0
        self._work_bytes = 0
        self._input_share = 1.0
        self._reduced: Callable[[], int] = lambda: 0
        self._task = str(task)
        self._beats = beats
        self._logger = logger
        self._interval_seconds = interval_seconds
        self._started = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._report, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()
        if kind is None:
            self._log(done=True)

    @property
    def records(self) -> int:
        """How many input records were read."""
        total, following = self._following
        return total - length_hint(following)

    @records.setter
    def records(self, number: int) -> None:
        self._following = (number, iter(()))

    def expect(self, work_bytes: int, *, input_share: float = 1.0, reduced: Callable[[], int] = lambda: 0) -> None:
        """Set the amount of work, so that `fraction` is known.

        Args:
            work_bytes: how many bytes to read.
            input_share: the part of the work that reading is; the rest is to reduce as many values as were read.
            reduced: returns how many values the reduce function got.
        """
        self._work_bytes, self._input_share, self._reduced = work_bytes, input_share, reduced

    @property
    def fraction(self) -> float:
        """How much of the work is done, from 0 to 1; 0 while the amount of work is unknown."""
        if not self._work_bytes:
            return 0.0
        taken = min(self.bytes / self._work_bytes, 1.0)
        reduced = min(self._reduced() / max(self.records, 1), 1.0)
        return self._input_share * taken + (1.0 - self._input_share) * reduced

    def follow(self, records: Sequence[T]) -> Iterator[T]:
        """Return an iterator over the next input records; each counts as read when it is requested."""
        iterator = iter(records)
        self._following = (self.records + len(records), iterator)
        return iterator

    def report(self, attempt_id: str) -> ProgressReport:
        """Return the counts as a report for the operator."""
        return ProgressReport(
            attempt_id=attempt_id,
            records=self.records,
            bytes=self.bytes,
            reduced=self._reduced(),
            records_out=self.records_out,
            beats=self._beats(),
            fraction=self.fraction,
        )

    def _report(self) -> None:
        while not self._stopped.wait(self._interval_seconds):
            self._log()

    def _log(self, **more: bool) -> None:
        self._logger.info(
            "progress",
            task=self._task,
            records=self.records,
            bytes=self.bytes,
            recordsOut=self.records_out,
            reduced=self._reduced(),
            beats=self._beats(),
            fraction=round(self.fraction, 3),
            elapsedSeconds=round(time.monotonic() - self._started, 3),
            **more,
        )
