"""What a local run tells whoever watches it: attempts as they start, move on and end, the status, events.

Rule: frozen data. On a cluster the API server plays this part.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from podreduce.contract.task import TaskRef
from podreduce_operator.model.pods import PodView

__all__ = ["EventRecorded", "LineWritten", "Notice", "PodEnded", "PodStarted", "StatusWritten", "Tell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodStarted:
    """An attempt's process runs."""

    pod: PodView


@dataclass(frozen=True, slots=True, kw_only=True)
class LineWritten:
    """An attempt's process wrote a line to its standard output or error."""

    task: TaskRef
    attempt_id: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodEnded:
    """An attempt's process is gone; `killed` if because it was told to. `log` is its output, if that was kept."""

    pod: PodView
    killed: bool
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWritten:
    """The job's status, as it would stand in the resource."""

    status: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecorded:
    """An event, as `kubectl describe` would show it. `kind` is `Normal` or `Warning`."""

    kind: str
    reason: str
    message: str


Notice = PodStarted | LineWritten | PodEnded | StatusWritten | EventRecorded
Tell = Callable[[Notice], None]
