"""Crashes the operator before and after actions, each point once: how the tests show that a restart loses nothing.

Rule: off unless PODREDUCE_OPERATOR_FAULTS names points, such as `before:CreatePod,after:CommitOutput`. The file
PODREDUCE_OPERATOR_FAULTS_STATE outlives the process and remembers which points have been; it is written before the end.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from podreduce_operator.model.actions import Action
from podreduce_operator.model.errors import OperatorError

__all__ = ["FaultHook", "build_fault_hook"]

EXIT_CODE = 137
"""As if by SIGKILL: no handler runs, nothing is flushed."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultHook:
    """Ends the process at each of `points` once; `end` is `os._exit` but in its own tests."""

    points: frozenset[str]
    file: Path
    end: Callable[[int], object] = os._exit

    def __call__(self, when: str, action: Action) -> None:
        """Be at the point `when` (`before` or `after`) of the action."""
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
        """Return the points that have been."""
        return set(self.file.read_text().split()) if self.file.exists() else set()


def build_fault_hook(points: tuple[str, ...], file: Path | None) -> FaultHook | None:
    """Return the hook, or None where no faults are asked for.

    Raises:
        OperatorError: there is no file to remember by, so the operator would crash for ever.
    """
    if not points:
        return None
    if file is None:
        raise OperatorError("PODREDUCE_OPERATOR_FAULTS is set without PODREDUCE_OPERATOR_FAULTS_STATE")
    return FaultHook(points=frozenset(points), file=file)
