"""What is removed after a run ends or is replaced by another run.

Rule: pure. A terminal run's verdict never changes. If the status says that the run is told or cleaned up, the store is
not read again until the ttl ends, the job is to be deleted, or somebody edits it. So a finished job costs no requests.
If the store refuses the clean-up or is away, it is asked more and more seldom, and after the ttl, or a day, no more.
"""

from collections.abc import Collection

from podreduce_operator.model.actions import Action, DiscardRun, RemoveIntermediates, RemoveRun, WritePostMortem
from podreduce_operator.model.decisions import Decision, Phase, Verdict
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import Observed, RunState
from podreduce_operator.model.pods import PodView
from podreduce_operator.pipelines.carried_maps import keeps_maps
from podreduce_operator.policy.attempt_record import describe_attempt, past_attempts
from podreduce_operator.policy.pod_deletion import delete_all, delete_foreign, kept_failed_pods
from podreduce_operator.policy.retry_delays import FAULT_RETRY_SECONDS
from podreduce_operator.policy.run_state import may_be_replaced, may_start_over

__all__ = [
    "clean_up",
    "gives_up_at",
    "has_settled",
    "is_at_rest",
    "is_cleaned_up",
    "is_given_up",
    "job_expires_at",
    "keeps_data",
    "needs_attempts",
    "remove_replaced_run",
    "wants_post_mortem",
]

SETTLING_SECONDS = 300.0
"""How long after its end a run's store is still looked at.

A pod that was listed too late, or whose node did not answer, may have written data after the data was removed.
"""

MAX_CLEANUP_RETRY_SECONDS = 3600.0
LEAST_CLEANUP_SECONDS = 86400.0
"""How long after its end a run whose clean-up fails is tried again at least, also if its ttl is shorter."""


def clean_up(observed: Observed, now: float) -> Decision:
    """Remove what a terminal run left. Its verdict stays the same."""
    run = observed.run
    verdict = Verdict(phase=Phase(run.terminal or ""), reason=run.reason, message=run.message)
    pods = observed.run_pods
    unfinished = [pod for pod in pods if not pod.is_finished]
    expires_at = run_expires_at(observed.job, run, now)
    expired = now >= expires_at
    kept = [] if expired else kept_failed_pods(pods)
    unneeded = [pod for pod in observed.pods if not pod.deleting and pod not in kept]
    actions: list[Action] = list(delete_all(unneeded, "job ended"))
    if observed.is_store_unreadable:
        return Decision(
            actions=tuple(actions), verdict=verdict, wake_after=next_look_without_store(observed, now, kept=kept)
        )
    if observed.faults:  # the store has just refused the clean-up
        return Decision(actions=tuple(actions), verdict=verdict, wake_after=cleanup_retry_seconds(observed, now))
    if observed.has_intermediates and not unfinished:
        actions.append(RemoveIntermediates())
    # Comes after the clean-up: nothing may wait for a post-mortem.
    if wants_post_mortem(observed, now) and not unfinished:
        turns = (turn for pod in pods for turn in (*past_attempts(pod, observed.commits), pod))
        actions.append(WritePostMortem(attempts=tuple(describe_attempt(turn, now) for turn in turns)))
    if observed.has_records and expired and not unfinished:
        actions.append(RemoveRun())
    wake_after = None if expired or not (kept or observed.has_records) else expires_at - now
    return Decision(actions=tuple(actions), verdict=verdict, wake_after=wake_after)


def next_look_without_store(observed: Observed, now: float, *, kept: Collection[PodView]) -> float | None:
    """Return after how long to look again at an ended run whose store was not read; None: on the next event."""
    job, run = observed.job, observed.run
    rests_until_ttl = observed.is_at_rest and not run.is_cleaned_up and not is_given_up(job, run, now)
    looks = [max(run_expires_at(job, run, now) - now, 0.0)] if kept or rests_until_ttl else []
    if observed.faults:
        looks.append(cleanup_retry_seconds(observed, now))
    return min(looks, default=None)


def keeps_data(job: JobView, run: RunState) -> bool:
    """Tell whether the map output of a complete run stays until the ttl, for later iterations of the job's loop."""
    return run.terminal == Phase.COMPLETE and keeps_maps(job.labels)


def cleanup_retry_seconds(observed: Observed, now: float) -> float:
    """Return how long to wait after a clean-up that failed: as long as the run has been over, at most an hour.

    A key without the right to delete, object lock, or a store that is gone may last for ever, and nothing may wait for
    a clean-up. See `gives_up_at`.
    """
    over_seconds = now - (observed.run.completed_at or now)
    return min(max(over_seconds, FAULT_RETRY_SECONDS), MAX_CLEANUP_RETRY_SECONDS)


def gives_up_at(job: JobView, run: RunState, now: float) -> float:
    """Return until when a clean-up that fails is tried again. An edit of the job makes one more try after that."""
    return max(run_expires_at(job, run, now), (run.completed_at or now) + LEAST_CLEANUP_SECONDS)


def is_given_up(job: JobView, run: RunState, now: float) -> bool:
    """Tell whether a clean-up that failed is not tried again, unless somebody edits the job."""
    return run.has_leftovers and now >= gives_up_at(job, run, now)


def run_expires_at(job: JobView, run: RunState, now: float) -> float:
    """Return when everything of a terminal run except its output is removed: at the latest before its job is."""
    expires_at = (run.completed_at or now) + job.spec.ttl_seconds_after_finished
    deleted_at = job_expires_at(job, run, now)
    return expires_at if deleted_at is None else min(expires_at, deleted_at)


def job_expires_at(job: JobView, run: RunState, now: float) -> float | None:
    """Return when the job of a terminal run is deleted; None if it stays."""
    seconds = job.spec.delete_after_finished_seconds
    return None if seconds is None else (run.completed_at or now) + seconds


def has_settled(run: RunState, now: float) -> bool:
    """Tell whether nothing more is expected to be written by an ended run."""
    return run.terminal is not None and now >= (run.completed_at or now) + SETTLING_SECONDS


def is_at_rest(job: JobView, run: RunState, now: float) -> bool:
    """Tell whether the status says that nothing in the store is due now.

    A post-mortem is written after the intermediate data is removed. So a run that is told has nothing to remove before
    its ttl ends. After an edit of the job, its plan is read once more, to report what changed. If the store was away
    when it was last to be looked at, what was written late may be there.
    """
    if run.terminal is None or may_start_over(job, run.run_id):
        return False
    if run.is_cleaned_up:
        return True
    is_edited = job.status.get("observedGeneration") != job.generation
    if is_given_up(job, run, now):
        return not is_edited
    is_due = is_edited or not has_settled(run, now) or now >= run_expires_at(job, run, now)
    return run.has_post_mortem and not run.has_leftovers and not is_due


def is_cleaned_up(observed: Observed, now: float) -> bool:
    """Tell whether nothing is left of an ended run except its output, and nothing more will be written."""
    if observed.run.terminal is None or observed.is_store_unreadable or observed.run.is_cleaned_up:
        return observed.run.is_cleaned_up
    if not has_settled(observed.run, now) or any(not pod.is_finished for pod in observed.pods):
        return False
    return not observed.has_records and not observed.has_intermediates


def needs_attempts(job: JobView, run: RunState, limits: Limits, now: float) -> bool:
    """Tell whether the records of an ended run's tasks may be needed: for a post-mortem that is not written yet."""
    return run.terminal in limits.post_mortem_of and not run.has_post_mortem and now < run_expires_at(job, run, now)


def wants_post_mortem(observed: Observed, now: float) -> bool:
    """Tell whether an ended run still needs a post-mortem: it was planned, has none, and its ttl is not over."""
    has_post_mortem = observed.plan is None or observed.post_mortem is not None
    return not has_post_mortem and needs_attempts(observed.job, observed.run, observed.limits, now)


def remove_replaced_run(observed: Observed, run_id: str) -> Decision:
    """Remove the run that a new runId replaced: first its pods, then what it stored."""
    verdict = Verdict(phase=Phase.PLANNING, reason="Superseding", message=f"run {run_id} is being discarded")
    if not may_be_replaced(observed.job, observed.run_id):
        return Decision(actions=(), verdict=verdict, wake_after=0.0)  # the status names the run first
    if any(not pod.is_finished for pod in observed.foreign_pods):
        return Decision(actions=delete_foreign(observed), verdict=verdict)
    actions: tuple[Action, ...] = (*delete_foreign(observed), DiscardRun(run_id=run_id))
    return Decision(actions=actions, verdict=verdict)
