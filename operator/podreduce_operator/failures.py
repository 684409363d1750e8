"""What a failed attempt means: whether it counts, whether it ends the job, and when the next one may start.

Rule: pure tables and arithmetic over recorded times; nothing is remembered in memory and no timer holds a delay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.task import FailureRecord
from podreduce_operator.model import PodPhase, PodView
from podreduce_operator.spec import BackoffSpec

__all__ = [
    "AWAITED_REASONS",
    "FATAL_REASONS",
    "FAULT_RETRY_SECONDS",
    "MAX_UNCOUNTED_FAILURES",
    "PENDING_GRACE_SECONDS",
    "Classification",
    "classify_failure",
    "classify_stuck_pod",
    "next_attempt_at",
    "render_failure",
    "stuck_deadline",
]

MAX_UNCOUNTED_FAILURES = 50
"""A task that is disrupted this often fails the job: something takes its pods away for good."""

PENDING_GRACE_SECONDS = 30.0
"""How long an image, a Secret or a ConfigMap that is missing may still appear."""

FAULT_RETRY_SECONDS = 5.0
"""How long to wait after a fault that may pass."""

UNCOUNTED_FIRST_DELAY_SECONDS = 1.0
UNCOUNTED_MAX_DELAY_SECONDS = 60.0

FATAL_REASONS = frozenset(
    {"InputError", "StorageDenied", "PlanMismatch", "ImageUnavailable", "PodConfigInvalid"},
)
"""Another attempt would end the same way: the job fails at once."""

AWAITED_REASONS = frozenset({"StorageSecretNotFound", "ProgramNotFound"})
"""Faults of things that are often applied together with the job: permanent only after the grace."""

UNCOUNTED_OUTCOMES = frozenset({"MapOutputLost"})

REASONS_BY_EXIT_CODE = {
    ExitCode.INTERNAL_ERROR: "InternalError",
    ExitCode.PROGRAM_ERROR: "ProgramError",
    ExitCode.INPUT_ERROR: "InputError",
    ExitCode.STORAGE_DENIED: "StorageDenied",
    ExitCode.STORAGE_UNAVAILABLE: "StorageUnavailable",
    ExitCode.PLAN_MISMATCH: "PlanMismatch",
    ExitCode.OUT_OF_MEMORY: "OutOfMemory",
    ExitCode.SCRATCH_FULL: "ScratchFull",
    ExitCode.TERMINATED: "Terminated",
    137: "Killed",
}

REASONS_BY_KUBELET = {
    "OOMKilled": ("OutOfMemory", "killed by the kernel at its memory limit"),
    "Evicted": ("Evicted", "evicted by the kubelet"),
}

STUCK_AT_ONCE = {"InvalidImageName": "ImageUnavailable", "ErrImageNeverPull": "ImageUnavailable"}
STUCK_AFTER_GRACE = {
    "ErrImagePull": "ImageUnavailable",
    "ImagePullBackOff": "ImageUnavailable",
    "RegistryUnavailable": "ImageUnavailable",
    "CreateContainerConfigError": "PodConfigInvalid",
    "CreateContainerError": "PodConfigInvalid",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Why an attempt failed, and whether it uses up `backoffLimitPerTask`."""

    reason: str
    message: str
    counted: bool


def classify_failure(pod: PodView) -> Classification:
    """Say why a finished or terminating pod whose task it did not commit has failed."""
    if pod.disrupted:
        return Classification(reason="Disrupted", message=pod.message or "taken away by the cluster", counted=False)
    if pod.outcome is not None:
        counted = pod.outcome.reason not in UNCOUNTED_OUTCOMES
        return Classification(reason=pod.outcome.reason, message=pod.outcome.message, counted=counted)
    if pod.reason in REASONS_BY_KUBELET:
        reason, message = REASONS_BY_KUBELET[pod.reason]
        return Classification(reason=reason, message=pod.message or message, counted=True)
    if pod.deleting:
        return Classification(reason="PodDeleted", message="deleted while it ran", counted=False)
    return classify_exit(pod)


def classify_exit(pod: PodView) -> Classification:
    """Say why, by the exit code alone: the pod left no message."""
    code = pod.exit_code
    if pod.phase is PodPhase.SUCCEEDED:
        return Classification(reason="CommitMissing", message="exited with 0 without a commit record", counted=True)
    if code is None:
        return Classification(reason="PodFailed", message=pod.message or pod.reason or "no reason given", counted=True)
    reason = REASONS_BY_EXIT_CODE.get(code, "PodFailed")
    return Classification(reason=reason, message=pod.message or f"exited with {code}", counted=True)


def classify_stuck_pod(pod: PodView, now: float) -> Classification | None:
    """Say why a pending pod will never start, or None while it may."""
    reason = STUCK_AT_ONCE.get(pod.reason)
    if reason is None and now >= pod.created_at + PENDING_GRACE_SECONDS:
        reason = STUCK_AFTER_GRACE.get(pod.reason)
    if reason is None or pod.phase is not PodPhase.PENDING:
        return None
    return Classification(reason=reason, message=f"{pod.reason}: {pod.message}", counted=True)


def stuck_deadline(pod: PodView) -> float | None:
    """Return when to look at a pending pod again, if its reason is one that has a grace."""
    waits = pod.phase is PodPhase.PENDING and pod.reason in STUCK_AFTER_GRACE
    return pod.created_at + PENDING_GRACE_SECONDS if waits else None


def next_attempt_at(failures: Sequence[FailureRecord], backoff: BackoffSpec) -> float:
    """Return when the task's next attempt may start (0.0: at once), from the recorded times alone.

    After the n-th counted failure: min(initial x factor^(n-1), max) seconds from its finish. Failures that do not count
    have their own delay: 1 s, doubling to 60 s.
    """
    if not failures:
        return 0.0
    counted = [failure.finished_at for failure in failures if failure.counted]
    uncounted = [failure.finished_at for failure in failures if not failure.counted]
    return max(
        delayed(counted, backoff.initial_seconds, backoff.factor, backoff.max_seconds),
        delayed(uncounted, UNCOUNTED_FIRST_DELAY_SECONDS, 2.0, UNCOUNTED_MAX_DELAY_SECONDS),
    )


def delayed(finished: Sequence[float], initial: float, factor: float, maximum: float) -> float:
    """Return the last finish plus the exponential delay after that many failures; 0.0 without any."""
    if not finished:
        return 0.0
    try:
        delay = initial * factor ** (len(finished) - 1)
    except OverflowError:
        delay = maximum if initial else 0.0
    return max(finished) + min(delay, maximum)


def render_failure(failure: FailureRecord) -> str:
    """Return one line about a failed attempt, for a condition's message."""
    return f"{failure.task} (pod {failure.pod_name}): {failure.reason}: {failure.message}"
