"""Finds the current task of a pod that takes several tasks, one after another. Only its commits show this.

The current task is the first one that the pod has not committed. The pod represents this attempt, so all other rules
apply to it: whether it failed, is slow or is still needed. Earlier tasks were committed by earlier attempts of the
pod. Later tasks have no attempt yet; if the pod ends, another pod takes them.

Rule: pure. A recorded failure ends the sequence. The pod's process may still run somewhere and commit, and such a
commit counts. But no later task counts as failed with this pod.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from podreduce.contract.task import CommitRecord, FailureRecord, TaskRef, TaskType
from podreduce_operator.model.pods import PodPhase, PodView

__all__ = ["History", "failed_attempts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The results of a run's attempts so far.

    Attributes:
        commits: the commit of the newest generation, by task.
        outdated: the attempts whose commits are of an older generation.
        failed: the attempts with a failure record.
        partitions: how many reduces the shuffle manifest has; None before there is one.
    """

    commits: Mapping[TaskRef, CommitRecord]
    outdated: AbstractSet[str]
    failed: AbstractSet[str]
    partitions: int | None

    def place(self, pod: PodView) -> PodView:
        """Return the pod with its current task, or with its last task if it has committed all."""
        if not pod.tasks:
            return pod
        tasks = self.wanted_tasks(pod)
        sequence = next(
            (number for number, task in enumerate(tasks) if not self.is_over(f"{pod.uid}-{number}", task)),
            len(tasks) - 1,
        )
        # A pod that has committed something has started, even if the view of the pod is older.
        phase = PodPhase.RUNNING if sequence and pod.phase is PodPhase.PENDING else pod.phase
        started_at = self.turn_start(pod, tasks, sequence)
        return replace(pod, tasks=tasks, task=tasks[sequence], sequence=sequence, phase=phase, started_at=started_at)

    def wanted_tasks(self, pod: PodView) -> tuple[TaskRef, ...]:
        """Return the pod's tasks without reduces that turned out not to exist. If none is left, return all."""
        partitions = self.partitions
        first = self.commits.get(pod.tasks[0])
        if first is not None and first.task.type is TaskType.MAP and first.part is not None:
            partitions = 0
        if partitions is None:
            return pod.tasks
        wanted = tuple(task for task in pod.tasks if task.type is TaskType.MAP or task.index < partitions)
        return wanted or pod.tasks

    def is_over(self, attempt_id: str, task: TaskRef) -> bool:
        """Tell whether the attempt has committed its task, so that the next one can begin."""
        if attempt_id in self.failed:
            return False
        commit = self.commits.get(task)
        return attempt_id in self.outdated or (commit is not None and commit.attempt_id == attempt_id)

    def turn_start(self, pod: PodView, tasks: tuple[TaskRef, ...], sequence: int) -> float | None:
        """Return when the pod's current task began. The time of earlier tasks must not make an attempt look slow."""
        commit = self.commits.get(tasks[sequence - 1]) if sequence else None
        if commit is None or commit.attempt_id != f"{pod.uid}-{sequence - 1}":
            return pod.started_at
        return max(pod.started_at or 0.0, commit.finished_at)


def failed_attempts(failures: Mapping[TaskRef, tuple[FailureRecord, ...]]) -> set[str]:
    """Return the ids of failed attempts. An attempt whose committed part was lost later has not failed."""
    return {
        failure.attempt_id
        for records in failures.values()
        for failure in records
        if failure.lost is None or failure.lost.task != failure.task
    }
