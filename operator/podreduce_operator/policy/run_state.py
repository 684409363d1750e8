"""What a job's status says about its run. Rule: pure. Decisions read the status only through this module."""

from collections.abc import Mapping, Sequence
from typing import Any

from podreduce.contract.plan import JobIdentity
from podreduce_operator.api.times import parse_time
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.observed import RunState

__all__ = [
    "CLEANED_UP",
    "CLEANUP_FAILED",
    "PUBLISHING",
    "current_run_id",
    "find_condition",
    "is_condition_true",
    "is_over",
    "may_be_replaced",
    "may_start_over",
    "read_conditions",
    "read_current_run",
    "read_installation",
    "read_plan_digest",
    "read_publishing",
    "read_run_id",
    "read_run_of",
    "read_run_state",
    "read_successor",
]

CLEANED_UP = "CleanedUp"
"""The condition of an ended run of which only the output is left. An API server with an older CRD keeps it too."""

CLEANUP_FAILED = "CleanupFailed"
"""The condition of an ended run whose store refuses to be tidied, or cannot be reached."""

PUBLISHING = "Publishing"
"""The condition that is True before a run begins to publish, and False before that. See `may_publish`."""


def read_run_id(status: Mapping[str, Any]) -> str | None:
    """Return the run id in the status; None before the first run."""
    run_id: str | None = status.get("runId")
    return run_id


def current_run_id(status: Mapping[str, Any], spec_run_id: str) -> str:
    """Return the id of the run in the status, if it was made for this `spec.runId`; otherwise a new run has that id."""
    made_for = status.get("specRunId", status.get("runId"))
    return str(status["runId"]) if made_for == spec_run_id and "runId" in status else spec_run_id


def read_successor(job: JobView) -> str | None:
    """Return the run that replaces the one in the status, if the status names it and `spec.runId` is still the same."""
    successor: str | None = job.status.get("successor")
    return successor if successor is not None and successor.rpartition("-g")[0] == job.spec.run_id else None


def may_be_replaced(job: JobView, run_id: str) -> bool:
    """Tell whether an earlier run may be removed for this one: its author named it, or the status does."""
    return run_id in {job.spec.run_id, read_successor(job)}


def read_installation(status: Mapping[str, Any]) -> str | None:
    """Return the installation that runs the job; None if none has adopted it yet."""
    installation: str | None = status.get("installation")
    return installation


def read_conditions(status: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the conditions."""
    conditions: Sequence[Mapping[str, Any]] = status.get("conditions") or ()
    return conditions


def find_condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    """Return the condition of this type, if the status has it."""
    return next((condition for condition in read_conditions(status) if condition["type"] == kind), None)


def is_condition_true(status: Mapping[str, Any], kind: str) -> bool:
    """Tell whether the status has a condition of this type that is True."""
    condition = find_condition(status, kind)
    return condition is not None and condition.get("status") == "True"


def read_plan_digest(status: Mapping[str, Any], run_id: str) -> str | None:
    """Return the digest of the run's plan, if the status names it."""
    return status.get("planDigest") if read_run_id(status) == run_id else None


def read_run_state(status: Mapping[str, Any], run_id: str) -> RunState:
    """Read what the status says about a run: nothing if the status is of another run."""
    if read_run_id(status) != run_id:
        return RunState(run_id=run_id)
    conditions = {condition["type"]: condition for condition in read_conditions(status)}
    ended = next((kind for kind in ("Complete", "Failed") if conditions.get(kind, {}).get("status") == "True"), None)
    condition = conditions[ended] if ended else {}
    return RunState(
        run_id=run_id,
        started_at=parse_time(status.get("startTime")),
        terminal=ended,
        reason=condition.get("reason", ""),
        message=condition.get("message", ""),
        completed_at=parse_time(status.get("completionTime")),
        is_publishing=read_publishing(conditions.get(PUBLISHING)),
        has_post_mortem=ended is not None and "postMortem" in status,
        is_cleaned_up=ended is not None and conditions.get(CLEANED_UP, {}).get("status") == "True",
        has_leftovers=ended is not None and conditions.get(CLEANUP_FAILED, {}).get("status") == "True",
    )


def read_current_run(status: Mapping[str, Any], spec_run_id: str) -> RunState:
    """Read what the status says about the run that was made for this `spec.runId`, whatever its name."""
    return read_run_state(status, current_run_id(status, spec_run_id))


def read_publishing(condition: Mapping[str, Any] | None) -> bool | None:
    """Return what the condition Publishing says; None if there is none."""
    return None if condition is None else condition.get("status") != "False"


def may_start_over(job: JobView, run_id: str) -> bool:
    """Tell whether the run has failed, its plan is not known, and the spec was changed since.

    If the store has no plan either, the run has pinned nothing and starts over with the same runId: its message says
    what to correct in the spec, and the correction would do nothing otherwise.
    """
    if job.deleting or read_plan_digest(job.status, run_id) is not None:
        return False
    has_failed = read_run_state(job.status, run_id).terminal == "Failed"
    return has_failed and job.status.get("observedGeneration", job.generation) < job.generation


def read_run_of(job: JobView, run_id: str, started_over: int) -> RunState:
    """Read what the status says about a run, unless it is older than the run's new start.

    Args:
        job: the job as last seen, which may be old: its status may still say that the run has ended.
        run_id: the run.
        started_over: the generation with which the run has started over; 0 if it has not.
    """
    is_old = job.status.get("observedGeneration", 0) < started_over
    return RunState(run_id=run_id) if is_old else read_run_state(job.status, run_id)


def is_over(job: JobView | None, run: JobIdentity, *, is_unread: bool) -> bool:
    """Tell whether a run can no longer write: it is gone, replaced or ended.

    Args:
        job: the job as it is now.
        run: the run.
        is_unread: the run's job is there, but its spec is not understood. Nobody knows what such a run does.
    """
    if is_unread:
        return False
    if job is None or job.uid != run.uid or read_run_id(job.status) != run.run_id:
        return True
    return read_run_state(job.status, run.run_id).terminal is not None
