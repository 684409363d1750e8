"""Reads a pod from the API server into the view that the loop needs.

Rule: pure and tolerant. Any status from a kubelet, a node controller or a dying task gives a view, never an error. A
disruption is the condition DisruptionTarget, a lost node, or a kubelet that does not admit the pod. It is distinguished
from an end that the task caused: see `is_disrupted`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from sys import intern
from typing import Any

import msgspec

from podreduce.contract.task import TaskOutcome, TaskRef
from podreduce.contract.wire import decode
from podreduce_operator.api.crd import GROUP, KIND
from podreduce_operator.api.times import parse_time
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pods import Gang, PodPhase, PodView, Requests
from podreduce_operator.pods.pod_manifest import (
    GANG_ANNOTATION,
    PROGRESS_TOKEN_ANNOTATION,
    TASK_CONTAINER,
    TASKS_ANNOTATION,
)
from podreduce_operator.pods.pod_names import AttemptLabels, parse_labels
from podreduce_operator.pods.pod_resources import read_requests

__all__ = ["OwnedPod", "parse_pod", "parse_time"]

MOST_TASKS_OF_POD = 1000
MOST_SIZE_DIGITS = 6
"""What the CRD allows as `tasksPerPod`. Anybody may make a pod with an annotation of 256 KiB, and many of them."""

NOT_ADMITTED = frozenset(
    {"InvalidNodeInfo", "NodeAffinity", "NodeLost", "NodeName", "NodePorts", "NodeShutdown", "Preempting", "Shutdown"}
    | {"TaintToleration", "Terminated", "TopologyAffinityError", "UnexpectedAdmissionError"}
)
"""The status.reason of pods that ended because of their node (kubelet: lifecycle/predicate.go, nodeshutdown, cm)."""

OUT_OF = "OutOf"
"""With the name of a resource, the kubelet's reason for a pod that its node has no room for: OutOfcpu, OutOfpods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedPod:
    """A task's pod, the MapReduceJob that controls it, and the digest of its token for progress reports."""

    job: JobKey
    owner_uid: str
    view: PodView
    token_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Why a pod waits or ended, as the cluster reports it."""

    reason: str = ""
    message: str = ""


def parse_pod(manifest: Mapping[str, Any]) -> OwnedPod | None:
    """Return the pod with its owner, or None if it is not a task's pod or its labels were changed."""
    metadata: Mapping[str, Any] = manifest.get("metadata") or {}
    attempt = parse_labels(metadata.get("labels") or {})
    owner = controller_of(metadata)
    if attempt is None or owner is None:
        return None
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    return OwnedPod(
        job=JobKey(namespace=metadata["namespace"], name=owner["name"]),
        owner_uid=owner["uid"],
        view=view_attempt(manifest, attempt),
        token_digest=annotations.get(PROGRESS_TOKEN_ANNOTATION, ""),
    )


def view_attempt(manifest: Mapping[str, Any], attempt: AttemptLabels) -> PodView:
    """Return the pod as the policy sees it."""
    metadata: Mapping[str, Any] = manifest["metadata"]
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    status: Mapping[str, Any] = manifest.get("status") or {}
    terminated = container_state(status, "terminated")
    phase = parse_phase(manifest)
    words = explain(status, terminated)
    return PodView(
        name=metadata["name"],
        uid=metadata["uid"],
        run_hash=attempt.run_hash,
        task=attempt.task,
        tasks=parse_tasks(annotations.get(TASKS_ANNOTATION, ""), attempt.task),
        gang=parse_gang(annotations.get(GANG_ANNOTATION, "")),
        ordinal=attempt.ordinal,
        generation=attempt.generation,
        phase=phase,
        created_at=parse_time(metadata.get("creationTimestamp")) or 0.0,
        deleting=bool(metadata.get("deletionTimestamp")),
        node=intern(str((manifest.get("spec") or {}).get("nodeName") or "")),
        scheduled_at=scheduled_time(status),
        started_at=start_time(status),
        vanishes_at=parse_time(metadata.get("deletionTimestamp")),
        finished_at=finish_time(manifest) if phase in (PodPhase.SUCCEEDED, PodPhase.FAILED) else None,
        exit_code=terminated.get("exitCode"),
        reason=words.reason,
        message=words.message,
        disrupted=is_disrupted(status),
        conditions=condition_pairs(status),
        requests=requests_of(manifest),
        outcome=parse_outcome(terminated.get("message") or ""),
        lingers=phase in (PodPhase.SUCCEEDED, PodPhase.FAILED) and status.get("phase") == PodPhase.RUNNING,
    )


def parse_tasks(text: str, first: TaskRef) -> tuple[TaskRef, ...]:
    """Return the tasks of a pod that takes several. Empty if it takes one, or if the annotation was changed."""
    words = text.split(maxsplit=MOST_TASKS_OF_POD)
    if len(words) > MOST_TASKS_OF_POD:
        return ()
    try:
        tasks = tuple(map(TaskRef.parse, words))
    except ValueError:
        return ()
    return tasks if len(tasks) > 1 and tasks[0] == first else ()


@lru_cache(maxsize=256)
def parse_gang(text: str) -> Gang | None:
    """Return the gang of a pod, as one shared object. None without a gang, or if the annotation was changed."""
    size, _, name = text.partition(" ")
    is_size = size.isdecimal() and len(size) <= MOST_SIZE_DIGITS
    return Gang(name=name, size=int(size)) if is_size and name else None


def controller_of(metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the reference to the MapReduceJob that controls the pod."""
    for reference in metadata.get("ownerReferences") or []:
        group = str(reference.get("apiVersion", "")).partition("/")[0]
        if reference.get("controller") and (group, reference.get("kind")) == (GROUP, KIND):
            found: Mapping[str, Any] = reference
            return found
    return None


def parse_phase(manifest: Mapping[str, Any]) -> PodPhase:
    """Return the pod's phase. If its task has ended, the pod counts as ended, even if a sidecar still runs."""
    status: Mapping[str, Any] = manifest.get("status") or {}
    phase = status.get("phase") or PodPhase.PENDING
    terminated = container_state(status, "terminated")
    has_sidecars = len((manifest.get("spec") or {}).get("containers") or []) > 1
    if phase == PodPhase.RUNNING and terminated and has_sidecars:
        return PodPhase.FAILED if terminated.get("exitCode") else PodPhase.SUCCEEDED
    return PodPhase(phase) if phase in set(PodPhase) else PodPhase.UNKNOWN


def container_state(status: Mapping[str, Any], state: str) -> Mapping[str, Any]:
    """Return the given state (`waiting`, `terminated`) of the task's container, or of a failed init container."""
    for container in status.get("containerStatuses") or []:
        found: Mapping[str, Any] = (container.get("state") or {}).get(state) or {}
        if container.get("name") == TASK_CONTAINER and found:
            return found
    for container in status.get("initContainerStatuses") or []:
        found = (container.get("state") or {}).get(state) or {}
        if found and found.get("exitCode") != 0:
            return found
    return {}


def is_disrupted(status: Mapping[str, Any]) -> bool:
    """Tell whether something other than the pod ended it or is ending it.

    An eviction without the condition is not a disruption: the pod used too much disk or memory.
    """
    if status.get("reason"):
        lost = status["reason"] in NOT_ADMITTED or status["reason"].startswith(OUT_OF)
    else:
        lost = container_state(status, "terminated").get("reason") == "ContainerStatusUnknown"
    return lost or status.get("phase") == PodPhase.UNKNOWN or disruption(status) is not None


def disruption(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the condition DisruptionTarget if it is true."""
    return next((one for one in conditions(status, "DisruptionTarget") if one.get("status") == "True"), None)


def conditions(status: Mapping[str, Any], condition_type: str) -> Iterator[Mapping[str, Any]]:
    """Yield the conditions of this type; there is at most one."""
    return (one for one in status.get("conditions") or [] if one.get("type") == condition_type)


def condition_pairs(status: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return type and status of each condition. Thousands of pods share a few of these tuples."""
    pairs = [(str(one.get("type", "")), str(one.get("status", ""))) for one in status.get("conditions") or []]
    return shared(tuple(sorted(pairs)))


@lru_cache(maxsize=256)
def shared(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the same object for equal `pairs`."""
    return pairs


def scheduled_time(status: Mapping[str, Any]) -> float | None:
    """Return when the pod got its node; None if it has none."""
    scheduled = next((one for one in conditions(status, "PodScheduled") if one.get("status") == "True"), {})
    return parse_time(scheduled.get("lastTransitionTime"))


def start_time(status: Mapping[str, Any]) -> float | None:
    """Return when the task's container started; None if it has not."""
    states = [
        one.get("state") or {} for one in status.get("containerStatuses") or [] if one.get("name") == TASK_CONTAINER
    ]
    state = next(iter(states), {})
    return parse_time((state.get("running") or state.get("terminated") or {}).get("startedAt"))


def requests_of(manifest: Mapping[str, Any]) -> Requests:
    """Return what the task's container requests."""
    containers = (manifest.get("spec") or {}).get("containers") or []
    task = next((container for container in containers if container.get("name") == TASK_CONTAINER), None)
    return read_requests((task or {}).get("resources") or {})


def explain(status: Mapping[str, Any], terminated: Mapping[str, Any]) -> Words:
    """Return the first reason given by the pod, its disruption, its container or the scheduler, in this order."""
    waiting = container_state(status, "waiting")
    unplaced = next((one for one in conditions(status, "PodScheduled") if one.get("status") == "False"), {})
    sources: Sequence[Mapping[str, Any]] = (status, disruption(status) or {}, terminated, waiting, unplaced)
    source = next((one for one in sources if one.get("reason")), {})
    message = source.get("message") or ""
    is_outcome = source is terminated and parse_outcome(message) is not None
    return Words(reason=source.get("reason") or "", message="" if is_outcome else message)


def parse_outcome(message: str) -> TaskOutcome | None:
    """Return the outcome in the task's termination message; None if there is none or it is incomplete."""
    try:
        return decode(message.encode(errors="replace"), TaskOutcome)
    except msgspec.DecodeError:
        return None


def finish_time(manifest: Mapping[str, Any]) -> float:
    """Return when the pod ended: its container's time, else the newest condition's, else one of the pod's times."""
    status: Mapping[str, Any] = manifest.get("status") or {}
    metadata: Mapping[str, Any] = manifest.get("metadata") or {}
    if finished := parse_time(container_state(status, "terminated").get("finishedAt")):
        return finished
    changes = [parse_time(one.get("lastTransitionTime")) for one in status.get("conditions") or []]
    fallbacks = (metadata.get("deletionTimestamp"), status.get("startTime"), metadata.get("creationTimestamp"))
    return max((time for time in changes if time), default=0.0) or next(filter(None, map(parse_time, fallbacks)), 0.0)
