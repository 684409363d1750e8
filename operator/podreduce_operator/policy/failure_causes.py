"""Why an attempt failed, whether the failure counts, and whether it ends the job.

Rule: pure. The job's `failurePolicy` decides first. Otherwise the table in `failure_classes` says what a reason means.
"""

import signal
from collections.abc import Sequence
from dataclasses import dataclass

from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.task import FailureRecord
from podreduce_operator.api.spec import JobSpec
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.policy.failure_classes import DENIAL, MEMORY, OUTAGE, SETUP, class_of
from podreduce_operator.policy.failure_rules import find_action
from podreduce_operator.policy.retry_delays import may_raise_memory, ran_out_of_memory

__all__ = ["AWAITED_REASONS", "ENDED_EARLY", "Cause", "Classification", "classify", "find_cause", "render_failure"]

AWAITED_REASONS = frozenset({"StorageSecretNotFound", "ProgramNotFound"}) | {
    "ServiceAccountNotFound",
    "PriorityClassNotFound",
    "RuntimeClassNotFound",
}
"""Faults of objects that are often applied together with the job. They are permanent only after a grace period."""

REASONS_BY_EXIT_CODE = {
    ExitCode.PROGRAM_ERROR: "ProgramError",
    ExitCode.INPUT_ERROR: "InputError",
    ExitCode.STORAGE_DENIED: "StorageDenied",
    ExitCode.STORAGE_UNAVAILABLE: "StorageUnavailable",
    ExitCode.PLAN_MISMATCH: "PlanMismatch",
    ExitCode.MAP_OUTPUT_LOST: "MapOutputLost",
    ExitCode.OUT_OF_MEMORY: "OutOfMemory",
    ExitCode.SCRATCH_FULL: "ScratchFull",
    ExitCode.TOO_MANY_BAD_RECORDS: "TooManyBadRecords",
    ExitCode.SHUFFLE_NOT_FROZEN: "ShuffleNotFrozen",
    ExitCode.TERMINATED: "Terminated",
    137: "Killed",
}

ENDED_EARLY = (
    "before its task was committed, and said nothing: the program, or a library that it calls, ended the process "
    "(os._exit, or exit in C code). Let it return or raise instead; the last lines of the log may say more"
)

REASONS_BY_KUBELET = {
    "OOMKilled": ("OutOfMemory", "killed by the kernel at its memory limit"),
    "Evicted": ("Evicted", "evicted by the kubelet"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why an attempt failed."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Why an attempt failed, whether it uses up `backoffLimitPerTask`, and whether it ends the job."""

    reason: str
    message: str
    counted: bool
    ends_job: bool = False


def classify(pod: PodView, cause: Cause, spec: JobSpec, earlier: Sequence[FailureRecord]) -> Classification:
    """Classify an attempt's failure; `earlier` are the previous failures of its task."""
    reason, message, failure_class = cause.reason, cause.message, class_of(cause.reason)
    match find_action(spec.failure_policy.rules, pod, reason):
        case "FailJob":
            return Classification(reason=reason, message=message, counted=True, ends_job=True)
        case "Ignore":
            return Classification(reason=reason, message=message, counted=False)
        case "Count":
            return Classification(reason=reason, message=message, counted=True)
    if failure_class is MEMORY and may_raise_memory(spec) and not ran_out_of_memory(earlier):
        told = f"{message}; the next attempt gets {spec.backoff.out_of_memory_factor:g} times the memory"
        return Classification(reason=reason, message=told, counted=False)
    if failure_class is SETUP and has_failed_so(cause, earlier):
        told = f"{message} (twice the same, before the first record; a Count rule in failurePolicy keeps the retries)"
        return Classification(reason=reason, message=told, counted=True, ends_job=True)
    has_no_retries = failure_class in (OUTAGE, DENIAL) and spec.backoff_limit_per_task == 0
    counted = failure_class.is_counted or failure_class.is_fatal or has_no_retries
    return Classification(reason=reason, message=message, counted=counted, ends_job=failure_class.is_fatal)


def has_failed_so(cause: Cause, earlier: Sequence[FailureRecord]) -> bool:
    """Tell whether an attempt of the task has already failed with the same words."""
    return any((failure.reason, failure.message) == (cause.reason, cause.message) for failure in earlier)


def find_cause(pod: PodView) -> Cause:
    """Return why a finished or terminating pod failed. The pod did not commit its task."""
    if pod.disrupted:
        return Cause(reason="Disrupted", message=pod.message or "taken away by the cluster")
    if pod.outcome is not None:
        return Cause(reason=pod.outcome.reason, message=pod.outcome.message)
    if pod.reason in REASONS_BY_KUBELET:
        reason, message = REASONS_BY_KUBELET[pod.reason]
        return Cause(reason=reason, message=pod.message or message)
    if pod.deleting:
        has_run = pod.phase is PodPhase.RUNNING or pod.started_at is not None or pod.exit_code is not None
        when = "while it ran" if has_run else "before it started"
        return Cause(reason="PodDeleted", message=f"deleted {when}")
    return cause_by_exit(pod)


def cause_by_exit(pod: PodView) -> Cause:
    """Return why the pod failed, from its exit code alone: it left no message."""
    code = pod.exit_code
    if pod.phase is PodPhase.SUCCEEDED:
        return Cause(reason="CommitMissing", message=f"exited with 0 {ENDED_EARLY}")
    if code is None:
        return Cause(reason="PodFailed", message=pod.message or pod.reason or "no reason given")
    if code in REASONS_BY_EXIT_CODE:
        return Cause(reason=REASONS_BY_EXIT_CODE[code], message=pod.message or f"exited with {code}")
    return Cause(reason="PodFailed", message=pod.message or f"{render_exit(code)} {ENDED_EARLY}")


def render_exit(code: int) -> str:
    """Return how a process ended. Codes from 129 on stand for signals."""
    try:
        return f"ended by {signal.Signals(code - 128).name} (exit code {code})"
    except ValueError:
        return f"exited with {code}"


def render_failure(failure: FailureRecord) -> str:
    """Return one line about a failed attempt, for a condition's message."""
    return f"{failure.task} (pod {failure.pod_name}): {failure.reason}: {failure.message}"
