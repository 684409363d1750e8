"""Pods that do not start or make no progress: the cluster's reason, and how long they may stay.

Rule: pure tables and arithmetic. Every wait has a reported reason. Waits that only a person can end have a deadline by
kind. It counts from when the pod got its node, or from its creation if it has none.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from podreduce.contract.task import FailureRecord
from podreduce_operator.model.limits import PendingDeadlines
from podreduce_operator.model.observed import Observed
from podreduce_operator.model.pods import AttemptProgress, PodPhase, PodView
from podreduce_operator.policy.failure_causes import Cause
from podreduce_operator.policy.failure_classes import MEMORY_UNAVAILABLE
from podreduce_operator.policy.retry_delays import memory_factor

__all__ = [
    "WAITS",
    "Waiting",
    "explain_waiting",
    "find_expired",
    "find_hung",
    "hung_at",
    "is_gated",
    "is_silent",
    "moments",
    "name_wait",
    "pending_deadline",
    "raised_until",
    "silent_since",
    "still_waits",
]

TOLD_AFTER_SECONDS = 5.0
"""A wait is reported after this time. A shorter one is normal."""

AT_ONCE = 0.0

RAISED_MEMORY_SECONDS = 300.0
"""How long a pod that asks for more memory than usual waits for a node. An autoscaler adds one in this time."""

GATED = "SchedulingGated"

REASONS = {
    "Unschedulable": "Unschedulable",
    GATED: "AwaitingAdmission",
    "InvalidImageName": "ImageUnavailable",
    "ErrImageNeverPull": "ImageUnavailable",
    "ErrImagePull": "ImageUnavailable",
    "ImagePullBackOff": "ImageUnavailable",
    "RegistryUnavailable": "ImageUnavailable",
    "ImageInspectError": "ImageUnavailable",
    "CreateContainerConfigError": "PodConfigInvalid",
    "CreateContainerError": "PodConfigInvalid",
    "FailedMount": "PodConfigInvalid",
    "FailedAttachVolume": "PodConfigInvalid",
    "FailedCreatePodSandBox": "SandboxFailed",
}
"""The reported reason for each reason of the scheduler or kubelet."""

WAITS = frozenset({*REASONS.values(), "Scheduling", "Starting", "Other"})
"""What may keep a pod from starting: a reported reason, or the scheduler's or the kubelet's usual work."""

HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
"""Waiting does not help with these."""

ABSENT_WORDS = ("not found", "manifest unknown", "does not exist", "denied", "unauthorized", "authentication required")
"""In the kubelet's message, these mean that the object is missing or access is denied. Others may be an outage."""


LATE_DRIVER = "list of registered csi drivers"
"""In the kubelet's message: the driver of a volume does not run on the node yet. On a new node it takes a while."""

SILENT_REASONS = frozenset({"", "ContainerCreating", "PodInitializing"})
SILENT_SECONDS = 20.0
"""If a pod has a node and gives no reason for this long, the operator reads its events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why pods of a run do not start: one reason, and a message about one of the pods."""

    reason: str
    message: str


def raised_until(observed: Observed, pod: PodView) -> float | None:
    """Return until when a pod with more memory than usual waits for a node; None if it has usual memory or a node.

    No node may be that large. For ever would be longer than the job had lasted without another attempt.
    """
    if not is_waiting(pod) or REASONS[pod.reason] != "Unschedulable":
        return None
    earlier = [failure for failure in observed.failures.get(pod.task, ()) if failure.ordinal < pod.ordinal]
    if memory_factor(earlier, observed.job.spec) == 1.0:
        return None
    at_most = observed.limits.pending.unschedulable_seconds
    seconds = RAISED_MEMORY_SECONDS if at_most is None else min(RAISED_MEMORY_SECONDS, at_most)
    return waits_since(pod) + seconds


def find_expired(pod: PodView, now: float, deadlines: PendingDeadlines) -> Waiting | None:
    """Return why a pending pod is given up, or None if it may still start."""
    deadline = pending_deadline(pod, deadlines)
    if deadline is None or now < deadline:
        return None
    return Waiting(reason=REASONS[pod.reason], message=f"{pod.reason}: {pod.message}")


def pending_deadline(pod: PodView, deadlines: PendingDeadlines) -> float | None:
    """Return when a waiting pod is given up (seconds since the epoch); None if it is not waiting or has no deadline."""
    seconds = allowed_seconds(pod, deadlines) if is_waiting(pod) else None
    return None if seconds is None else waits_since(pod) + seconds


def allowed_seconds(pod: PodView, deadlines: PendingDeadlines) -> float | None:
    """Return how many seconds a pod may wait for its reason; None means for ever."""
    if pod.reason in HOPELESS:
        return AT_ONCE
    message = pod.message.lower()
    is_absent = any(words in message for words in ABSENT_WORDS) and LATE_DRIVER not in message
    match REASONS[pod.reason]:
        case "ImageUnavailable":
            return deadlines.absent_seconds if is_absent else deadlines.image_seconds
        case "PodConfigInvalid":
            # A slow volume is not a mistake. A volume from a Secret that does not exist is one.
            return deadlines.absent_seconds if is_absent or not pod.reason.startswith("Failed") else None
        case "Unschedulable":
            return deadlines.unschedulable_seconds
        case _:
            return None


def is_waiting(pod: PodView) -> bool:
    """Tell whether something keeps the pod from starting."""
    return pod.phase is PodPhase.PENDING and not pod.deleting and pod.reason in REASONS


def name_wait(pod: PodView) -> str | None:
    """Return what keeps the pod from starting, one of `WAITS`; None if it has started, has ended or is deleted."""
    if pod.phase is not PodPhase.PENDING or pod.deleting:
        return None
    if pod.reason in SILENT_REASONS:
        return "Starting" if pod.node else "Scheduling"
    return REASONS.get(pod.reason, "Other")


def is_gated(pod: PodView) -> bool:
    """Tell whether a queue has not admitted the pod yet, so the scheduler ignores it."""
    return is_waiting(pod) and pod.reason == GATED


def still_waits(pod: PodView | None, record: FailureRecord) -> bool:
    """Tell whether a pod still waits for the reason in the failure record. `pod` is the pod as it is now.

    A pod does not report a volume that cannot be mounted: see `silent_since`.
    """
    if pod is None or pod.attempt_id != record.attempt_id or pod.phase is not PodPhase.PENDING or pod.deleting:
        return False
    if record.reason == MEMORY_UNAVAILABLE:
        return REASONS.get(pod.reason) == "Unschedulable"
    mute = record.reason == "PodConfigInvalid" and pod.reason in SILENT_REASONS
    return mute or REASONS.get(pod.reason) == record.reason


def waits_since(pod: PodView) -> float:
    """Return when the pod's current wait began."""
    return pod.created_at if pod.scheduled_at is None else pod.scheduled_at


def moments(pod: PodView, deadlines: PendingDeadlines) -> tuple[float, ...]:
    """Return the times when a waiting pod must be looked at again: to report it, to ask for events, to give it up."""
    deadline, silent = pending_deadline(pod, deadlines), silent_since(pod)
    told = (waits_since(pod) + TOLD_AFTER_SECONDS,) if is_waiting(pod) else ()
    asked = () if silent is None else (silent + SILENT_SECONDS,)
    return (*told, *asked, *(() if deadline is None else (deadline,)))


def silent_since(pod: PodView) -> float | None:
    """Return since when a pod with a node gives no reason why it does not start; None if it gives one or starts."""
    is_mute = pod.phase is PodPhase.PENDING and not pod.deleting and pod.reason in SILENT_REASONS
    return pod.scheduled_at if is_mute else None


def is_silent(pod: PodView, now: float) -> bool:
    """Tell whether the pod's events should be read to learn why it does not start."""
    since = silent_since(pod)
    return since is not None and now >= since + SILENT_SECONDS


def explain_waiting(pods: Iterable[PodView], now: float) -> Waiting | None:
    """Return why pods wait, if some have waited for a while: the reason of the longest wait, and how many share it."""
    waiting = [pod for pod in pods if is_waiting(pod) and now >= waits_since(pod) + TOLD_AFTER_SECONDS]
    if not waiting:
        return None
    longest = min(waiting, key=lambda pod: (waits_since(pod), pod.name))
    alike = sum(1 for pod in waiting if REASONS[pod.reason] == REASONS[longest.reason])
    others = f" (and {alike - 1} more)" if alike > 1 else ""
    words = f"{longest.reason}: {longest.message}" if longest.message else longest.reason
    return Waiting(reason=REASONS[longest.reason], message=f"pod {longest.name}{others} waits: {words}")


def hung_at(pod: PodView, progress: AttemptProgress | None, deadline_seconds: int | None) -> float | None:
    """Return when a running attempt is given up if it reports no more progress; None if never."""
    if progress is None or deadline_seconds is None or pod.phase is not PodPhase.RUNNING:
        return None
    return progress.changed_at + deadline_seconds


def find_hung(pod: PodView, progress: AttemptProgress | None, deadline_seconds: int | None, now: float) -> Cause | None:
    """Return the cause if an attempt hangs, or None if it may be working."""
    at = hung_at(pod, progress, deadline_seconds)
    if at is None or now < at:
        return None
    remedy = "fix what hangs, or call context.progress() in long work"
    message = f"no progress for {deadline_seconds} s (progressDeadlineSeconds): {remedy}"
    return Cause(reason="NoProgress", message=message)
