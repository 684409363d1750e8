"""Gangs (`admission: Gang`): pods that a shared cluster admits all at once.

A queue such as Kueue's keeps pods gated until there is quota for them. If it admits them one by one, a job can use any
free quota. But some jobs are only worth running with their whole parallelism. They would take quota from others for
nothing, and two such jobs may each hold half of what the other needs. So the first pods of a wave form a gang. Kueue
calls this a pod group and admits it as one workload.

Rule: pure. Each pod carries its gang's name and size. Later pods are admitted one by one: retries, pods that follow
ended ones, and twins. If a gang loses a gated pod, it gets another. If a gang can never be complete, because there are
too few tasks or `parallelism` was lowered, it is dissolved and a new one forms. A queue preempts a job pod by pod.
After a preemption nothing starts for a while, so that the whole wave can form a gang again.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from podreduce.contract.task import FailureRecord
from podreduce_operator.model.actions import CreatePod
from podreduce_operator.model.observed import Observed
from podreduce_operator.model.pods import Gang, PodView
from podreduce_operator.pods.pod_names import gang_name
from podreduce_operator.policy.failure_classes import DISRUPTION
from podreduce_operator.policy.stuck_pods import is_gated

__all__ = ["awaits_more", "find_broken", "find_forming", "join_gang", "settled_at"]

GATHER_SECONDS = 5.0
"""How long a new gang waits for tasks whose backoff is nearly over."""

SETTLE_SECONDS = 5.0
"""How long after a preempted pod another one may follow in the same preemption."""


def settled_at(observed: Observed, records: Iterable[FailureRecord]) -> float:
    """Return when pods may start again after the last preempted pod; 0.0 means at once.

    `records` are failures that are not stored yet. The wait ends: only running pods can be preempted, and no pod
    starts during the wait.
    """
    if observed.job.spec.admission != "Gang":
        return 0.0
    known = (failure for failures in observed.failures.values() for failure in failures)
    taken = [each.finished_at for each in (*known, *records) if each.reason in DISRUPTION.reasons]
    return max(taken) + SETTLE_SECONDS if taken else 0.0


def awaits_more(observed: Observed, due_at: Sequence[float], now: float, *, lacks_room: bool) -> bool:
    """Tell whether a new wave waits a moment, so that it can start as a whole.

    After a preemption each task waits for its own backoff. Pods of the previous wave that are done but have not ended
    still take slots (`lacks_room`).
    """
    is_soon = any(now < at <= now + GATHER_SECONDS for at in due_at)
    return observed.job.spec.admission == "Gang" and (is_soon or lacks_room)


def find_forming(observed: Observed) -> dict[Gang, list[PodView]]:
    """Return the gangs with no admitted pod, each with its active pods."""
    gangs = defaultdict(list)
    for pod in observed.run_pods:
        if pod.gang is not None:
            gangs[pod.gang].append(pod)
    return {
        gang: [pod for pod in pods if pod.is_active] for gang, pods in gangs.items() if not any(map(was_admitted, pods))
    }


def was_admitted(pod: PodView) -> bool:
    """Tell whether the queue has admitted the pod."""
    return bool(pod.node) or not (is_gated(pod) or pod.deleting)


def find_broken(observed: Observed, forming: Mapping[Gang, list[PodView]], *, more: int, most: int) -> list[PodView]:
    """Return the pods of gangs that `more` pods cannot complete, or that have more than `most` pods."""
    more = more if observed.job.spec.admission == "Gang" else 0
    return [pod for gang, pods in forming.items() if len(pods) + more < gang.size or gang.size > most for pod in pods]


def join_gang(
    observed: Observed, forming: Mapping[Gang, list[PodView]], creates: Sequence[CreatePod], *, is_idle: bool
) -> list[CreatePod]:
    """Return `creates` as pods of an incomplete gang, or of a new gang if there is none and the run `is_idle`."""
    if observed.job.spec.admission != "Gang" or not creates:
        return list(creates)
    gang = next((gang for gang, pods in forming.items() if 0 < len(pods) < gang.size), None)
    lacking = 0 if gang is None else gang.size - len(forming[gang])
    if gang is None and is_idle and len(creates) > 1:
        attempts = ((create.task, create.ordinal) for create in creates)
        name = gang_name(observed.job.key.name, observed.run_hash, attempts)
        gang, lacking = Gang(name=name, size=len(creates)), len(creates)
    return [replace(create, gang=gang) for create in creates[:lacking]] + list(creates[lacking:])
