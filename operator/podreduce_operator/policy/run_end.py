"""The verdicts that fail a run.

Rule: pure. Every verdict uses evidence that lasts, so it is the same after a restart.
"""

from collections.abc import Sequence

from podreduce.contract.errors import StorageDeniedError, UploadLostError
from podreduce.contract.task import FailureRecord
from podreduce.contract.texts import render_count
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.observed import Fault, Observed
from podreduce_operator.policy.bad_record_limit import find_excess
from podreduce_operator.policy.failure_causes import AWAITED_REASONS, render_failure
from podreduce_operator.policy.retry_delays import uncounted_by_budget
from podreduce_operator.policy.run_state import read_plan_digest

__all__ = ["deadline_at", "find_run_end", "is_troubled", "may_publish"]

PART_GONE_REASON = UploadLostError.reason
"""A published part is gone. Before the commit intent its task runs again; after it the output cannot be completed."""

DENIED_REASON = StorageDeniedError.reason
"""The store refuses. Before the plan the Secret is wrong; after it the same Secret was right, and may be again."""


def find_run_end(observed: Observed, now: float) -> Verdict | None:
    """Return the verdict that fails the run, if there is evidence for one.

    A run that waits for the one it replaces cannot fail. Past the commit intent there is only one such verdict: a part
    that was about to be published is gone. The deadline needs no store, so it counts also while that cannot be read.
    """
    if observed.superseded is not None:
        return None
    is_bound = observed.has_intent or (observed.is_store_unreadable and was_planned(observed))
    for fault in observed.faults:
        if fault.reason == PART_GONE_REASON or (not is_bound and is_permanent(fault, observed, now)):
            return Verdict(phase=Phase.FAILED, reason=fault.reason, message=fault.message)
    if not is_bound and not observed.is_store_unreadable:
        exhausted = find_exhausted(observed) or find_excess(observed)
        if exhausted is not None:
            return exhausted
    return None if may_publish(observed) else find_overrun(observed, now)


def may_publish(observed: Observed) -> bool:
    """Tell whether the run has a commit intent, or may have one.

    If the store cannot be read, the status says it: its condition Publishing is True before the intent is written. If
    an earlier release wrote the status, every planned run may have one.
    """
    if observed.has_intent or not observed.is_store_unreadable:
        return observed.has_intent
    said = observed.run.is_publishing
    return was_planned(observed) if said is None else said


def find_overrun(observed: Observed, now: float) -> Verdict | None:
    """Return the verdict for a run whose deadline is over. What it last waited for is told with it."""
    deadline = deadline_at(observed)
    if deadline is None or now < deadline or observed.job.spec.suspend:
        return None
    waited_for = "".join(f"; it waited: {fault.reason}: {fault.message}" for fault in observed.faults[:1])
    message = f"ran longer than {observed.job.spec.active_deadline_seconds} s{waited_for}"
    return Verdict(phase=Phase.FAILED, reason="DeadlineExceeded", message=message)


def is_troubled(observed: Observed) -> bool:
    """Tell whether the run waits for its store. What else it may wait for passes sooner, such as a quota."""
    return bool(observed.faults) and (
        observed.is_store_unreadable or any(fault.reason == DENIED_REASON for fault in observed.faults)
    )


def was_planned(observed: Observed) -> bool:
    """Tell whether the run has a plan, or had one when its status was written."""
    return observed.plan is not None or read_plan_digest(observed.job.status, observed.run_id) is not None


def is_permanent(fault: Fault, observed: Observed, now: float) -> bool:
    """Tell whether a fault fails the run. Objects that are often applied with the job get a grace period to appear.

    A planned run waits until the store accepts the operator again.
    """
    if fault.reason == DENIED_REASON and was_planned(observed):
        return False
    if fault.reason not in AWAITED_REASONS:
        return fault.permanent
    started_at, grace_seconds = observed.run.started_at, observed.limits.pending.absent_seconds
    return started_at is not None and grace_seconds is not None and now >= started_at + grace_seconds


def find_exhausted(observed: Observed) -> Verdict | None:
    """Return the verdict for the first task whose failures end the run."""
    limit = observed.job.spec.backoff_limit_per_task
    for task in sorted(observed.failures):
        failures = observed.failures[task]
        fatal = next((failure for failure in failures if failure.ends_job), None)
        if fatal is not None:
            return Verdict(phase=Phase.FAILED, reason=fatal.reason, message=render_failure(fatal))
        counted = [failure for failure in failures if failure.counted]
        if len(counted) > limit:
            message = f"{render_count(len(counted), 'attempt')} failed; the last: {render_failure(newest(counted))}"
            return Verdict(phase=Phase.FAILED, reason="BackoffLimitExceeded", message=message)
        for budget, uncounted in uncounted_by_budget(failures).items():
            if len(uncounted) >= budget.limit:
                message = f"{render_span(uncounted)}; the last: {render_failure(newest(uncounted))}"
                return Verdict(phase=Phase.FAILED, reason=budget.exhausted, message=message)
    return None


def deadline_at(observed: Observed) -> float | None:
    """Return when activeDeadlineSeconds runs out, if there is one and the run has started."""
    seconds, started_at = observed.job.spec.active_deadline_seconds, observed.run.started_at
    return None if seconds is None or started_at is None else started_at + seconds


def render_span(failures: Sequence[FailureRecord]) -> str:
    """Return how many attempts were lost, and how long this lasted."""
    finished = [failure.finished_at for failure in failures]
    return f"{render_count(len(failures), 'attempt')} lost within {max(finished) - min(finished):.0f} s"


def newest(failures: Sequence[FailureRecord]) -> FailureRecord:
    """Return the failure that finished last."""
    return max(failures, key=lambda failure: (failure.finished_at, failure.attempt_id))
