"""Which pods are deleted, and why. A few failed pods are kept for inspection.

Rule: pure. A failed pod is deleted only after its failure record has been seen.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from podreduce.contract.task import TaskRef
from podreduce_operator.model.actions import DeletePod
from podreduce_operator.model.decisions import Decision
from podreduce_operator.model.observed import Observed
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.policy.attempt_record import JOB_FAILED, STOPPED_TOLD
from podreduce_operator.policy.failure_recording import recorded_attempts

__all__ = [
    "KEPT_FAILED_PODS",
    "LINGER_SECONDS",
    "LOGGED_TASKS",
    "LOST_AFTER_SECONDS",
    "delete_all",
    "delete_foreign",
    "delete_needless",
    "force_lost_pods",
    "kept_failed_pods",
    "stop_failed",
]

KEPT_FAILED_PODS = 10
"""How many failed pods of a run are kept for `kubectl logs`, until the ttl."""

LOGGED_TASKS = 100
"""Logs of successful attempts are kept for this many tasks of each type. Logs of failed attempts are always kept."""

LOST_AFTER_SECONDS = 30.0
"""How long a deleted pod may stay after its grace period. After that its node counts as lost."""

LINGER_SECONDS = 30.0
"""How long a pod may take to exit after its commit before it is deleted."""


def delete_needless(observed: Observed, generations: Mapping[TaskRef, int], now: float) -> tuple[DeletePod, ...]:
    """Delete the pods whose result is stored, and the active ones that their task no longer needs."""
    recorded = recorded_attempts(observed)
    pods = [pod for pod in observed.run_pods if not pod.deleting]
    kept = kept_failed_pods([pod for pod in pods if pod.attempt_id in recorded])
    deletes = []
    for pod in pods:
        if pod in kept:
            continue
        why = why_needless(observed, pod, generations, now)
        if why is None and pod.attempt_id in recorded:
            why = "failure recorded"
        if why is not None:
            deletes.append(delete(pod, why, save_log=keeps_log(pod, recorded)))
    return tuple(deletes)


def keeps_log(pod: PodView, recorded: Collection[str]) -> bool:
    """Tell whether to keep the log of a pod that is deleted.

    If an attempt is given up while it runs, it hangs, and the log may say where. Each log costs a request to the API
    server and the kubelet, and one to the store. Nobody reads the logs of thousands of successful tasks.
    """
    if pod.attempt_id in recorded:
        return pod.is_finished or pod.phase is PodPhase.RUNNING
    return pod.is_finished and pod.task.index < LOGGED_TASKS


def why_needless(observed: Observed, pod: PodView, generations: Mapping[TaskRef, int], now: float) -> str | None:
    """Return why a pod has nothing left to do: its task is committed or has a newer generation. None if it has work."""
    if pod.generation < generations.get(pod.task, 0):
        return "output lost"
    commit = observed.commits.get(pod.task)
    if commit is None or commit.generation < pod.generation:
        return None
    if pod.is_finished:
        return "committed"
    if commit.attempt_id != pod.attempt_id:
        return "beaten by a twin"
    return "lingers after its commit" if now >= commit.finished_at + LINGER_SECONDS else None


def kept_failed_pods(pods: Iterable[PodView]) -> list[PodView]:
    """Return the last failed pods, which are kept for inspection.

    A pod whose sidecar still runs holds CPU, memory and quota. It is deleted, and its log is saved.
    """
    ended = [pod for pod in pods if pod.is_finished and not pod.lingers]
    failed = [pod for pod in ended if not pod.deleting and pod.exit_code != 0]
    return sorted(failed, key=lambda pod: (pod.finished_at or pod.created_at, pod.name))[-KEPT_FAILED_PODS:]


def delete(pod: PodView, why: str, *, save_log: bool = False, force: bool = False) -> DeletePod:
    """Return the deletion of a pod, with its current attempt."""
    return DeletePod(
        name=pod.name,
        uid=pod.uid,
        task=pod.task,
        why=why,
        sequence=pod.sequence,
        save_log=save_log,
        force=force,
    )


def delete_all(pods: Iterable[PodView], why: str) -> tuple[DeletePod, ...]:
    """Delete each of `pods`, and keep the logs of those that have ended."""
    return tuple(delete(pod, why, save_log=pod.is_finished) for pod in pods)


def stop_failed(observed: Observed) -> tuple[DeletePod, ...]:
    """Stop all active pods of a failed run. Pods whose log is kept come last, because their logs take time."""
    active = observed.active_pods
    started = [pod for pod in active if pod.phase is PodPhase.RUNNING and pod.started_at is not None]
    told = {pod.uid for pod in sorted(started, key=lambda pod: (pod.started_at, pod.name))[:STOPPED_TOLD]}
    return tuple(
        DeletePod(name=pod.name, uid=pod.uid, task=pod.task, why=JOB_FAILED, save_log=pod.uid in told)
        for pod in sorted(active, key=lambda pod: pod.uid in told)
    )


def force_lost_pods(decision: Decision, observed: Observed, now: float) -> Decision:
    """Delete pods by force if their node does not answer the deletion, so that nothing waits for them.

    This is safe: such an attempt is fenced, and anything it still writes counts no more than a twin's output. A pod
    that has ended but still exists is held by a finalizer, such as Kueue's. It is not deleted by force.
    """
    gone_at = {
        pod: at + LOST_AFTER_SECONDS
        for pod in observed.pods
        if (at := pod.vanishes_at) is not None and not pod.is_finished
    }
    lost = tuple(delete(pod, "lost with its node", force=True) for pod, at in gone_at.items() if now >= at)
    waits = [at - now for at in gone_at.values() if at > now]
    if decision.wake_after is not None:
        waits.append(decision.wake_after)
    return replace(decision, actions=(*decision.actions, *lost), wake_after=min(waits, default=None))


def delete_foreign(observed: Observed) -> tuple[DeletePod, ...]:
    """Delete the pods of the job's other runs."""
    others = [pod for pod in observed.foreign_pods if not pod.deleting]
    return tuple(delete(pod, "other run") for pod in others)
