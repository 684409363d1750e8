"""One pass over the current wave: failures recorded, pods deleted and created, or the step taken that ends the wave.

Rule: pure. What starts is derived from what is seen now: a pass may be repeated, and may be the last for minutes.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from podreduce.contract.task import FailureRecord, TaskRef
from podreduce_operator.model.actions import Action, CreatePod, DeletePod, RecordFailure
from podreduce_operator.model.decisions import Decision, Verdict
from podreduce_operator.model.observed import Observed, PlanSummary
from podreduce_operator.model.pods import PodView
from podreduce_operator.policy.failure_recording import record_failures
from podreduce_operator.policy.gangs import awaits_more, find_broken, find_forming, join_gang, settled_at
from podreduce_operator.policy.pod_deletion import LINGER_SECONDS, delete_all, delete_foreign, delete_needless
from podreduce_operator.policy.pod_packing import form_groups, most_per_pod
from podreduce_operator.policy.retry_delays import memory_factor, next_attempt_at
from podreduce_operator.policy.run_end import deadline_at
from podreduce_operator.policy.single_pod_jobs import looks_at, whole_job
from podreduce_operator.policy.speculation import find_slow
from podreduce_operator.policy.stuck_pods import explain_waiting, hung_at, moments
from podreduce_operator.policy.waves import Wave, current_generations, find_wave, is_committed, parallelism

__all__ = ["run_wave"]

SPECULATION_SECONDS = 15.0
"""How often running attempts are compared, if nothing else happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a pass rests on.

    Attributes:
        generations: of the tasks whose output was reported lost.
        pods: of the run, by each of their tasks.
        records: of the failures that have none yet.
        deletes: of the pods that are not needed any more.
        active: the pods that go on.
        untried: the tasks of the wave that no pod is about to commit.
        due: when their next attempts may start; without those whose failure is only being recorded.
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
    due: Mapping[TaskRef, float]

    @property
    def room(self) -> int:
        """How many more pods may be active."""
        return max(0, parallelism(self.observed) - len(self.active))

    @property
    def ready(self) -> list[TaskRef]:
        """The tasks whose next attempt may start now."""
        return [task for task, at in self.due.items() if at <= self.now]

    @property
    def due_later(self) -> list[float]:
        """When those may start that may not yet."""
        return [at for at in self.due.values() if at > self.now]

    @property
    def is_idle(self) -> bool:
        """Whether no pod that goes on has work left."""
        return not any(has_work(self.observed, pod, self.generations) for pod in self.active)

    @property
    def settled_at(self) -> float:
        """When pods may start again, if some have just been taken."""
        return settled_at(self.observed, [action.record for action in self.records])


def run_wave(observed: Observed, plan: PlanSummary, now: float) -> Decision:
    """Run the current wave: record, delete and create pods, or take the step that ends the wave."""
    scene = survey(observed, plan, now)
    broken = broken_gangs(scene)
    creates = [] if broken else start_attempts(scene)
    looks = [*scene.due_later, scene.settled_at, *looks_at(observed, creates, now)]
    return Decision(
        actions=in_order(scene, broken, creates), verdict=tell(scene), wake_after=next_look(observed, looks, now)
    )


def survey(observed: Observed, plan: PlanSummary, now: float) -> Scene:
    """Derive from what is observed all that a pass rests on."""
    generations = current_generations(observed)
    wave = find_wave(observed, plan, generations)
    pods = pods_by_task(observed.run_pods)
    records = record_failures(observed, now)
    deletes = delete_needless(observed, generations, now)
    doomed = {action.uid for action in deletes}
    recording = {action.record.task for action in records}
    untried = [
        task
        for task in wave.tasks
        if not any(is_trying(pod, task, generations.get(task, 0), doomed) for pod in pods[task])
    ]
    return Scene(
        observed=observed,
        plan=plan,
        now=now,
        wave=wave,
        generations=generations,
        pods=pods,
        records=records,
        deletes=deletes,
        active=[pod for pod in observed.active_pods if pod.uid not in doomed],
        untried=untried,
        due={task: attempt_due_at(observed, task) for task in untried if task not in recording},
    )


def broken_gangs(scene: Scene) -> list[PodView]:
    """Return the pods that wait for a gang which cannot be whole any more."""
    most = parallelism(scene.observed)
    more = min(len(scene.untried), scene.room)
    return find_broken(scene.observed, find_forming(scene.observed), more=more, most=most)


def start_attempts(scene: Scene) -> list[CreatePod]:
    """Return the pods to create: for the tasks that are ready, then twins of slow ones if there is room left."""
    if is_gathering(scene):
        return []
    creates = [new_attempt(scene, *group) for group in group_ready(scene)]
    if len(scene.ready) < scene.room:
        creates += start_twins(scene)
    return join_gang(scene.observed, find_forming(scene.observed), creates, is_idle=scene.is_idle)


def is_gathering(scene: Scene) -> bool:
    """Tell whether nothing starts for a moment, so that more can start together."""
    lacks_room = bool(scene.active) and scene.room < len(scene.due)
    awaits = awaits_more(scene.observed, scene.due_later, scene.now, lacks_room=lacks_room)
    return scene.now < scene.settled_at or (scene.is_idle and awaits)


def start_twins(scene: Scene) -> list[CreatePod]:
    """Return second attempts of the tasks that are far slower than the others, elsewhere."""
    recording = {action.record.task for action in scene.records}
    may_start = (
        task for task in scene.wave.tasks if task not in recording and attempt_due_at(scene.observed, task) <= scene.now
    )
    tasks = {task: scene.generations.get(task, 0) for task in may_start}
    room = scene.room - len(scene.ready)
    slow = find_slow(scene.observed, scene.plan, tasks, scene.active, room=room, now=scene.now)
    return [new_attempt(scene, pod.task, slow_node=pod.node) for pod in slow]


def in_order(scene: Scene, broken: Sequence[PodView], creates: Sequence[CreatePod]) -> tuple[Action, ...]:
    """Return the actions: what makes room goes first; what has ended takes none, and goes last."""
    running = {pod.uid for pod in scene.observed.active_pods}
    stops = [action for action in scene.deletes if action.uid in running]
    tidies = [action for action in scene.deletes if action.uid not in running]
    stops += delete_all(broken, "gang is broken")
    steps = () if scene.wave.step is None else (scene.wave.step,)
    return (*scene.records, *stops, *delete_foreign(scene.observed), *steps, *creates, *tidies)


def tell(scene: Scene) -> Verdict:
    """Return where the run stands, and what its pods wait for."""
    waiting = explain_waiting(scene.observed.active_pods, scene.now)
    return Verdict(
        phase=scene.wave.phase,
        reason="" if waiting is None else waiting.reason,
        message="" if waiting is None else waiting.message,
        map_total=scene.wave.map_total,
        reduce_total=scene.wave.reduce_total,
        next_attempt_at=min(scene.due_later, default=None),
    )


def attempt_due_at(observed: Observed, task: TaskRef) -> float:
    """Return when another attempt of the task may start, a twin as well; 0.0 is at once."""
    return next_attempt_at(observed.failures.get(task, ()), observed.job.spec.backoff)


def new_attempt(scene: Scene, task: TaskRef, *more_tasks: TaskRef, slow_node: str | None = None) -> CreatePod:
    """Start another attempt of a task, and `more_tasks` after it; of one that is slow on `slow_node`, its twin."""
    failures = scene.observed.failures
    is_whole_job = bool(more_tasks) and more_tasks[-1].type is not task.type
    return CreatePod(
        task=task,
        more_tasks=more_tasks,
        ordinal=max(next_ordinal(scene.pods[each], failures.get(each, ())) for each in (task, *more_tasks)),
        generation=scene.generations.get(task, 0),
        shuffle_generation=0 if is_whole_job else scene.wave.shuffle_generation,
        memory_factor=memory_factor(failures.get(task, ()), scene.observed.job.spec),
        slow_node=slow_node,
    )


def group_ready(scene: Scene) -> Sequence[tuple[TaskRef, ...]]:
    """Return the tasks of each pod that starts now. One that has failed before has a pod to itself."""
    observed, plan, ready = scene.observed, scene.plan, scene.ready
    whole = whole_job(observed, plan, ready)
    if whole:
        return [whole][: scene.room]
    wanted = plan.tasks_per_pod if observed.limits.packs or plan.tasks_per_pod != "Auto" else 1
    slots = parallelism(observed)
    most = most_per_pod(wanted, ready=len(ready), parallelism=slots, mean_bytes=mean_task_bytes(observed, plan))
    fresh = {task: scene.generations.get(task, 0) for task in ready if task not in observed.failures}
    return form_groups(ready, room=scene.room, most=most, kind=fresh.get)


def mean_task_bytes(observed: Observed, plan: PlanSummary) -> float:
    """Return how many bytes a task of the current wave reads on average."""
    shuffle = observed.shuffle
    if shuffle is None or not shuffle.partitions:
        return plan.bytes / plan.shards
    return sum(shuffle.partition_bytes) / shuffle.partitions


def has_work(observed: Observed, pod: PodView, generations: Mapping[TaskRef, int]) -> bool:
    """Tell whether the pod has a task ahead that is not committed."""
    return not all(is_committed(observed, task, generations) for task in pod.tasks_ahead)


def is_trying(pod: PodView, task: TaskRef, generation: int, doomed: set[str]) -> bool:
    """Tell whether the pod may yet commit the task's current generation, now or when its turn comes."""
    return pod.is_active and pod.generation == generation and pod.uid not in doomed and task in pod.tasks_ahead


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
