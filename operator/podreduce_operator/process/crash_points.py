"""Crashes the operator before and after actions, once at each point, so that tests can show that nothing is lost.

Rule: off unless PODREDUCE_OPERATOR_FAULTS names points, such as `before:CreatePod,after:CommitOutput`. The file
PODREDUCE_OPERATOR_FAULTS_STATE records past points for the next process. It is written before the crash.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from podreduce_operator.model.errors import OperatorError

__all__ = ["FaultHook", "build_fault_hook"]

EXIT_CODE = 137
"""The same as after SIGKILL: no handler runs, nothing is flushed."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultHook:
    """Ends the process once at each of `points`. `end` is `os._exit`, except in tests of this class."""

    points: frozenset[str]
    file: Path
    end: Callable[[int], object] = os._exit

    def __call__(self, when: str, action: object) -> None:
        """Crash if the point `when` (`before` or `after`) of this action is due."""
        point = f"{when}:{type(action).__name__}"
        if point not in self.points or point in self.read_past():
            return
        with self.file.open("a") as file:
            file.write(f"{point}\n")
            file.flush()
            os.fsync(file.fileno())
        log.warning("crashing on purpose", point=point)
        self.end(EXIT_CODE)

    def read_past(self) -> set[str]:
        """Return the points where the operator has already crashed."""
        return set(self.file.read_text().split()) if self.file.exists() else set()


def build_fault_hook(points: tuple[str, ...], file: Path | None) -> FaultHook | None:
    """Return the hook, or None if no points are given.

    Raises:
        OperatorError: there is no file for past points, so the operator would crash for ever.
    """
    if not points:
        return None
    if file is None:
        raise OperatorError("PODREDUCE_OPERATOR_FAULTS is set without PODREDUCE_OPERATOR_FAULTS_STATE")
    return FaultHook(points=frozenset(points), file=file)
