"""Reads a pod as the API server shows it into what the loop needs of it.

Rule: pure and tolerant: whatever a kubelet, a node controller or a dying task left in the status gives a view, never an
error. A disruption (condition DisruptionTarget, a lost node, a kubelet that would not admit the pod) is told apart
from an end that the task brought about itself: see `is_disrupted`.
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

NOT_ADMITTED = frozenset(
    {"NodeAffinity", "NodeLost", "NodeShutdown", "OutOfcpu", "OutOfmemory", "OutOfpods", "Preempting", "Shutdown"}
    | {"Terminated", "UnexpectedAdmissionError"}
)
"""status.reason of pods that ended by their node's state alone (kubelet: lifecycle/predicate.go, nodeshutdown)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedPod:
    """A task's pod, the MapReduceJob that controls it, and the digest of its token for progress reports."""

    job: JobKey
    owner_uid: str
    view: PodView
    token_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Why a pod waits or ended, as somebody in the cluster says it."""

    reason: str = ""
    message: str = ""


def parse_pod(manifest: Mapping[str, Any]) -> OwnedPod | None:
    """Return the pod with its owner, or None if it is not a task's pod or its labels were tampered with."""
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
    )


def parse_tasks(text: str, first: TaskRef) -> tuple[TaskRef, ...]:
    """Return the tasks of a pod that takes several; none if it does not, or the annotation was tampered with."""
    try:
        tasks = tuple(map(TaskRef.parse, text.split()))
    except ValueError:
        return ()
    return tasks if len(tasks) > 1 and tasks[0] == first else ()


@lru_cache(maxsize=256)
def parse_gang(text: str) -> Gang | None:
    """Return the gang of a pod, the same object for all of its pods; None if it has none, or it was tampered with."""
    size, _, name = text.partition(" ")
    return Gang(name=name, size=int(size)) if size.isdecimal() and name else None


def controller_of(metadata: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the reference to the MapReduceJob that controls the pod."""
    for reference in metadata.get("ownerReferences") or []:
        group = str(reference.get("apiVersion", "")).partition("/")[0]
        if reference.get("controller") and (group, reference.get("kind")) == (GROUP, KIND):
            found: Mapping[str, Any] = reference
            return found
    return None


def parse_phase(manifest: Mapping[str, Any]) -> PodPhase:
    """Return the pod's phase. A pod whose task has ended has ended, even while somebody's sidecar runs on."""
    status: Mapping[str, Any] = manifest.get("status") or {}
    phase = status.get("phase") or PodPhase.PENDING
    terminated = container_state(status, "terminated")
    has_sidecars = len((manifest.get("spec") or {}).get("containers") or []) > 1
    if phase == PodPhase.RUNNING and terminated and has_sidecars:
        return PodPhase.FAILED if terminated.get("exitCode") else PodPhase.SUCCEEDED
    return PodPhase(phase) if phase in set(PodPhase) else PodPhase.UNKNOWN


def container_state(status: Mapping[str, Any], state: str) -> Mapping[str, Any]:
    """Return that state (`waiting`, `terminated`) of the task's container, else of an init container that failed."""
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
    """Whether something other than the pod itself ended it, or will.

    An eviction without the condition is for the pod's own use of disk or memory, and is none.
    """
    if status.get("reason"):
        lost = status["reason"] in NOT_ADMITTED
    else:
        lost = container_state(status, "terminated").get("reason") == "ContainerStatusUnknown"
    return lost or status.get("phase") == PodPhase.UNKNOWN or disruption(status) is not None


def disruption(status: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the condition DisruptionTarget, if it holds."""
    return next((one for one in conditions(status, "DisruptionTarget") if one.get("status") == "True"), None)


def conditions(status: Mapping[str, Any], condition_type: str) -> Iterator[Mapping[str, Any]]:
    """Yield the conditions of that type; there is one at most."""
    return (one for one in status.get("conditions") or [] if one.get("type") == condition_type)


def condition_pairs(status: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return type and status of each condition; among thousands of pods there are but a few of these tuples."""
    pairs = [(str(one.get("type", "")), str(one.get("status", ""))) for one in status.get("conditions") or []]
    return shared(tuple(sorted(pairs)))


@lru_cache(maxsize=256)
def shared(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the same object for equal `pairs`."""
    return pairs


def scheduled_time(status: Mapping[str, Any]) -> float | None:
    """Return when the pod got its node; None before."""
    scheduled = next((one for one in conditions(status, "PodScheduled") if one.get("status") == "True"), {})
    return parse_time(scheduled.get("lastTransitionTime"))


def start_time(status: Mapping[str, Any]) -> float | None:
    """Return when the task's container started; None before."""
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
    """Return the first that has a word to say: the pod, its disruption, its container, the scheduler."""
    waiting = container_state(status, "waiting")
    unplaced = next((one for one in conditions(status, "PodScheduled") if one.get("status") == "False"), {})
    speakers: Sequence[Mapping[str, Any]] = (status, disruption(status) or {}, terminated, waiting, unplaced)
    speaker = next((one for one in speakers if one.get("reason")), {})
    message = speaker.get("message") or ""
    is_outcome = speaker is terminated and parse_outcome(message) is not None
    return Words(reason=speaker.get("reason") or "", message="" if is_outcome else message)


def parse_outcome(message: str) -> TaskOutcome | None:
    """Return what the task wrote as its last message; None if it wrote nothing or was cut short."""
    try:
        return decode(message.encode(errors="replace"), TaskOutcome)
    except msgspec.DecodeError:
        return None


def finish_time(manifest: Mapping[str, Any]) -> float:
    """Return when the pod ended: its container's word, else the newest condition's, else the pod's own times."""
    status: Mapping[str, Any] = manifest.get("status") or {}
    metadata: Mapping[str, Any] = manifest.get("metadata") or {}
    if finished := parse_time(container_state(status, "terminated").get("finishedAt")):
        return finished
    changes = [parse_time(one.get("lastTransitionTime")) for one in status.get("conditions") or []]
    fallbacks = (metadata.get("deletionTimestamp"), status.get("startTime"), metadata.get("creationTimestamp"))
    return max((time for time in changes if time), default=0.0) or next(filter(None, map(parse_time, fallbacks)), 0.0)
