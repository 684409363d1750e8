"""What the commands read from a job's manifest. Rule: pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from podreduce.contract.task import TaskType
from podreduce_operator.api.times import parse_time
from podreduce_operator.model.decisions import Phase
from podreduce_operator.model.pipelines import PipelinePhase
from podreduce_operator.policy.run_state import current_run_id, find_condition, is_condition_true, read_run_state

__all__ = [
    "FIRST_RUN",
    "SUPERSEDING",
    "Ending",
    "count_tasks",
    "find_ending",
    "find_last_failure",
    "find_wait",
    "is_wanted_run",
    "message_of",
    "read_duration",
    "read_tasks",
    "spec_of",
    "status_of",
    "wanted_run_id",
]

Json = dict[str, Any]

PHASES = frozenset(map(str, (*Phase, *PipelinePhase)))
"""Reasons of conditions that say where the run stands, and not why it waits."""


FIRST_RUN = "1"
"""The default of `runId`."""
SUPERSEDING = "Superseding"
"""The reason while the run in the status makes way for a new one."""


class Ending(StrEnum):
    """How a run came to rest."""

    COMPLETE = "Complete"
    FAILED = "Failed"
    SUSPENDED = "Suspended"

    @property
    def is_end(self) -> bool:
        """Whether the run is over. A suspended one may go on."""
        return self is not Ending.SUSPENDED


def spec_of(manifest: Mapping[str, Any]) -> Json:
    """Return a resource's spec."""
    return manifest.get("spec") or {}


def status_of(manifest: Mapping[str, Any]) -> Json:
    """Return a resource's status; empty before the operator has seen it."""
    return manifest.get("status") or {}


def message_of(status: Mapping[str, Any], kind: str) -> tuple[str, str]:
    """Return the reason and the message of a condition that is True; two empty texts otherwise."""
    condition = find_condition(status, kind)
    if condition is None or condition.get("status") != "True":
        return "", ""
    return str(condition.get("reason", "")), str(condition.get("message", ""))


def find_ending(manifest: Mapping[str, Any]) -> Ending | None:
    """Return how the run that the spec names came to rest; None while it goes on, or has not begun.

    After a change of `runId` or `suspend`, or of anything with `runPolicy: OnChange`, the status is of what was before,
    until the operator has seen the change. A job's run that failed before it was planned starts over if the spec has
    changed.
    """
    spec, status = spec_of(manifest), status_of(manifest)
    generation = manifest["metadata"].get("generation", 0)
    if not is_wanted_run(manifest) or message_of(status, "Reconciling")[0] == SUPERSEDING:
        return None
    ended = read_run_state(status, status["runId"]).terminal
    is_seen = status.get("observedGeneration", generation) >= generation
    if not is_seen and spec.get("runPolicy") == "OnChange":
        return None
    if ended == Ending.FAILED and not is_seen and "planDigest" not in status and "steps" not in status:
        return None
    if ended is not None:
        return Ending(ended)
    return Ending.SUSPENDED if is_seen and spec.get("suspend") and is_condition_true(status, "Suspended") else None


def wanted_run_id(manifest: Mapping[str, Any]) -> str:
    """Return the `runId` in the spec, or its default."""
    return str(spec_of(manifest).get("runId", FIRST_RUN))


def is_wanted_run(manifest: Mapping[str, Any]) -> bool:
    """Tell whether the status is of a run that was made for the `runId` in the spec."""
    status, wanted = status_of(manifest), wanted_run_id(manifest)
    return "runId" in status and status["runId"] == current_run_id(status, wanted)


def find_wait(status: Mapping[str, Any]) -> tuple[str, str]:
    """Return why a run in progress waits, as the operator says: reason and message. Empty if nothing keeps it."""
    reason, message = message_of(status, "Reconciling")
    return ("", "") if reason in PHASES else (reason, message)


def read_tasks(status: Mapping[str, Any], task_type: TaskType) -> Json:
    """Return the counts of the tasks of one type; empty before the plan."""
    return status.get(task_type.value) or {}


def count_tasks(status: Mapping[str, Any], count: str) -> int:
    """Return a count, such as `active` or `failed`, of all types of tasks together."""
    return sum(read_tasks(status, task_type).get(count, 0) for task_type in TaskType)


def find_last_failure(status: Mapping[str, Any]) -> Json | None:
    """Return the failed attempt that the status lists first: the newest. None if it lists none."""
    return next(iter(status.get("failures") or ()), None)


def read_duration(status: Mapping[str, Any], now: float) -> float | None:
    """Return how many seconds the run took, or has taken until `now`; None if it has not started."""
    started = parse_time(status.get("startTime"))
    if started is None:
        return None
    ended = parse_time(status.get("completionTime"))
    return max(0.0, (now if ended is None else ended) - started)
