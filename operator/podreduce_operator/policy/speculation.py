"""Which running tasks get a second attempt, a twin: those that end last, if a twin would end earlier.

Rule: pure. The algorithm is LATE (Zaharia et al., "Improving MapReduce performance in heterogeneous environments", OSDI
2008, section 4). It estimates each attempt's remaining time from its progress. Of the slowest quarter, the attempts
that end last get twins. Twins use idle slots only, and are at most a tenth of the running pods. Work is measured in
bytes, so a task with more work does not count as slow. If an attempt reports no progress, its time is compared with
the committed attempts, as in Spark. The first to commit wins; the other one is stopped.

A worked example: nine maps of 128 MB took 60 s each. The tenth has done a quarter of its work in 90 s, so it needs
another 270 s. A twin would take 60 s, so it gets one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from podreduce.contract.task import CommitRecord, TaskRef, TaskType
from podreduce_operator.model.observed import Observed, PlanSummary
from podreduce_operator.model.pods import AttemptProgress, PodPhase, PodView

__all__ = ["WaveSpeeds", "choose_slow", "count_allowed", "find_slow", "find_twins"]

TWIN_SHARE = 0.1
"""How many twins there may be, as a share of the running pods. One is always allowed."""

MIN_AGE_SECONDS = 15.0
"""Below this age an estimate is poor, because the pod's start is a large part of it."""

START_SECONDS = 5.0
ADVANTAGE = 1.25
"""A twin must be expected to end earlier by this factor, plus the start of a pod."""

OVERDUE = 2.0
"""Without progress reports, an attempt is slow after this many times the time of the committed ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveSpeeds:
    """What is known of a wave: progress by attempt id, bytes of work by task, and the current time."""

    progress: Mapping[str, AttemptProgress]
    sizes: Mapping[TaskRef, int]
    now: float

    def size(self, task: TaskRef) -> int:
        """Return the bytes that a task reads; at least one, so that empty tasks have a speed."""
        return max(self.sizes.get(task, 1), 1)

    def age_seconds(self, pod: PodView) -> float:
        """Return how long the attempt has been running; 0 before it runs."""
        return max(self.now - started_at(pod), 0.0) if pod.phase is PodPhase.RUNNING else 0.0

    def speed(self, pod: PodView) -> float | None:
        """Return an attempt's speed in bytes a second; None if it has reported no progress."""
        told = self.progress.get(pod.attempt_id)
        if told is None or told.fraction <= 0.0:
            return None
        return told.fraction * self.size(pod.task) / max(told.reported_at - started_at(pod), 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A running attempt: its speed in bytes a second, its remaining seconds, and the seconds that a twin would take."""

    pod: PodView
    speed: float
    left_seconds: float
    twin_seconds: float

    @property
    def is_worth_a_twin(self) -> bool:
        """Whether a twin would end much earlier."""
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
    """Return the attempts that get a twin now, according to `spec.speculation`.

    Args:
        observed: the job.
        plan: its plan.
        tasks: the tasks that may run now, with their current generation.
        active: the run's active pods.
        room: how many more pods may be active.
        now: seconds since the epoch.
    """
    mode = observed.job.spec.speculation
    lonely = find_lonely(tasks, active)
    if mode == "Never" or not observed.limits.speculates or not lonely:
        return ()
    if mode == "Always":
        return lonely[:room]
    known = WaveSpeeds(progress=observed.progress, sizes=task_bytes(observed, plan), now=now)
    task_type = lonely[0].task.type
    alike = [commit for task, commit in observed.commits.items() if task.type is task_type and not commit.is_carried]
    allowed = count_allowed(room=room, active=len(active), twins=len(find_twins(active)))
    return choose_slow(lonely, alike, known)[:allowed]


def find_lonely(tasks: Mapping[TaskRef, int], active: Sequence[PodView]) -> list[PodView]:
    """Return the running attempts of `tasks` that have no twin."""
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


def choose_slow(lonely: Sequence[PodView], commits: Iterable[CommitRecord], known: WaveSpeeds) -> list[PodView]:
    """Return the attempts in `lonely` that are worth a twin, the one that ends last first.

    `commits` are the commits of the wave's tasks.
    """
    old_enough = [pod for pod in lonely if known.age_seconds(pod) >= MIN_AGE_SECONDS]
    running = [speed for pod in old_enough if (speed := known.speed(pod)) is not None]
    speeds = [*running, *(speed_of_commit(commit, known) for commit in commits)]
    if not speeds:
        return []
    usual = median(speeds)
    slow = quantiles(speeds, n=4, method="inclusive")[0] if len(speeds) > 1 else usual
    estimates = [found for pod in old_enough if (found := estimate(pod, usual, known)) is not None]
    late = [each for each in estimates if each.speed <= slow and each.is_worth_a_twin]
    return [each.pod for each in sorted(late, key=lambda each: (-each.left_seconds, each.pod.name))]


def count_allowed(*, room: int, active: int, twins: int) -> int:
    """Return how many more twins may start. `room` pods may start, and `active` pods run, including `twins`."""
    return max(0, min(room, max(1, int(active * TWIN_SHARE)) - twins))


def find_twins(pods: Sequence[PodView]) -> set[str]:
    """Return the UIDs of the active `pods` whose task has an older active pod."""
    oldest: dict[TaskRef, PodView] = {}
    for pod in sorted(pods, key=lambda pod: (pod.created_at, pod.ordinal)):
        oldest.setdefault(pod.task, pod)
    return {pod.uid for pod in pods if oldest[pod.task] is not pod}


def estimate(pod: PodView, usual: float, known: WaveSpeeds) -> Estimate | None:
    """Estimate when an attempt ends if tasks usually read `usual` bytes a second; None if it is too early to say."""
    size, age, speed = known.size(pod.task), known.age_seconds(pod), known.speed(pod)
    twin_seconds = size / usual
    if speed is not None:
        left = (1.0 - known.progress[pod.attempt_id].fraction) * size / speed
        return Estimate(pod=pod, speed=speed, left_seconds=left, twin_seconds=twin_seconds)
    if age < OVERDUE * twin_seconds:
        return None
    return Estimate(pod=pod, speed=size / age, left_seconds=age, twin_seconds=twin_seconds)


def speed_of_commit(commit: CommitRecord, known: WaveSpeeds) -> float:
    """Return a committed attempt's speed in bytes a second."""
    return known.size(commit.task) / max(commit.finished_at - commit.started_at, 1.0)


def started_at(pod: PodView) -> float:
    """Return when the attempt started."""
    return pod.created_at if pod.started_at is None else pod.started_at
