"""What a local run reports while it runs: starts, output and ends of attempts, the status, and events.

Rule: frozen data. On a cluster the API server provides this.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from podreduce.contract.task import TaskRef
from podreduce_operator.model.pods import PodView

__all__ = ["EventRecorded", "JobChanged", "LineWritten", "Notice", "PodEnded", "PodStarted", "StatusWritten", "Tell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodStarted:
    """An attempt's process has started."""

    pod: PodView


@dataclass(frozen=True, slots=True, kw_only=True)
class LineWritten:
    """An attempt's process wrote a line to its standard output or error."""

    task: TaskRef
    attempt_id: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PodEnded:
    """An attempt's process has ended. `killed`: the engine stopped it. `log`: the last lines of its output."""

    pod: PodView
    killed: bool
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusWritten:
    """The job's status, as a cluster would show it in the resource."""

    status: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobChanged:
    """The job has been created, or its spec has been changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecorded:
    """An event, as `kubectl describe` shows it on a cluster. `kind` is `Normal` or `Warning`."""

    kind: str
    reason: str
    message: str


Notice = PodStarted | LineWritten | PodEnded | StatusWritten | JobChanged | EventRecorded
Tell = Callable[[Notice], None]
