"""Which tasks may run now, and the step that ends each wave: maps, the shuffle's freeze, reduces, the commit.

Rule: pure. A step is due because its evidence is missing, never because of what happened before.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from podreduce.contract.task import FailureRecord, TaskRef, TaskType
from podreduce_operator.model.actions import Action, CommitOutput, CreatePod, FreezeShuffle
from podreduce_operator.model.decisions import Decision, Phase, Verdict
from podreduce_operator.model.observed import Observed, PlanSummary
from podreduce_operator.model.pods import PodView
from podreduce_operator.policy.failure_recording import record_failures
from podreduce_operator.policy.gangs import awaits_more, find_broken, find_forming, join_gang, settled_at
from podreduce_operator.policy.pod_deletion import LINGER_SECONDS, delete_all, delete_foreign, delete_needless
from podreduce_operator.policy.pod_packing import form_groups, most_per_pod
from podreduce_operator.policy.retry_delays import memory_factor, next_attempt_at
from podreduce_operator.policy.run_end import deadline_at
from podreduce_operator.policy.single_pod_jobs import is_awaited, looks_at, whole_job
from podreduce_operator.policy.speculation import find_slow
from podreduce_operator.policy.stuck_pods import explain_waiting, hung_at, moments

__all__ = ["run_wave"]

SPECULATION_SECONDS = 15.0
"""How often running attempts are compared, if nothing else happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """The tasks that may run now. `step` is the action that ends the wave, once none is left."""

    phase: Phase
    tasks: Sequence[TaskRef]
    step: Action | None
    map_total: int
    reduce_total: int | None
    shuffle_generation: int | None = None


def run_wave(observed: Observed, plan: PlanSummary, now: float) -> Decision:
    """Run the current wave: record, delete and create pods, or take the step that ends the wave."""
    generations = current_generations(observed)
    wave = find_wave(observed, plan, generations)
    pods = pods_by_task(observed.run_pods)
    records = record_failures(observed, now)
    deletes = delete_needless(observed, generations, now)
    doomed = {action.uid for action in deletes}
    recording = {action.record.task for action in records}
    running = {pod.uid for pod in observed.active_pods}
    active = [pod for pod in observed.active_pods if pod.uid not in doomed]
    room = max(0, parallelism(observed) - len(active))
    untried = [
        task
        for task in wave.tasks
        if not any(is_trying(pod, task, generations.get(task, 0), doomed) for pod in pods[task])
    ]
    due = {task: attempt_due_at(observed, task) for task in untried if task not in recording}
    due_at = [at for at in due.values() if at > now]
    is_idle = not any(has_work(observed, pod, generations) for pod in active)
    lacks_room = bool(active) and room < len(due)
    settled = settled_at(observed, [action.record for action in records])
    waits = now < settled or (is_idle and awaits_more(observed, due_at, now, lacks_room=lacks_room))
    ready = [] if waits else [task for task, at in due.items() if at <= now]
    forming = find_forming(observed)
    broken = find_broken(observed, forming, more=min(len(untried), room), most=parallelism(observed))
    start = partial(new_attempt, observed, wave, pods, generations)
    creates = [start(*group) for group in group_ready(observed, plan, ready, generations, room=room)]
    if len(ready) < room and not waits:
        may_start = (task for task in wave.tasks if task not in recording and attempt_due_at(observed, task) <= now)
        tasks = {task: generations.get(task, 0) for task in may_start}
        slow = find_slow(observed, plan, tasks, active, room=room - len(ready), now=now)
        creates += [start(pod.task, slow_node=pod.node) for pod in slow]
    creates = [] if broken else join_gang(observed, forming, creates, is_idle=is_idle)
    steps = () if wave.step is None else (wave.step,)
    waiting = explain_waiting(observed.active_pods, now)
    verdict = Verdict(
        phase=wave.phase,
        reason="" if waiting is None else waiting.reason,
        message="" if waiting is None else waiting.message,
        map_total=wave.map_total,
        reduce_total=wave.reduce_total,
        next_attempt_at=min(due_at, default=None),
    )
    # What makes room goes first; what has ended takes none, and goes last.
    stops = [action for action in deletes if action.uid in running]
    tidies = [action for action in deletes if action.uid not in running]
    stops += delete_all(broken, "gang is broken")
    actions = (*records, *stops, *delete_foreign(observed), *steps, *creates, *tidies)
    looks = looks_at(observed, creates, now)
    return Decision(actions=actions, verdict=verdict, wake_after=next_look(observed, [*due_at, *looks, settled], now))


def attempt_due_at(observed: Observed, task: TaskRef) -> float:
    """Return when another attempt of the task may start, a twin as well; 0.0 is at once."""
    return next_attempt_at(observed.failures.get(task, ()), observed.job.spec.backoff)


def new_attempt(
    observed: Observed,
    wave: Wave,
    pods: Mapping[TaskRef, Sequence[PodView]],
    generations: Mapping[TaskRef, int],
    task: TaskRef,
    *more_tasks: TaskRef,
    slow_node: str | None = None,
) -> CreatePod:
    """Start another attempt of a task, and `more_tasks` after it; of one that is slow on `slow_node`, its twin."""
    failures = observed.failures.get(task, ())
    is_whole_job = bool(more_tasks) and more_tasks[-1].type is not task.type
    return CreatePod(
        task=task,
        more_tasks=more_tasks,
        ordinal=max(next_ordinal(pods[each], observed.failures.get(each, ())) for each in (task, *more_tasks)),
        generation=generations.get(task, 0),
        shuffle_generation=0 if is_whole_job else wave.shuffle_generation,
        memory_factor=memory_factor(failures, observed.job.spec),
        slow_node=slow_node,
    )


def group_ready(
    observed: Observed,
    plan: PlanSummary,
    ready: Sequence[TaskRef],
    generations: Mapping[TaskRef, int],
    *,
    room: int,
) -> Sequence[tuple[TaskRef, ...]]:
    """Return the tasks of each pod that starts now. One that has failed before has a pod to itself."""
    whole = whole_job(observed, plan, ready)
    if whole:
        return [whole][:room]
    wanted = plan.tasks_per_pod if observed.limits.packs or plan.tasks_per_pod != "Auto" else 1
    slots = parallelism(observed)
    most = most_per_pod(wanted, ready=len(ready), parallelism=slots, mean_bytes=mean_task_bytes(observed, plan))
    fresh = {task: generations.get(task, 0) for task in ready if task not in observed.failures}
    return form_groups(ready, room=room, most=most, kind=fresh.get)


def mean_task_bytes(observed: Observed, plan: PlanSummary) -> float:
    """Return how many bytes a task of the current wave reads on average."""
    shuffle = observed.shuffle
    if shuffle is None or not shuffle.partitions:
        return plan.bytes / plan.shards
    return sum(shuffle.partition_bytes) / shuffle.partitions


def find_wave(observed: Observed, plan: PlanSummary, generations: Mapping[TaskRef, int]) -> Wave:
    """Say which tasks may run: maps until all are committed and frozen, then reduces, then none but the commit."""
    maps = [TaskRef(type=TaskType.MAP, index=index) for index in range(plan.shards)]
    pending = [task for task in maps if not is_committed(observed, task, generations)]
    shuffle = observed.shuffle
    reduce_total = plan.partitions if shuffle is None else shuffle.partitions
    if pending:
        phase = Phase.MAPPING
        return Wave(phase=phase, tasks=pending, step=None, map_total=plan.shards, reduce_total=reduce_total)
    if observed.commits[maps[0]].part is not None:
        phase = Phase.COMMITTING
        return Wave(phase=phase, tasks=(), step=CommitOutput(), map_total=plan.shards, reduce_total=0)
    wanted = tuple(generations.get(task, 0) for task in maps)
    if shuffle is None or shuffle.map_generations != wanted:
        generation = 0 if shuffle is None else shuffle.generation + 1
        step = FreezeShuffle(generation=generation, parallelism=1 if is_awaited(observed) else parallelism(observed))
        return Wave(phase=Phase.MAPPING, tasks=(), step=step, map_total=plan.shards, reduce_total=reduce_total)
    reduces = [TaskRef(type=TaskType.REDUCE, index=index) for index in range(shuffle.partitions)]
    left = [task for task in reduces if not is_committed(observed, task, generations)]
    return Wave(
        phase=Phase.REDUCING if left else Phase.COMMITTING,
        tasks=left,
        step=None if left else CommitOutput(),
        map_total=plan.shards,
        reduce_total=shuffle.partitions,
        shuffle_generation=shuffle.generation,
    )


def current_generations(observed: Observed) -> dict[TaskRef, int]:
    """Return the current generation of each task whose output was reported lost: one above the highest that was."""
    generations: dict[TaskRef, int] = {}
    for failures in observed.failures.values():
        for failure in failures:
            if failure.lost is not None:
                task = failure.lost.task
                generations[task] = max(generations.get(task, 0), failure.lost.generation + 1)
    return generations


def is_committed(observed: Observed, task: TaskRef, generations: Mapping[TaskRef, int]) -> bool:
    """Tell whether the task's current generation is committed."""
    commit = observed.commits.get(task)
    return commit is not None and commit.generation >= generations.get(task, 0)


def has_work(observed: Observed, pod: PodView, generations: Mapping[TaskRef, int]) -> bool:
    """Tell whether the pod has a task ahead that is not committed."""
    return not all(is_committed(observed, task, generations) for task in pod.tasks_ahead)


def is_trying(pod: PodView, task: TaskRef, generation: int, doomed: set[str]) -> bool:
    """Tell whether the pod may yet commit the task's current generation, now or when its turn comes."""
    return pod.is_active and pod.generation == generation and pod.uid not in doomed and task in pod.tasks_ahead


def parallelism(observed: Observed) -> int:
    """Return how many pods of the run may be active: the spec's number within the operator's limit."""
    wanted = observed.job.spec.parallelism
    return observed.limits.parallelism if wanted is None else min(wanted, observed.limits.parallelism)


def next_ordinal(pods: Iterable[PodView], failures: Iterable[FailureRecord]) -> int:
    """Return 1 + the highest ordinal among the task's visible pods, terminating ones included, and its records."""
    return 1 + max((*(pod.ordinal for pod in pods), *(failure.ordinal for failure in failures)), default=0)


def next_look(observed: Observed, due_at: Sequence[float], now: float) -> float | None:
    """Return in how many seconds time alone will change the decision."""
    times = [*due_at]
    for pod in observed.active_pods:
        times.extend(moments(pod, observed.limits.pending))
        at = hung_at(pod, observed.progress.get(pod.attempt_id), observed.job.spec.progress_deadline_seconds)
        times.extend(() if at is None else (at,))
    if observed.limits.speculates and observed.job.spec.speculation != "Never" and observed.active_pods:
        times.append(now + SPECULATION_SECONDS)
    times.extend(
        commit.finished_at + LINGER_SECONDS
        for pod in observed.active_pods
        if (commit := observed.commits.get(pod.task)) is not None
    )
    deadline = deadline_at(observed)
    if deadline is not None:
        times.append(deadline)
    later = [at - now for at in times if at > now]
    return min(later, default=None)


def pods_by_task(pods: Iterable[PodView]) -> Mapping[TaskRef, list[PodView]]:
    """Index `pods` by each of their tasks; a task without pods gives an empty list."""
    index: defaultdict[TaskRef, list[PodView]] = defaultdict(list)
    for pod in pods:
        for task in pod.all_tasks:
            index[task].append(pod)
    return index
