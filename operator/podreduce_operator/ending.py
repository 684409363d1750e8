"""How a run ends and what is taken away after it: verdicts of failure, the tidying of terminal and replaced runs.

Rule: pure. Every verdict rests on evidence that lasts, so that it is found again after a restart.
"""

from collections.abc import Sequence

from podreduce.contract.task import FailureRecord
from podreduce.errors import UploadLostError
from podreduce_operator.attempt_records import describe_attempt, past_attempts
from podreduce_operator.bad_records import find_excess
from podreduce_operator.failures import AWAITED_REASONS, FAULT_RETRY_SECONDS, render_failure, uncounted_by_budget
from podreduce_operator.model import (
    Action,
    Decision,
    DiscardRun,
    Fault,
    Observed,
    Phase,
    RemoveIntermediates,
    RemoveRun,
    Verdict,
    WritePostMortem,
)
from podreduce_operator.upkeep import delete_all, delete_foreign, kept_failed_pods

__all__ = ["deadline_at", "find_end", "supersede", "tidy", "wants_post_mortem"]

PART_GONE_REASON = UploadLostError.reason
"""Met before the commit intent it runs the task again and is no fault; after it the output can never be complete."""


def tidy(observed: Observed, now: float) -> Decision:
    """Take away what a terminal run left; never change its verdict."""
    run = observed.run
    verdict = Verdict(phase=Phase(run.terminal or ""), reason=run.reason, message=run.message)
    pods = observed.run_pods
    unfinished = [pod for pod in pods if not pod.is_finished]
    expires_at = run_expires_at(observed, now)
    expired = now >= expires_at
    kept = [] if expired else kept_failed_pods(pods)
    doomed = [pod for pod in observed.pods if not pod.deleting and pod not in kept]
    actions: list[Action] = list(delete_all(doomed, "job ended"))
    if observed.is_blind:
        return Decision(actions=tuple(actions), verdict=verdict)
    if observed.has_intermediates and not unfinished:
        actions.append(RemoveIntermediates())
    # Last of what a run owes to others, and not at once again after a fault: nothing may wait for a story.
    if wants_post_mortem(observed, now) and not unfinished and not observed.faults:
        turns = (turn for pod in pods for turn in (*past_attempts(pod, observed.commits), pod))
        actions.append(WritePostMortem(attempts=tuple(describe_attempt(turn, now) for turn in turns)))
    if observed.has_records and expired and not unfinished:
        actions.append(RemoveRun())
    wake_after = None if expired or not (kept or observed.has_records) else expires_at - now
    if observed.faults:
        wake_after = FAULT_RETRY_SECONDS
    return Decision(actions=tuple(actions), verdict=verdict, wake_after=wake_after)


def run_expires_at(observed: Observed, now: float) -> float:
    """Return when all that a terminal run has left but its output goes."""
    return (observed.run.completed_at or now) + observed.job.spec.ttl_seconds_after_finished


def wants_post_mortem(observed: Observed, now: float) -> bool:
    """Tell whether an ended run has no post-mortem yet and is worth one: it was planned, and its ttl is not over."""
    is_told = observed.plan is None or observed.post_mortem is not None
    is_wanted = observed.run.terminal in observed.limits.post_mortem_of
    return is_wanted and not is_told and now < run_expires_at(observed, now)


def supersede(observed: Observed, run_id: str) -> Decision:
    """Take down the run that a new runId replaced: its pods first, then what it stored."""
    verdict = Verdict(phase=Phase.PLANNING, reason="Superseding", message=f"run {run_id} is being discarded")
    if any(not pod.is_finished for pod in observed.foreign_pods):
        return Decision(actions=delete_foreign(observed), verdict=verdict)
    actions: tuple[Action, ...] = (*delete_foreign(observed), DiscardRun(run_id=run_id))
    return Decision(actions=actions, verdict=verdict)


def find_end(observed: Observed, now: float) -> Verdict | None:
    """Return the verdict that fails the run, if there is evidence for one.

    None while the run has not begun, because the one it replaces still stands. Past the commit intent there is but one:
    a part that was to be published is gone.
    """
    if observed.superseded is not None:
        return None
    rolls_forward = may_have_intent(observed)
    for fault in observed.faults:
        if fault.reason == PART_GONE_REASON or (not rolls_forward and is_permanent(fault, observed, now)):
            return Verdict(phase=Phase.FAILED, reason=fault.reason, message=fault.message)
    if rolls_forward or observed.is_blind:
        return None
    exhausted = find_exhausted(observed) or find_excess(observed)
    if exhausted is not None:
        return exhausted
    deadline = deadline_at(observed)
    if deadline is not None and now >= deadline and not observed.job.spec.suspend:
        seconds = observed.job.spec.active_deadline_seconds
        return Verdict(phase=Phase.FAILED, reason="DeadlineExceeded", message=f"ran longer than {seconds} s")
    return None


def may_have_intent(observed: Observed) -> bool:
    """Tell whether the run is past its point of no return, or may be: planned, and now the store cannot be read."""
    status = observed.job.status
    was_planned = status.get("runId") == observed.run_id and "planDigest" in status
    return observed.has_intent or (observed.is_blind and was_planned)


def is_permanent(fault: Fault, observed: Observed, now: float) -> bool:
    """Tell whether a fault fails the run; what is often applied beside the job gets a grace to appear."""
    if fault.reason not in AWAITED_REASONS:
        return fault.permanent
    started_at, grace_seconds = observed.run.started_at, observed.limits.pending.absent_seconds
    return started_at is not None and grace_seconds is not None and now >= started_at + grace_seconds


def find_exhausted(observed: Observed) -> Verdict | None:
    """Return the verdict for the first task, in order, whose failures end the run."""
    limit = observed.job.spec.backoff_limit_per_task
    for task in sorted(observed.failures):
        failures = observed.failures[task]
        fatal = next((failure for failure in failures if failure.ends_job), None)
        if fatal is not None:
            return Verdict(phase=Phase.FAILED, reason=fatal.reason, message=render_failure(fatal))
        counted = [failure for failure in failures if failure.counted]
        if len(counted) > limit:
            message = f"{len(counted)} attempts failed; the last: {render_failure(newest(counted))}"
            return Verdict(phase=Phase.FAILED, reason="BackoffLimitExceeded", message=message)
        for budget, uncounted in uncounted_by_budget(failures).items():
            if len(uncounted) >= budget.limit:
                message = f"{len(uncounted)} attempts were lost; the last: {render_failure(newest(uncounted))}"
                return Verdict(phase=Phase.FAILED, reason=budget.exhausted, message=message)
    return None


def deadline_at(observed: Observed) -> float | None:
    """Return when activeDeadlineSeconds runs out, if there is one and the run has started."""
    seconds, started_at = observed.job.spec.active_deadline_seconds, observed.run.started_at
    return None if seconds is None or started_at is None else started_at + seconds


def newest(failures: Sequence[FailureRecord]) -> FailureRecord:
    """Return the failure that finished last."""
    return max(failures, key=lambda failure: (failure.finished_at, failure.attempt_id))
