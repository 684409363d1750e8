"""Which commits a pass must look for, where listing all of a run's records each time would cost too much.

Rule: pure. An attempt commits before it ends, so every one that has ended, or is ending, may have left a commit, and no
other can have that matters now: what a pod commits that still runs is seen when it ends. An attempt that is gone before
its end was known tells that somebody else acts here: then all is to be listed. What comes another way (a zombie's
commit) is seen by the next listing.
"""

from collections.abc import Collection, Iterable, Mapping

from podreduce.contract.task import CommitRecord, TaskRef
from podreduce_operator.model import PodView

__all__ = ["Expectation", "Sighting"]

Sighting = tuple[TaskRef, int]
"""A task and the generation that an attempt may have committed."""


class Expectation:
    """Remembers the attempts of one run whose end is not known yet: neither committed nor recorded as failed."""

    def __init__(self) -> None:
        self._open: dict[str, Sighting] = {}

    def look_for(
        self, pods: Iterable[PodView], commits: Mapping[TaskRef, CommitRecord], failed: Collection[str]
    ) -> list[Sighting] | None:
        """Return the commits that may be there and are not known; None if all is to be listed.

        Args:
            pods: the run's, as this pass sees them.
            commits: those known, by task.
            failed: the ids of the attempts with a failure record.
        """
        seen = {pod.uid for pod in pods}
        if any(uid not in seen and not is_known(sighting, commits) for uid, sighting in self._open.items()):
            return None
        ended = {(pod.task, pod.generation) for pod in pods if not pod.is_active and pod.attempt_id not in failed}
        return sorted(sighting for sighting in ended if not is_known(sighting, commits))

    def settle(self, pods: Iterable[PodView], commits: Mapping[TaskRef, CommitRecord], failed: Collection[str]) -> None:
        """Take that all that `look_for` named has been read, or listed; `commits` and `failed` are as they are now."""
        unsettled = (pod for pod in pods if pod.attempt_id not in failed)
        sightings = ((pod.uid, (pod.task, pod.generation)) for pod in unsettled)
        self._open = {uid: sighting for uid, sighting in sightings if not is_known(sighting, commits)}


def is_known(sighting: Sighting, commits: Mapping[TaskRef, CommitRecord]) -> bool:
    """Tell whether that generation of the task, or a later one, is known to be committed."""
    task, generation = sighting
    commit = commits.get(task)
    return commit is not None and commit.generation >= generation
