"""The events that report how a job's status changed. Rule: pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from podreduce_operator.model.decisions import Phase
from podreduce_operator.policy.empty_output import EMPTY_OUTPUT
from podreduce_operator.policy.run_state import find_condition
from podreduce_operator.policy.spec_change import RUNS_AGAIN, SPEC_CHANGED

__all__ = ["JobEvent", "events_between"]
WARNING_PHASES = frozenset({Phase.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """A Kubernetes event for the job's author. `kind` is `Normal` or `Warning`."""

    kind: str
    reason: str
    message: str


def events_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[JobEvent]:
    """Return the events for the changes between the statuses `before` and `after`."""
    events = [*find_new_run(before, after)]
    known = {failure["attempt"] for failure in before.get("failures", ())}
    for failure in reversed(after.get("failures", ())):
        if failure["attempt"] not in known:
            text = f"{failure['task']} ({failure['attempt']}): {failure['reason']}: {failure['message']}"
            events.append(JobEvent(kind="Warning", reason="AttemptFailed", message=text))
    phase = after.get("phase")
    told = find_fault_reason(after)
    if phase != before.get("phase") or before.get("runId") != after.get("runId") or told != find_fault_reason(before):
        kind = "Warning" if phase in WARNING_PHASES or told is not None else "Normal"
        condition = find_condition(after, "Ready")
        if condition is not None:
            events.append(JobEvent(kind=kind, reason=condition["reason"], message=condition["message"]))
    for kind in (EMPTY_OUTPUT, SPEC_CHANGED):
        now, earlier = find_condition(after, kind), find_condition(before, kind)
        if now is not None and (earlier is None or earlier["message"] != now["message"]):
            level = "Normal" if now["reason"] == RUNS_AGAIN else "Warning"
            events.append(JobEvent(kind=level, reason=kind, message=now["message"]))
    return events


def find_new_run(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[JobEvent]:
    """Yield that a run follows from a change of the spec, and not from a new runId."""
    if "specRunId" in after and before.get("runId") not in {None, after["runId"]}:
        message = f"run {after['runId']} replaces run {before['runId']}: the spec changed, and runPolicy is OnChange"
        yield JobEvent(kind="Normal", reason=SPEC_CHANGED, message=message)


def find_fault_reason(status: Mapping[str, Any]) -> str | None:
    """Return the reason of a fault that delays the run, if there is one: a reason that is not a phase."""
    condition = find_condition(status, "Reconciling")
    if condition is None or condition["status"] != "True":
        return None
    reason: str = condition["reason"]
    return None if reason in set(Phase) else reason
