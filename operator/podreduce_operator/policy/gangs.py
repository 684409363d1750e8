"""Gangs (`admission: Gang`): pods that are admitted to a shared cluster all at once, or not yet.

A queue such as Kueue's keeps pods gated until there is quota for them. One by one, that lets a job make progress with
whatever is left over. But a job that needs its whole parallelism to be worth running then takes quota from others for
nothing, and two such jobs may each hold half of what either waits for. So the pods of a wave that starts from nothing
are a gang: Kueue calls it a pod group, and admits it as one workload.

Rule: pure. A gang is what its pods say: each carries its name and size. Whatever comes after its start (attempts after
a failure, successors of pods that have ended, twins) is admitted pod by pod, in what the gang's ended members leave
free. A gang that has lost a gated member gets another in its place; one that can never be whole, for want of tasks or
since `parallelism` was lowered, is dissolved, and what is left forms another. A queue preempts a job pod by pod: where
one was taken nothing starts until no other has followed it for a while, so that the whole wave is a gang once more.
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
"""How long after a pod was taken another may be the next of a preemption."""


def settled_at(observed: Observed, records: Iterable[FailureRecord]) -> float:
    """Return when pods may start again after the last that was taken, by all failures and `records`; 0.0 if at once.

    That comes to an end: it takes pods that run to be put off, and meanwhile none starts.
    """
    if observed.job.spec.admission != "Gang":
        return 0.0
    known = (failure for failures in observed.failures.values() for failure in failures)
    taken = [each.finished_at for each in (*known, *records) if each.reason in DISRUPTION.reasons]
    return max(taken) + SETTLE_SECONDS if taken else 0.0


def awaits_more(observed: Observed, due_at: Sequence[float], now: float, *, lacks_room: bool) -> bool:
    """Tell whether a wave that starts from nothing waits a moment, to start as a whole.

    After a preemption each task waits for its own backoff. And pods of the wave before, which have no work left but
    have not ended, still take room (`lacks_room`).
    """
    is_soon = any(now < at <= now + GATHER_SECONDS for at in due_at)
    return observed.job.spec.admission == "Gang" and (is_soon or lacks_room)


def find_forming(observed: Observed) -> dict[Gang, list[PodView]]:
    """Return the gangs of which no pod has been admitted yet, and their active pods."""
    gangs = defaultdict(list)
    for pod in observed.run_pods:
        if pod.gang is not None:
            gangs[pod.gang].append(pod)
    return {
        gang: [pod for pod in pods if pod.is_active] for gang, pods in gangs.items() if not any(map(was_admitted, pods))
    }


def was_admitted(pod: PodView) -> bool:
    """Tell whether the scheduler has, or had, the pod."""
    return bool(pod.node) or not (is_gated(pod) or pod.deleting)


def find_broken(observed: Observed, forming: Mapping[Gang, list[PodView]], *, more: int, most: int) -> list[PodView]:
    """Return the pods that wait for a gang which cannot be whole with as many `more`, or is larger than `most`."""
    more = more if observed.job.spec.admission == "Gang" else 0
    return [pod for gang, pods in forming.items() if len(pods) + more < gang.size or gang.size > most for pod in pods]


def join_gang(
    observed: Observed, forming: Mapping[Gang, list[PodView]], creates: Sequence[CreatePod], *, is_idle: bool
) -> list[CreatePod]:
    """Return `creates` as members of the gang that lacks some; of a new one, if there is none and the run `is_idle`."""
    if observed.job.spec.admission != "Gang" or not creates:
        return list(creates)
    gang = next((gang for gang, pods in forming.items() if 0 < len(pods) < gang.size), None)
    lacking = 0 if gang is None else gang.size - len(forming[gang])
    if gang is None and is_idle and len(creates) > 1:
        attempts = ((create.task, create.ordinal) for create in creates)
        name = gang_name(observed.job.key.name, observed.run_hash, attempts)
        gang, lacking = Gang(name=name, size=len(creates)), len(creates)
    return [replace(create, gang=gang) for create in creates[:lacking]] + list(creates[lacking:])
