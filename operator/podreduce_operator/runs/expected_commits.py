"""Which commits a pass must look for, where listing all of a run's records each time would cost too much.

Rule: pure. An attempt commits before its turn ends, so every pod that has ended, or is ending, may have left commits of
its tasks, and no other can have left one that matters now: what a pod commits that still runs is seen when it ends. A
few that take several tasks are followed as they go. A pod that is gone before its end was known tells that somebody
else acts here: then all is to be listed. What comes another way (a zombie's commit) is seen by the next listing.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from podreduce.contract.task import CommitRecord, TaskRef
from podreduce_operator.model.pods import PodView

__all__ = ["Expectation", "Sighting"]

Sighting = tuple[TaskRef, int]
"""A task and the generation that an attempt may have committed."""

FOLLOWED = 100
"""So many commits of pods that still run are looked for; where there are more, their progress is seen by listings."""


class Expectation:
    """Remembers the pods of one run whose end is not known yet: all committed, or recorded as failed."""

    def __init__(self) -> None:
        self._open: dict[str, Sequence[Sighting]] = {}

    def look_for(
        self, pods: Iterable[PodView], commits: Mapping[TaskRef, CommitRecord], failed: Collection[str]
    ) -> list[Sighting] | None:
        """Return the commits that may be there and are not known; None if all is to be listed.

        Args:
            pods: the run's, as this pass sees them.
            commits: those known, by task.
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
        """Take that all that `look_for` named has been read, or listed; `commits` and `failed` are as they are now."""
        left = ((pod.uid, unknown(sightings_of(pod, failed), commits)) for pod in pods)
        self._open = {uid: sightings for uid, sightings in left if sightings}


def sightings_of(pod: PodView, failed: Collection[str]) -> list[Sighting]:
    """Return what the pod may commit; once one of its attempts is recorded as failed, nothing that is not known."""
    if any(attempt_id in failed for attempt_id in pod.attempt_ids):
        return []
    return [(task, pod.generation) for task in pod.all_tasks]


def unknown(sightings: Iterable[Sighting], commits: Mapping[TaskRef, CommitRecord]) -> list[Sighting]:
    """Return those that are not known to be committed."""
    return [sighting for sighting in sightings if not is_known(sighting, commits)]


def is_known(sighting: Sighting, commits: Mapping[TaskRef, CommitRecord]) -> bool:
    """Tell whether that generation of the task, or a later one, is known to be committed."""
    task, generation = sighting
    commit = commits.get(task)
    return commit is not None and commit.generation >= generation
