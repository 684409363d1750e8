"""Finds failed attempts that have no failure record yet. The record remains when the pod is deleted.

Rule: pure.
"""

from podreduce.contract.task import CommitRecord, FailureRecord, LostOutput
from podreduce_operator.model.actions import RecordFailure
from podreduce_operator.model.observed import Observed
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.policy.failure_causes import Cause, Classification, classify, find_cause
from podreduce_operator.policy.failure_classes import MEMORY_UNAVAILABLE
from podreduce_operator.policy.stuck_pods import find_expired, find_hung, raised_until

__all__ = ["build_lost_part_record", "record_failures", "recorded_attempts"]


def record_failures(observed: Observed, now: float) -> tuple[RecordFailure, ...]:
    """Record each attempt that ended or will never start, if its task is not committed."""
    recorded = recorded_attempts(observed)
    return tuple(
        RecordFailure(record=build_record(pod, classification, now), if_waiting=is_unstarted(pod))
        for pod in observed.run_pods
        if pod.attempt_id not in recorded
        and not commits_own_generation(observed, pod)
        and (classification := classify_pod(observed, pod, now)) is not None
    )


def classify_pod(observed: Observed, pod: PodView, now: float) -> Classification | None:
    """Classify the failure of the pod's attempt; None if it has not failed."""
    cause = find_stuck(observed, pod, now) if pod.is_active else find_cause(pod)
    if cause is None:
        return None
    return classify(pod, cause, observed.job.spec, observed.failures.get(pod.task, ()))


def find_stuck(observed: Observed, pod: PodView, now: float) -> Cause | None:
    """Return why an active attempt is given up: it will never start, or it hangs. None if it is not given up."""
    until = raised_until(observed, pod)
    if until is not None:
        message = f"no node for the raised memory: {pod.message}; the next attempt gets the usual memory again"
        return Cause(reason=MEMORY_UNAVAILABLE, message=message) if now >= until else None
    expired = find_expired(pod, now, observed.limits.pending)
    if expired is not None:
        return Cause(reason=expired.reason, message=expired.message)
    return find_hung(pod, observed.progress.get(pod.attempt_id), observed.job.spec.progress_deadline_seconds, now)


def is_unstarted(pod: PodView) -> bool:
    """Tell whether the pod has not started yet."""
    return pod.is_active and pod.phase is PodPhase.PENDING


def build_record(pod: PodView, classification: Classification, now: float) -> FailureRecord:
    """Return the failure record of an attempt."""
    outcome = pod.outcome
    return FailureRecord(
        task=pod.task,
        generation=pod.generation,
        attempt_id=pod.attempt_id,
        pod_name=pod.name,
        ordinal=pod.ordinal,
        counted=classification.counted,
        ends_job=classification.ends_job,
        reason=classification.reason,
        message=classification.message,
        finished_at=now if pod.finished_at is None else max(pod.finished_at, 0.0),
        exit_code=pod.exit_code,
        traceback="" if outcome is None else outcome.traceback,
        record="" if outcome is None else outcome.record,
        bad_records=0 if outcome is None else outcome.bad_records,
        lost=None if outcome is None else outcome.lost,
    )


def commits_own_generation(observed: Observed, pod: PodView) -> bool:
    """Tell whether the task is committed in the pod's generation or later, by any attempt; then this did not fail."""
    commit = observed.commits.get(pod.task)
    return commit is not None and commit.generation >= pod.generation


def recorded_attempts(observed: Observed) -> set[str]:
    """Return the ids of all attempts with a failure record."""
    return {failure.attempt_id for failures in observed.failures.values() for failure in failures}


def build_lost_part_record(commit: CommitRecord) -> FailureRecord:
    """Return the record of a committed part that the store has dropped. It does not count, and the task runs again."""
    return FailureRecord(
        task=commit.task,
        generation=commit.generation,
        attempt_id=commit.attempt_id,
        pod_name=commit.pod_name,
        ordinal=0,
        counted=False,
        reason="UploadLost",
        message="the store dropped the part before it was published: see its rule for unfinished uploads",
        finished_at=commit.finished_at,
        lost=LostOutput(task=commit.task, generation=commit.generation),
    )
