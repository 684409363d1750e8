"""Which of its tasks a pod is at that takes several, one after another: pods do not tell, their commits do.

A pod stands for its current task, the first that it has not committed, so that everything else that is asked of pods
(have they failed, are they slow, does anybody need them) is asked of that attempt. The tasks before are committed by
attempts of their own, those after are nobody's yet: a pod that ends gives them back.

Rule: pure. A recorded failure ends a sequence: what the pod's process may yet commit, wherever it still runs, is as
good as any commit, but no further task is said to have failed with it.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from podreduce.contract.task import CommitRecord, FailureRecord, TaskRef, TaskType
from podreduce_operator.model.pods import PodPhase, PodView

__all__ = ["History", "failed_attempts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What has become of a run's attempts so far.

    Attributes:
        commits: by task, that of its newest generation; `outdated` are the attempts whose commits are older.
        failed: the attempts with a failure record.
        partitions: how many reduces the shuffle manifest has; None before there is one.
    """

    commits: Mapping[TaskRef, CommitRecord]
    outdated: AbstractSet[str]
    failed: AbstractSet[str]
    partitions: int | None

    def place(self, pod: PodView) -> PodView:
        """Return the pod as standing for its current task; for its last, if it has committed all of them."""
        if not pod.tasks:
            return pod
        tasks = self.wanted_tasks(pod)
        sequence = next(
            (number for number, task in enumerate(tasks) if not self.is_over(f"{pod.uid}-{number}", task)),
            len(tasks) - 1,
        )
        # Who has committed something has started, however old the view of the pod is.
        phase = PodPhase.RUNNING if sequence and pod.phase is PodPhase.PENDING else pod.phase
        started_at = self.turn_start(pod, tasks, sequence)
        return replace(pod, tasks=tasks, task=tasks[sequence], sequence=sequence, phase=phase, started_at=started_at)

    def wanted_tasks(self, pod: PodView) -> tuple[TaskRef, ...]:
        """Return the pod's tasks but for reduces that turned out not to exist; all, where none would be left."""
        partitions = self.partitions
        first = self.commits.get(pod.tasks[0])
        if first is not None and first.task.type is TaskType.MAP and first.part is not None:
            partitions = 0
        if partitions is None:
            return pod.tasks
        wanted = tuple(task for task in pod.tasks if task.type is TaskType.MAP or task.index < partitions)
        return wanted or pod.tasks

    def is_over(self, attempt_id: str, task: TaskRef) -> bool:
        """Tell whether the attempt has committed its task, and the next may have its turn."""
        if attempt_id in self.failed:
            return False
        commit = self.commits.get(task)
        return attempt_id in self.outdated or (commit is not None and commit.attempt_id == attempt_id)

    def turn_start(self, pod: PodView, tasks: tuple[TaskRef, ...], sequence: int) -> float | None:
        """Return since when the pod's current task has its turn: an attempt is not slow for those before it."""
        commit = self.commits.get(tasks[sequence - 1]) if sequence else None
        if commit is None or commit.attempt_id != f"{pod.uid}-{sequence - 1}":
            return pod.started_at
        return max(pod.started_at or 0.0, commit.finished_at)


def failed_attempts(failures: Mapping[TaskRef, tuple[FailureRecord, ...]]) -> set[str]:
    """Return the attempts that failed; a committed part that was lost since is no failure of its attempt."""
    return {
        failure.attempt_id
        for records in failures.values()
        for failure in records
        if failure.lost is None or failure.lost.task != failure.task
    }
