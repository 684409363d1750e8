"""One pass over the current wave: record failures, delete and create pods, or take the step that ends the wave.

Rule: pure. Everything is derived from what is observed now. A pass may be repeated, and may be the last for minutes.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from podreduce.contract.task import FailureRecord, TaskRef
from podreduce_operator.model.actions import Action, CreatePod, DeletePod, RecordFailure
from podreduce_operator.model.decisions import Decision, Verdict
from podreduce_operator.model.observed import Observed, PlanSummary
from podreduce_operator.model.pods import Gang, PodView
from podreduce_operator.policy.failure_recording import record_failures
from podreduce_operator.policy.gangs import awaits_more, find_broken, find_forming, join_gang, settled_at
from podreduce_operator.policy.pod_deletion import LINGER_SECONDS, delete_all, delete_foreign, delete_needless
from podreduce_operator.policy.pod_packing import form_groups, most_per_pod
from podreduce_operator.policy.retry_delays import memory_factor, next_attempt_at
from podreduce_operator.policy.run_end import deadline_at
from podreduce_operator.policy.single_pod_jobs import looks_at, whole_job
from podreduce_operator.policy.speculation import find_slow
from podreduce_operator.policy.stuck_pods import explain_waiting, hung_at, moments, raised_until
from podreduce_operator.policy.waves import Wave, current_generations, find_wave, is_committed, parallelism

__all__ = ["run_wave"]

SPECULATION_SECONDS = 15.0
"""How often running attempts are compared, if nothing else happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveView:
    """What one pass works with.

    Attributes:
        generations: the current generation of each task whose output was reported lost.
        pods: the run's pods by task; a pod is listed under each of its tasks.
        records: the failures to record.
        deletes: the pods to delete because they are no longer needed.
        active: the pods that continue.
        untried: the tasks of the wave that no active pod has ahead.
        recording: the tasks whose failure is recorded in this pass.
        due: when the next attempts of the untried tasks may start; without those in `recording`.
        ready: the tasks of `due` whose attempt may start now.
        due_later: when the others may start.
        forming: the gangs that are not admitted yet, with their pods.
        is_idle: whether no continuing pod has work left.
        settled_at: when pods may start again, if some have just been preempted.
    """

    observed: Observed
    plan: PlanSummary
    now: float
    wave: Wave
    generations: Mapping[TaskRef, int]
    pods: Mapping[TaskRef, Sequence[PodView]]
    records: Sequence[RecordFailure]
    deletes: Sequence[DeletePod]
    active: Sequence[PodView]
    untried: Sequence[TaskRef]
    recording: Collection[TaskRef]
    due: Mapping[TaskRef, float]
    ready: Sequence[TaskRef]
    due_later: Sequence[float]
    forming: Mapping[Gang, list[PodView]]
    is_idle: bool
    settled_at: float

    @property
    def room(self) -> int:
        """How many more pods may be active."""
        return max(0, parallelism(self.observed) - len(self.active))


def run_wave(observed: Observed, plan: PlanSummary, now: float) -> Decision:
    """Run the current wave: record, delete and create pods, or take the step that ends the wave."""
    view = gather(observed, plan, now)
    broken = broken_gangs(view)
    creates = [] if broken else start_attempts(view)
    looks = [*view.due_later, view.settled_at, *looks_at(observed, creates, now)]
    return Decision(
        actions=in_order(view, broken, creates), verdict=build_verdict(view), wake_after=next_look(observed, looks, now)
    )


def gather(observed: Observed, plan: PlanSummary, now: float) -> WaveView:
    """Derive everything that a pass needs from what is observed."""
    generations = current_generations(observed)
    wave = find_wave(observed, plan, generations)
    pods = pods_by_task(observed.run_pods)
    records = record_failures(observed, now)
    deletes = delete_needless(observed, generations, now)
    deleted_uids = {action.uid for action in deletes}
    recording = {action.record.task for action in records}
    untried = [
        task
        for task in wave.tasks
        if not any(is_trying(pod, task, generations.get(task, 0), deleted_uids) for pod in pods[task])
    ]
    active = [pod for pod in observed.active_pods if pod.uid not in deleted_uids]
    due = {task: attempt_due_at(observed, task) for task in untried if task not in recording}
    return WaveView(
        observed=observed,
        plan=plan,
        now=now,
        wave=wave,
        generations=generations,
        pods=pods,
        records=records,
        deletes=deletes,
        active=active,
        untried=untried,
        recording=recording,
        due=due,
        ready=[task for task, at in due.items() if at <= now],
        due_later=[at for at in due.values() if at > now],
        forming=find_forming(observed),
        is_idle=not any(has_work(observed, pod, generations) for pod in active),
        settled_at=settled_at(observed, [action.record for action in records]),
    )


def broken_gangs(view: WaveView) -> list[PodView]:
    """Return the pods of gangs that can no longer be complete."""
    most = parallelism(view.observed)
    more = min(len(view.untried), view.room)
    return find_broken(view.observed, view.forming, more=more, most=most)


def start_attempts(view: WaveView) -> list[CreatePod]:
    """Return the pods to create: for the ready tasks, then twins of slow ones if slots are left."""
    if is_gathering(view):
        return []
    creates = [new_attempt(view, *group) for group in group_ready(view)]
    if len(view.ready) < view.room:
        creates += start_twins(view)
    return join_gang(view.observed, view.forming, creates, is_idle=view.is_idle)


def is_gathering(view: WaveView) -> bool:
    """Tell whether nothing starts for a moment, so that more can start together."""
    lacks_room = bool(view.active) and view.room < len(view.due)
    awaits = awaits_more(view.observed, view.due_later, view.now, lacks_room=lacks_room)
    return view.now < view.settled_at or (view.is_idle and awaits)


def start_twins(view: WaveView) -> list[CreatePod]:
    """Return second attempts, on other nodes, of tasks that are much slower than the others."""
    may_start = (
        task
        for task in view.wave.tasks
        if task not in view.recording and attempt_due_at(view.observed, task) <= view.now
    )
    tasks = {task: view.generations.get(task, 0) for task in may_start}
    room = view.room - len(view.ready)
    slow = find_slow(view.observed, view.plan, tasks, view.active, room=room, now=view.now)
    return [new_attempt(view, pod.task, slow_node=pod.node) for pod in slow]


def in_order(view: WaveView, broken: Sequence[PodView], creates: Sequence[CreatePod]) -> tuple[Action, ...]:
    """Return the actions in order: deletions that free a slot come first, those of ended pods come last."""
    running = {pod.uid for pod in view.observed.active_pods}
    stops = [action for action in view.deletes if action.uid in running]
    late_deletes = [action for action in view.deletes if action.uid not in running]
    stops += delete_all(broken, "gang is broken")
    steps = () if view.wave.step is None else (view.wave.step,)
    return (*view.records, *stops, *delete_foreign(view.observed), *steps, *creates, *late_deletes)


def build_verdict(view: WaveView) -> Verdict:
    """Return the run's phase, and what its pods wait for."""
    waiting = explain_waiting(view.observed.active_pods, view.now)
    return Verdict(
        phase=view.wave.phase,
        reason="" if waiting is None else waiting.reason,
        message="" if waiting is None else waiting.message,
        map_total=view.wave.map_total,
        reduce_total=view.wave.reduce_total,
        next_attempt_at=min(view.due_later, default=None),
    )


def attempt_due_at(observed: Observed, task: TaskRef) -> float:
    """Return when another attempt or a twin of the task may start; 0.0 means at once."""
    return next_attempt_at(observed.failures.get(task, ()), observed.job.spec.backoff)


def new_attempt(view: WaveView, task: TaskRef, *more_tasks: TaskRef, slow_node: str | None = None) -> CreatePod:
    """Return a new attempt of a task, followed by `more_tasks`. With `slow_node` it is a twin of the attempt there."""
    failures = view.observed.failures
    is_whole_job = bool(more_tasks) and more_tasks[-1].type is not task.type
    return CreatePod(
        task=task,
        more_tasks=more_tasks,
        ordinal=max(next_ordinal(view.pods[each], failures.get(each, ())) for each in (task, *more_tasks)),
        generation=view.generations.get(task, 0),
        shuffle_generation=0 if is_whole_job else view.wave.shuffle_generation,
        memory_factor=memory_factor(failures.get(task, ()), view.observed.job.spec),
        slow_node=slow_node,
    )


def group_ready(view: WaveView) -> Sequence[tuple[TaskRef, ...]]:
    """Return the tasks of each pod that starts now. A task that has failed before gets a pod alone."""
    observed, plan, ready = view.observed, view.plan, view.ready
    whole = whole_job(observed, plan, ready)
    if whole:
        return [whole][: view.room]
    wanted = plan.tasks_per_pod if observed.limits.packs or plan.tasks_per_pod != "Auto" else 1
    slots = parallelism(observed)
    most = most_per_pod(wanted, ready=len(ready), parallelism=slots, mean_bytes=mean_task_bytes(observed, plan))
    fresh = {task: view.generations.get(task, 0) for task in ready if task not in observed.failures}
    return form_groups(ready, room=view.room, most=most, kind=fresh.get)


def mean_task_bytes(observed: Observed, plan: PlanSummary) -> float:
    """Return how many bytes a task of the current wave reads on average."""
    shuffle = observed.shuffle
    if shuffle is None or not shuffle.partitions:
        return plan.bytes / plan.shards
    return sum(shuffle.partition_bytes) / shuffle.partitions


def has_work(observed: Observed, pod: PodView, generations: Mapping[TaskRef, int]) -> bool:
    """Tell whether the pod has a task ahead that is not committed."""
    return not all(is_committed(observed, task, generations) for task in pod.tasks_ahead)


def is_trying(pod: PodView, task: TaskRef, generation: int, deleted_uids: set[str]) -> bool:
    """Tell whether the pod may still commit the task's current generation, now or later."""
    return pod.is_active and pod.generation == generation and pod.uid not in deleted_uids and task in pod.tasks_ahead


def next_ordinal(pods: Iterable[PodView], failures: Iterable[FailureRecord]) -> int:
    """Return 1 + the highest ordinal among the task's pods, including terminating ones, and its failure records."""
    return 1 + max((*(pod.ordinal for pod in pods), *(failure.ordinal for failure in failures)), default=0)


def next_look(observed: Observed, due_at: Sequence[float], now: float) -> float | None:
    """Return after how many seconds the decision changes because of time alone; None if never."""
    times = [*due_at]
    for pod in observed.active_pods:
        times.extend(moments(pod, observed.limits.pending))
        at = hung_at(pod, observed.progress.get(pod.attempt_id), observed.job.spec.progress_deadline_seconds)
        times.extend(() if at is None else (at,))
        until = raised_until(observed, pod)
        times.extend(() if until is None else (until,))
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
