"""How often each pod may report its progress.

Rule: no I/O. Counts are of the current window only, so what is remembered is bounded by the pods that report in it.
"""

import time
from collections import Counter
from collections.abc import Callable

__all__ = ["MAX_REPORTS", "WINDOW_SECONDS", "ReportRate"]

WINDOW_SECONDS = 10.0
MAX_REPORTS = 100
"""In one window. A task reports every 5 s, and a pod that takes many short tasks reports each of them once."""


class ReportRate:
    """Counts the reports of each pod. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = clock() + WINDOW_SECONDS
        self._reports: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._reports)

    def allows(self, uid: str) -> bool:
        """Count a report of the pod with this UID, and tell whether it may be taken."""
        now = self._clock()
        if now >= self._ends_at:
            self._reports.clear()
            self._ends_at = now + WINDOW_SECONDS
        if self._reports[uid] >= MAX_REPORTS:
            return False
        self._reports[uid] += 1
        return True
