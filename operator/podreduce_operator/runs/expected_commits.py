"""Which commits a pass must look for, because listing all records of a run in every pass costs too much.

Rule: pure. An attempt commits before its pod ends. So a pod that has ended or is ending may have left commits. The
commit of a running pod can wait until the pod ends. Only pods with several tasks are checked while they run, if there
are few. If a pod is gone before its end was seen, somebody else acts on this run, and all records are listed. Any other
commit, such as a zombie's, is found by the next listing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from podreduce.contract.task import CommitRecord, TaskRef
from podreduce_operator.model.pods import PodView

__all__ = ["Expectation", "Sighting"]

Sighting = tuple[TaskRef, int]
"""A task and the generation that an attempt may have committed."""

FOLLOWED = 100
"""At most this many commits of running pods are looked for. If there are more, the next listing finds them."""


class Expectation:
    """Remembers the pods of one run that have not ended: not all committed, and not recorded as failed."""

    def __init__(self) -> None:
        self._open: dict[str, Sequence[Sighting]] = {}

    def look_for(
        self, pods: Iterable[PodView], commits: Mapping[TaskRef, CommitRecord], failed: Collection[str]
    ) -> list[Sighting] | None:
        """Return the commits that may exist and are not known; None if all records must be listed.

        Args:
            pods: the run's pods, as this pass sees them.
            commits: the known commits, by task.
            failed: the ids of the attempts with a failure record.
        """
        pods = list(pods)
        seen = {pod.uid for pod in pods}
        if any(unknown(sightings, commits) for uid, sightings in self._open.items() if uid not in seen):
            return None
        ended = {each for pod in pods if not pod.is_active for each in sightings_of(pod, failed)}
        busy = {each for pod in pods if pod.is_active and pod.tasks for each in sightings_of(pod, failed)}
        followed = unknown(busy, commits)
        return sorted({*unknown(ended, commits), *(followed if len(followed) <= FOLLOWED else ())})

    def settle(self, pods: Iterable[PodView], commits: Mapping[TaskRef, CommitRecord], failed: Collection[str]) -> None:
        """Note that everything from `look_for` was read or listed. `commits` and `failed` are the current ones."""
        left = ((pod.uid, unknown(sightings_of(pod, failed), commits)) for pod in pods)
        self._open = {uid: sightings for uid, sightings in left if sightings}


def sightings_of(pod: PodView, failed: Collection[str]) -> list[Sighting]:
    """Return what the pod may commit. If one of its attempts is recorded as failed, nothing more is expected."""
    if any(attempt_id in failed for attempt_id in pod.attempt_ids):
        return []
    return [(task, pod.generation) for task in pod.all_tasks]


def unknown(sightings: Iterable[Sighting], commits: Mapping[TaskRef, CommitRecord]) -> list[Sighting]:
    """Return the sightings that are not known to be committed."""
    return [sighting for sighting in sightings if not is_known(sighting, commits)]


def is_known(sighting: Sighting, commits: Mapping[TaskRef, CommitRecord]) -> bool:
    """Tell whether this or a later generation of the task is known to be committed."""
    task, generation = sighting
    commit = commits.get(task)
    return commit is not None and commit.generation >= generation
