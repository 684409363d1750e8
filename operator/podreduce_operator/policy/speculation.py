"""Which running tasks get a second attempt: those that will end last, if another one would end before them.

Rule: pure. The algorithm is LATE (Zaharia et al., "Improving MapReduce performance in heterogeneous environments", OSDI
2008, section 4): estimate each attempt's time to its end from how far it is, and start twins of those that end last
among the slowest quarter, in idle slots only and no more than a tenth of the running pods. Work is measured in bytes,
so that a task that has more of it is not taken for a slow one. Where no progress is reported, an attempt is measured
by the time that the committed ones took, as in Spark. The first to commit wins; the loser is stopped.

A worked example: nine maps of 128 MB took 60 s each, the tenth has done a quarter of its own in 90 s. It has 270 s to
go, a twin would take 60 s: it gets one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from podreduce.contract.task import CommitRecord, TaskRef, TaskType
from podreduce_operator.model.observed import Observed, PlanSummary
from podreduce_operator.model.pods import AttemptProgress, PodPhase, PodView

__all__ = ["Scene", "choose_slow", "count_allowed", "find_slow", "find_twins"]

TWIN_SHARE = 0.1
"""How many twins there may be, as a part of the running pods; one is always allowed."""

MIN_AGE_SECONDS = 15.0
"""Before, an estimate says little, and the pod's own start weighs too much."""

START_SECONDS = 5.0
ADVANTAGE = 1.25
"""A twin must be expected to end earlier by this factor, and by the start of a pod."""

OVERDUE = 2.0
"""Without reports: how many times what the committed ones took an attempt must have worked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What is known of a wave: progress by attempt id, bytes of work by task, and the time."""

    progress: Mapping[str, AttemptProgress]
    sizes: Mapping[TaskRef, int]
    now: float

    def size(self, task: TaskRef) -> int:
        """Return the bytes of a task's work; at least one, so that empty tasks have a speed."""
        return max(self.sizes.get(task, 1), 1)

    def age_seconds(self, pod: PodView) -> float:
        """Return for how long the attempt has worked; 0 before it runs."""
        return max(self.now - started_at(pod), 0.0) if pod.phase is PodPhase.RUNNING else 0.0

    def speed(self, pod: PodView) -> float | None:
        """Return how many bytes a second an attempt has done; None if it has not told of any."""
        told = self.progress.get(pod.attempt_id)
        if told is None or told.fraction <= 0.0:
            return None
        return told.fraction * self.size(pod.task) / max(told.reported_at - started_at(pod), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A running attempt: bytes a second so far, seconds to its end, and seconds that a twin would take."""

    pod: PodView
    speed: float
    left_seconds: float
    twin_seconds: float

    @property
    def is_worth_a_twin(self) -> bool:
        """Whether a twin would end first by far."""
        return self.left_seconds > ADVANTAGE * self.twin_seconds + START_SECONDS


def find_slow(
    observed: Observed,
    plan: PlanSummary,
    tasks: Mapping[TaskRef, int],
    active: Sequence[PodView],
    *,
    room: int,
    now: float,
) -> Sequence[PodView]:
    """Return the attempts that get a twin now, as `spec.speculation` wants it.

    `tasks` are those that may run now, with their current generation; `active` the run's active pods, and there is
    `room` for so many more.
    """
    mode = observed.job.spec.speculation
    lonely = find_lonely(tasks, active)
    if mode == "Never" or not observed.limits.speculates or not lonely:
        return ()
    if mode == "Always":
        return lonely[:room]
    scene = Scene(progress=observed.progress, sizes=task_bytes(observed, plan), now=now)
    alike = [commit for task, commit in observed.commits.items() if task.type is lonely[0].task.type]
    allowed = count_allowed(room=room, active=len(active), twins=len(find_twins(active)))
    return choose_slow(lonely, alike, scene)[:allowed]


def find_lonely(tasks: Mapping[TaskRef, int], active: Sequence[PodView]) -> list[PodView]:
    """Return the running attempts of `tasks` that are their task's only ones."""
    attempts = Counter(task for pod in active for task in pod.tasks_ahead)
    return [
        pod
        for pod in active
        if attempts[pod.task] == 1 and pod.phase is PodPhase.RUNNING and tasks.get(pod.task) == pod.generation
    ]


def task_bytes(observed: Observed, plan: PlanSummary) -> Mapping[TaskRef, int]:
    """Return how many bytes each task has to read."""
    each = plan.bytes // plan.shards
    sizes = {TaskRef(type=TaskType.MAP, index=index): each for index in range(plan.shards)}
    if observed.shuffle is not None:
        for index, size_bytes in enumerate(observed.shuffle.partition_bytes):
            sizes[TaskRef(type=TaskType.REDUCE, index=index)] = size_bytes
    return sizes


def choose_slow(lonely: Sequence[PodView], commits: Iterable[CommitRecord], scene: Scene) -> list[PodView]:
    """Return those among the `lonely` attempts that deserve a twin, the one that ends last first.

    `commits` are those of the wave's committed tasks.
    """
    old_enough = [pod for pod in lonely if scene.age_seconds(pod) >= MIN_AGE_SECONDS]
    running = [speed for pod in old_enough if (speed := scene.speed(pod)) is not None]
    speeds = [*running, *(speed_of_commit(commit, scene) for commit in commits)]
    if not speeds:
        return []
    usual = median(speeds)
    slow = quantiles(speeds, n=4, method="inclusive")[0] if len(speeds) > 1 else usual
    estimates = [found for pod in old_enough if (found := estimate(pod, usual, scene)) is not None]
    late = [each for each in estimates if each.speed <= slow and each.is_worth_a_twin]
    return [each.pod for each in sorted(late, key=lambda each: (-each.left_seconds, each.pod.name))]


def count_allowed(*, room: int, active: int, twins: int) -> int:
    """Return how many more twins there may be, with `room` for pods, and `active` of them running, `twins` included."""
    return max(0, min(room, max(1, int(active * TWIN_SHARE)) - twins))


def find_twins(pods: Sequence[PodView]) -> set[str]:
    """Return the UIDs of those among the active `pods` whose task has an older one."""
    oldest: dict[TaskRef, PodView] = {}
    for pod in sorted(pods, key=lambda pod: (pod.created_at, pod.ordinal)):
        oldest.setdefault(pod.task, pod)
    return {pod.uid for pod in pods if oldest[pod.task] is not pod}


def estimate(pod: PodView, usual: float, scene: Scene) -> Estimate | None:
    """Estimate when an attempt ends, where tasks do `usual` bytes a second; None where nothing can be said yet."""
    size, age, speed = scene.size(pod.task), scene.age_seconds(pod), scene.speed(pod)
    twin_seconds = size / usual
    if speed is not None:
        left = (1.0 - scene.progress[pod.attempt_id].fraction) * size / speed
        return Estimate(pod=pod, speed=speed, left_seconds=left, twin_seconds=twin_seconds)
    if age < OVERDUE * twin_seconds:
        return None
    return Estimate(pod=pod, speed=size / age, left_seconds=age, twin_seconds=twin_seconds)


def speed_of_commit(commit: CommitRecord, scene: Scene) -> float:
    """Return how many bytes a second a committed attempt did."""
    return scene.size(commit.task) / max(commit.finished_at - commit.started_at, 1.0)


def started_at(pod: PodView) -> float:
    """Return since when the attempt works."""
    return pod.created_at if pod.started_at is None else pod.started_at
