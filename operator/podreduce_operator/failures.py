"""What a failed attempt means: whether it counts, whether it ends the job, and when the next one may start.

Rule: pure tables and arithmetic over recorded times; nothing is remembered in memory and no timer holds a delay. What
follows from a reason stands in `failure_classes`; the job's own `failurePolicy` goes before it.
"""

import signal
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.task import FailureRecord
from podreduce_operator.failure_classes import DISRUPTION, MEMORY, OUTAGE, FailureClass, class_of
from podreduce_operator.failure_policy import find_action
from podreduce_operator.model import PodPhase, PodView
from podreduce_operator.spec import BackoffSpec, JobSpec

__all__ = [
    "AWAITED_REASONS",
    "ENDED_EARLY",
    "FAULT_RETRY_SECONDS",
    "Cause",
    "Classification",
    "classify",
    "find_cause",
    "memory_factor",
    "next_attempt_at",
    "render_failure",
    "uncounted_by_budget",
]

FAULT_RETRY_SECONDS = 5.0
"""How long to wait after a fault that may pass."""

AWAITED_REASONS = frozenset({"StorageSecretNotFound", "ProgramNotFound"})
"""Faults of things that are often applied together with the job: permanent only after the grace."""

REASONS_BY_EXIT_CODE = {
    ExitCode.PROGRAM_ERROR: "ProgramError",
    ExitCode.INPUT_ERROR: "InputError",
    ExitCode.STORAGE_DENIED: "StorageDenied",
    ExitCode.STORAGE_UNAVAILABLE: "StorageUnavailable",
    ExitCode.PLAN_MISMATCH: "PlanMismatch",
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
    """Why an attempt failed, whether it uses up `backoffLimitPerTask`, and whether it is the job's end."""

    reason: str
    message: str
    counted: bool
    ends_job: bool = False


def classify(pod: PodView, cause: Cause, spec: JobSpec, earlier: Sequence[FailureRecord]) -> Classification:
    """Say what an attempt's failure means after the `earlier` ones of its task."""
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
    has_no_retries = failure_class is OUTAGE and spec.backoff_limit_per_task == 0
    counted = failure_class.is_counted or failure_class.is_fatal or has_no_retries
    return Classification(reason=reason, message=message, counted=counted, ends_job=failure_class.is_fatal)


def find_cause(pod: PodView) -> Cause:
    """Say why a finished or terminating pod whose task it did not commit has failed."""
    if pod.disrupted:
        return Cause(reason="Disrupted", message=pod.message or "taken away by the cluster")
    if pod.outcome is not None:
        return Cause(reason=pod.outcome.reason, message=pod.outcome.message)
    if pod.reason in REASONS_BY_KUBELET:
        reason, message = REASONS_BY_KUBELET[pod.reason]
        return Cause(reason=reason, message=pod.message or message)
    if pod.deleting:
        return Cause(reason="PodDeleted", message="deleted while it ran")
    return cause_by_exit(pod)


def cause_by_exit(pod: PodView) -> Cause:
    """Say why, by the exit code alone: the pod left no message."""
    code = pod.exit_code
    if pod.phase is PodPhase.SUCCEEDED:
        return Cause(reason="CommitMissing", message=f"exited with 0 {ENDED_EARLY}")
    if code is None:
        return Cause(reason="PodFailed", message=pod.message or pod.reason or "no reason given")
    if code in REASONS_BY_EXIT_CODE:
        return Cause(reason=REASONS_BY_EXIT_CODE[code], message=pod.message or f"exited with {code}")
    return Cause(reason="PodFailed", message=pod.message or f"{render_exit(code)} {ENDED_EARLY}")


def render_exit(code: int) -> str:
    """Return how a process ended: the codes from 129 on are those of signals."""
    try:
        return f"ended by {signal.Signals(code - 128).name} (exit code {code})"
    except ValueError:
        return f"exited with {code}"


def memory_factor(failures: Sequence[FailureRecord], spec: JobSpec) -> float:
    """Return what the memory of a task's next attempt is multiplied by: more, once, if one ran out of it."""
    return spec.backoff.out_of_memory_factor if may_raise_memory(spec) and ran_out_of_memory(failures) else 1.0


def may_raise_memory(spec: JobSpec) -> bool:
    """Tell whether a task that runs out of memory may try once more with more of it."""
    return spec.backoff.out_of_memory_factor > 1.0 and spec.backoff_limit_per_task > 0


def ran_out_of_memory(failures: Sequence[FailureRecord]) -> bool:
    """Tell whether one of the attempts did."""
    return any(failure.reason in MEMORY.reasons for failure in failures)


def budget_of(failure: FailureRecord) -> FailureClass:
    """Return the class whose budget a failure that does not count is taken from: its own, if that has one."""
    known = class_of(failure.reason)
    return DISRUPTION if known.is_counted or known.is_fatal else known


def next_attempt_at(failures: Sequence[FailureRecord], backoff: BackoffSpec) -> float:
    """Return when the task's next attempt may start (0.0: at once), from the recorded times alone.

    After the n-th counted failure: min(initial x factor^(n-1), max) seconds from its finish. Failures that do not count
    have the delay of their class, from its own last finish; the latest of all holds.
    """
    counted = [failure.finished_at for failure in failures if failure.counted]
    others = [
        delayed(
            [failure.finished_at for failure in uncounted],
            budget.first_delay_seconds,
            2.0,
            budget.max_delay_seconds,
        )
        for budget, uncounted in uncounted_by_budget(failures).items()
    ]
    return max(delayed(counted, backoff.initial_seconds, backoff.factor, backoff.max_seconds), *others, 0.0)


def uncounted_by_budget(failures: Sequence[FailureRecord]) -> Mapping[FailureClass, list[FailureRecord]]:
    """Return the failures that do not count, by the class whose budget they are taken from."""
    by_budget: defaultdict[FailureClass, list[FailureRecord]] = defaultdict(list)
    for failure in failures:
        if not failure.counted:
            by_budget[budget_of(failure)].append(failure)
    return by_budget


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
