"""A model of the cluster: attempts run, fail, are taken away, linger, and go on as zombies when their pod is gone.

Rule: a pod object and the process behind it are two things. What is drawn for an attempt is drawn when it is created.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.task import (
    BlobRef,
    CommitRecord,
    LostOutput,
    PartRef,
    TaskOutcome,
    TaskRef,
    TaskType,
)
from podreduce_operator.model.pods import AttemptProgress, Gang, PodPhase, PodView
from podreduce_operator.policy.single_pod_jobs import SHUFFLE_WAIT_SECONDS
from podreduce_operator.policy.stuck_pods import GATED
from tests.simulation.chaos import Chaos, FaultKind
from tests.simulation.object_store import ObjectStore, RunPrefix

__all__ = ["Cluster", "SimPod"]

K = FaultKind
SKEW_SECONDS = 2.0
GRACE_SECONDS = 10.0
SLOWNESS = 10
FAILS = {
    K.PROGRAM_ERROR: (ExitCode.PROGRAM_ERROR, "", "ProgramError"),
    K.INPUT_ERROR: (ExitCode.INPUT_ERROR, "", "InputError"),
    K.CRASH: (1, "Error", ""),
    K.OUT_OF_MEMORY: (137, "OOMKilled", ""),
    K.STORE_AWAY: (ExitCode.STORAGE_UNAVAILABLE, "", "StorageUnavailable"),
    K.STORE_DENIED: (ExitCode.STORAGE_DENIED, "", "StorageDenied"),
    K.EVICTED: (None, "Evicted", ""),
    K.COMMIT_THEN_FAIL: (ExitCode.STORAGE_UNAVAILABLE, "", "StorageUnavailable"),
}
"""By fault: the exit code, the kubelet's reason, and the task's own if it could still speak."""


@dataclass(slots=True, eq=False)
class SimPod:
    """One pod, and its process, which takes `tasks` one after another: `turn` says which one now.

    `own` and `outside`: whether its end so far is its own doing, or that of something else. `fault` befalls it at
    `fault_turn`; `is_working` is not between two turns.
    """

    name: str
    uid: str
    run_id: str
    run_hash: str
    tasks: tuple[TaskRef, ...]
    ordinal: int
    generation: int
    shuffle_generation: int | None
    created_at: float
    skew: float
    fault: FaultKind | None
    gang: Gang | None = None
    memory_factor: float = 1.0
    fault_turn: int = 0
    turn: int = 0
    is_working: bool = False
    waits_until: float = 0.0
    scheduled_at: float | None = None
    started_at: float | None = None
    phase: PodPhase = PodPhase.PENDING
    exists: bool = True
    alive: bool = True
    deleting: bool = False
    vanishes_at: float | None = None
    finished_at: float | None = None
    exit_code: int | None = None
    reason: str = ""
    disrupted: bool = False
    outcome: TaskOutcome | None = None
    runs_from: float = 0.0
    runs_for: float = 1.0
    own: bool = False
    outside: bool = False
    view: PodView | None = None

    @property
    def task(self) -> TaskRef:
        return self.tasks[self.turn]

    @property
    def attempt_id(self) -> str:
        return f"{self.uid}-{self.turn}"

    @property
    def attempt_ids(self) -> list[str]:
        return [f"{self.uid}-{turn}" for turn in range(len(self.tasks))]

    @property
    def tasks_ahead(self) -> tuple[TaskRef, ...]:
        return self.tasks[self.turn :]

    @property
    def is_finished(self) -> bool:
        return self.phase in (PodPhase.SUCCEEDED, PodPhase.FAILED)

    @property
    def is_whole_job(self) -> bool:
        return self.tasks[0].type is not self.tasks[-1].type

    @property
    def awaits_shuffle(self) -> bool:
        return self.is_whole_job and self.task.type is TaskType.REDUCE

    @property
    def present_fault(self) -> FaultKind | None:
        """What befalls it in this turn."""
        return self.fault if self.turn == self.fault_turn else None

    def progress(self, attempt_id: str, now: float) -> AttemptProgress | None:
        """Return what the attempt last reported; None before it runs."""
        if self.phase is not PodPhase.RUNNING or not (self.alive and self.is_working and attempt_id == self.attempt_id):
            return None
        fraction = min((now - self.runs_from) / self.runs_for, 1.0)
        if self.present_fault is K.HUNG:
            return AttemptProgress(fraction=min(fraction, 0.3), reported_at=now, changed_at=self.runs_from)
        return AttemptProgress(fraction=fraction, reported_at=now, changed_at=now)

    @property
    def is_active(self) -> bool:
        return self.exists and not self.deleting and not self.is_finished

    def look(self) -> PodView:
        """Return the pod as a list shows it now."""
        if self.view is None:
            self.view = PodView(
                name=self.name,
                uid=self.uid,
                run_hash=self.run_hash,
                task=self.tasks[0],
                tasks=self.tasks if len(self.tasks) > 1 else (),
                gang=self.gang,
                ordinal=self.ordinal,
                generation=self.generation,
                phase=self.phase,
                created_at=self.created_at,
                node="" if self.phase is PodPhase.PENDING else "node",
                scheduled_at=self.scheduled_at,
                started_at=self.started_at,
                deleting=self.deleting,
                vanishes_at=self.vanishes_at,
                finished_at=self.finished_at,
                exit_code=self.exit_code,
                reason=self.reason,
                disrupted=self.disrupted,
                outcome=self.outcome,
            )
        return self.view


Step = Callable[[SimPod], None]


@dataclass(slots=True)
class Cluster:
    """The pods of one job.

    Attributes:
        poison: a task whose program always raises.
        queue: draws when pods are admitted, as by Kueue; None where they need not be.
        preemptor: draws when the queue takes admitted pods back.
        pods: by name, those whose object is there; `attempts` by attempt id, all there ever were.
        due: what happens next, as a heap.
        changed: whether a watcher has heard something new; `stirred_at` is when anything happened last.
    """

    rng: random.Random
    chaos: Chaos
    store: ObjectStore
    now: float
    map_only: bool = False
    poison: TaskRef | None = None
    has_small_nodes: bool = False
    queue: random.Random | None = None
    preemptor: random.Random | None = None
    pods: dict[str, SimPod] = field(default_factory=dict)
    attempts: dict[str, SimPod] = field(default_factory=dict)
    due: list[tuple[float, int, SimPod, Step]] = field(default_factory=list)
    sequence: int = 0
    changed: bool = False
    stirred_at: float = 0.0

    def look(self) -> tuple[PodView, ...]:
        """Return the pods as a fresh list shows them."""
        return tuple([pod.look() for pod in self.pods.values()])

    def at(self, delay: float, pod: SimPod, step: Step) -> None:
        """Have something happen to the pod, or to its process, after `delay` seconds."""
        self.sequence += 1
        heapq.heappush(self.due, (self.now + delay, self.sequence, pod, step))

    def advance(self, until: float) -> None:
        """Let everything happen that is due by then."""
        while self.due and self.due[0][0] <= until:
            self.now, _, pod, step = heapq.heappop(self.due)
            step(pod)
            self.stirred_at = self.now
        self.now = until

    def touch(self, pod: SimPod) -> None:
        """Note that the pod's object has changed: a watcher hears of it."""
        pod.view = None
        if pod.exists:
            self.changed = True

    def create(self, pod: SimPod) -> None:
        """Take a new pod in and draw its life."""
        self.pods[pod.name] = pod
        self.attempts.update(dict.fromkeys(pod.attempt_ids, pod))
        self.changed = True
        if self.poison in pod.tasks:
            pod.fault, pod.fault_turn = K.PROGRAM_ERROR, pod.tasks.index(self.poison)
            self.chaos.counts[K.POISON] += 1
        elif len(pod.tasks) > 1 and pod.fault not in (K.IMAGE_MISSING, K.IMAGE_LATE, K.UNSCHEDULABLE):
            pod.fault_turn = self.rng.randrange(len(pod.tasks))
        if self.chaos.is_on and self.rng.random() < 0.3:
            pod.skew = self.rng.uniform(-SKEW_SECONDS, SKEW_SECONDS)
            self.chaos.counts[K.CLOCK_SKEW] += 1
        if self.queue is None:
            self.place(pod)
        else:
            self.enqueue(pod, self.queue)

    def enqueue(self, pod: SimPod, queue: random.Random) -> None:
        """The pod is gated until it is admitted, with its whole gang if it has one; somebody may delete it before."""
        pod.reason = GATED
        if self.chaos.strikes(K.DELETED_GATED, 0.05):
            self.at(queue.randint(1, 20), pod, self.delete_if_gated)
        gang = [pod] if pod.gang is None else self.members(pod.gang)
        if pod.gang is None or len(gang) == pod.gang.size:
            delay = queue.choice([0, 1, 5, 20, 60])
            for member in gang:
                self.at(delay + queue.choice([0, 0, 1]), member, self.admit)

    def members(self, gang: Gang) -> list[SimPod]:
        """Return the gang's pods that fill a place in it: Kueue counts those that have succeeded, too."""
        return [
            pod
            for pod in self.pods.values()
            if pod.gang == gang and not pod.deleting and pod.phase is not PodPhase.FAILED
        ]

    def admit(self, pod: SimPod) -> None:
        """The pod's gate is lifted, unless that has happened, or it goes."""
        if pod.exists and not pod.deleting and pod.reason == GATED:
            pod.reason = ""
            self.touch(pod)
            self.place(pod)
            if self.preemptor is not None and self.preemptor.random() < 0.1 and self.chaos.budget > 0:
                self.chaos.spend(K.PREEMPTED)
                self.at(self.preemptor.randint(2, 40), pod, self.preempt)

    def preempt(self, first: SimPod) -> None:
        """The queue takes the pod, and then, one by one, all others that it has admitted and that still run."""
        rest = [pod for pod in self.pods.values() if pod.is_active and pod.reason != GATED and pod is not first]
        delay = 0.0
        for pod in (first, *rest):
            self.at(delay, pod, self.take_back)
            delay += self.preemptor.choice([0.0, 0.1, 1.0, 3.0]) if self.preemptor is not None else 0.0

    def take_back(self, pod: SimPod) -> None:
        if pod.is_active:
            pod.disrupted = True
            self.begin_deletion(pod)

    def delete_if_gated(self, pod: SimPod) -> None:
        if pod.reason == GATED:
            self.delete_by_hand(pod)

    def place(self, pod: SimPod) -> None:
        """The scheduler takes the pod; its container starts, or waits for something."""
        start = float(self.rng.choice([1, 3]))  # much falls on the same moments, so that fewer passes see as much
        if self.has_small_nodes and pod.memory_factor > 1.0:
            pod.reason, pod.own = "Unschedulable", True
            self.chaos.counts[K.NODES_TOO_SMALL] += 1
            self.touch(pod)
            return
        match pod.fault:
            case K.IMAGE_MISSING:
                pod.reason = self.rng.choice(["InvalidImageName", "ErrImagePull", "CreateContainerConfigError"])
                pod.own, pod.scheduled_at = True, self.now
                return
            case K.IMAGE_LATE:
                pod.reason, start = "ImagePullBackOff", float(self.rng.randint(5, 24))
                pod.scheduled_at = self.now
            case K.UNSCHEDULABLE:
                pod.reason, start = "Unschedulable", float(self.rng.randint(20, 90))
                pod.own = True
        self.at(start, pod, self.run)

    def run(self, pod: SimPod) -> None:
        """The container starts."""
        if not pod.alive or pod.deleting:
            return
        pod.own = False
        pod.phase, pod.reason, pod.view = PodPhase.RUNNING, "", None  # a start alone changes no decision: nobody wakes
        pod.started_at = self.now
        self.begin_turn(pod)

    def begin_turn(self, pod: SimPod) -> None:
        """The process begins with its next task, once that is possible; what will end it is on its way."""
        if not pod.alive or (pod.awaits_shuffle and not self.has_shuffle(pod)):
            return
        seconds = 0.5 if pod.is_whole_job else 2.0
        longest = 6 if len(pod.tasks) == 1 else 3
        work = seconds * self.rng.randint(1, longest) * (SLOWNESS if pod.present_fault is K.SLOW else 1)
        pod.runs_from, pod.runs_for, pod.is_working = self.now, work, True
        self.draw_end(pod, work)

    def has_shuffle(self, pod: SimPod) -> bool:
        """Tell whether the reduce finds its manifest; it looks again until it gives up, and ends if it is not in it."""
        manifests = self.store.run(pod.run_id).manifests
        manifest = next((one for one in manifests if one.generation == pod.shuffle_generation), None)
        if manifest is not None:
            if pod.task.index >= manifest.partitions:
                self.finish(pod, code=0)
            return pod.alive
        if not pod.waits_until:
            pod.waits_until = self.now + SHUFFLE_WAIT_SECONDS
        if self.now < pod.waits_until:
            self.at(1.0, pod, self.begin_turn)
            return False
        pod.outside = True
        outcome = TaskOutcome(reason="ShuffleNotFrozen", message="nobody has frozen it")
        self.finish(pod, code=int(ExitCode.SHUFFLE_NOT_FROZEN), outcome=outcome)
        return False

    def draw_end(self, pod: SimPod, work: float) -> None:  # noqa: C901 - one arm for each fault
        """Draw how the turn ends."""
        match pod.present_fault:
            case K.PROGRAM_ERROR | K.INPUT_ERROR | K.CRASH | K.OUT_OF_MEMORY | K.EVICTED:
                self.at(work, pod, self.fail)
            case K.STORE_AWAY | K.STORE_DENIED:
                self.at(work, pod, self.fail)
            case K.EXIT_WITHOUT_COMMIT:
                self.at(work, pod, self.exit_early)
            case K.COMMIT_THEN_FAIL:
                self.at(work, pod, self.in_turn(pod, self.commit))
                self.at(work + self.rng.randint(0, 2), pod, self.fail)
            case K.LINGER:
                self.at(work, pod, self.in_turn(pod, self.commit))
                self.at(work + self.rng.randint(20, 200), pod, self.in_turn(pod, self.succeed))
            case K.HUNG:
                pod.own = True
            case K.DISRUPTED:
                self.at(work, pod, self.disrupt)
            case K.NODE_LOST:
                self.at(work, pod, self.lose_node)
            case K.VANISHED:
                self.at(work, pod, self.kill)
                self.at(work, pod, self.remove)
            case K.ZOMBIE:
                self.at(work, pod, self.remove)
                self.at(work + self.rng.randint(1, 60), pod, self.in_turn(pod, self.commit))
            case K.DELETED_BY_HAND:
                self.at(work, pod, self.delete_by_hand)
            case _:
                self.at(work, pod, self.in_turn(pod, self.commit))
                self.at(work + self.rng.choice([0, 0, 2]), pod, self.in_turn(pod, self.succeed))

    def in_turn(self, pod: SimPod, step: Step) -> Step:
        """Return the step as one of the present turn: after it, nothing happens."""
        turn = pod.turn

        def happen(pod: SimPod) -> None:
            if pod.turn == turn:
                step(pod)

        return happen

    def pass_turn(self, pod: SimPod) -> None:
        """The task is committed: the next has its turn, at once or once the process of this one has ended."""
        pod.turn += 1
        pod.is_working = False
        delays = [20, 30] if pod.fault is K.LINGER and pod.turn == pod.fault_turn + 1 else [0, 0, 2]
        self.at(self.rng.choice(delays), pod, self.begin_turn)

    def commit(self, pod: SimPod) -> None:
        """The process writes its data, then its commit record, unless a twin was faster."""
        if not pod.alive:
            return
        run = self.store.run(pod.run_id)
        is_map = pod.task.type is TaskType.MAP
        if not is_map and (lost := find_lost(run, pod)) is not None:
            self.report_lost(pod, lost)
            return
        blob = part = None
        if is_map and not self.map_only:
            run.blobs.add(pod.attempt_id)
            blob = BlobRef(key=pod.attempt_id, bytes=1, footer_offset=0, footer_crc32=0)
        else:
            self.store.output.staged.setdefault(pod.run_id, set()).add((pod.task, pod.attempt_id))
            part = PartRef(key=f"{pod.task}-{pod.attempt_id}", bytes=1, records=1, sha256="")
        won = run.create_commit(
            CommitRecord(
                task=pod.task,
                generation=pod.generation,
                attempt_id=pod.attempt_id,
                pod_name=pod.name,
                started_at=pod.created_at,
                finished_at=self.now + pod.skew,
                records_in=1,
                bytes_in=1,
                records_out=1,
                bytes_out=1,
                blob=blob,
                part=part,
            )
        )
        if not won and run.all_commits[pod.task, pod.generation].attempt_id != pod.attempt_id:
            run.blobs.discard(pod.attempt_id)
            self.store.output.staged.get(pod.run_id, set()).discard((pod.task, pod.attempt_id))
        elif len(pod.tasks_ahead) > 1:
            if self.map_only and pod.tasks[pod.turn + 1].type is TaskType.REDUCE:
                self.finish(pod, code=0)
            else:
                self.pass_turn(pod)

    def report_lost(self, pod: SimPod, lost: LostOutput) -> None:
        """A reduce says which map output it could not read."""
        pod.outside = True
        self.finish(
            pod,
            code=int(ExitCode.MAP_OUTPUT_LOST),
            outcome=TaskOutcome(reason="MapOutputLost", message=str(lost.task), lost=lost),
        )

    def succeed(self, pod: SimPod) -> None:
        """The process exits with 0."""
        if pod.alive:
            self.finish(pod, code=0)

    def exit_early(self, pod: SimPod) -> None:
        """The process exits with 0 and has committed nothing."""
        if pod.alive:
            pod.own = True
            self.finish(pod, code=0)

    def fail(self, pod: SimPod) -> None:
        """The attempt fails as drawn."""
        if not pod.alive or pod.fault is None:
            return
        code, reason, spoken = FAILS[pod.fault]
        pod.own = True
        outcome = TaskOutcome(reason=spoken, message="boom") if spoken and self.rng.random() < 0.8 else None
        self.finish(pod, code=None if code is None else int(code), reason=reason, outcome=outcome)

    def finish(self, pod: SimPod, *, code: int | None, reason: str = "", outcome: TaskOutcome | None = None) -> None:
        """The process is over, and the kubelet says so; of a pod that is being deleted nothing is left then."""
        if pod.deleting:
            self.at(1.0, pod, self.remove)
        pod.alive = False
        pod.phase = PodPhase.SUCCEEDED if code == 0 else PodPhase.FAILED
        pod.finished_at, pod.exit_code, pod.reason = self.now + pod.skew, code, reason
        pod.outcome = outcome
        self.touch(pod)

    def disrupt(self, pod: SimPod) -> None:
        """A drain or a preemption: told by a condition, then a graceful deletion, or none at all."""
        if not (pod.alive and pod.exists):
            return
        pod.disrupted = pod.outside = True
        if self.rng.random() < 0.5:
            self.begin_deletion(pod)
        else:
            self.finish(pod, code=143)

    def lose_node(self, pod: SimPod) -> None:
        """The node stops answering. Its pod is given up later; the process may well run on and commit."""
        if not (pod.alive and pod.exists):
            return
        pod.phase, pod.disrupted, pod.outside = PodPhase.UNKNOWN, True, True
        self.touch(pod)
        self.at(self.rng.randint(3, 30), pod, self.give_up)
        if self.rng.random() < 0.7:
            self.at(self.rng.randint(1, 90), pod, self.in_turn(pod, self.commit))

    def give_up(self, pod: SimPod) -> None:
        """The node controller deletes the pod; the object stays until its node is back, or somebody forces it."""
        if pod.is_finished:
            self.remove(pod)
        elif pod.exists:
            pod.deleting, pod.vanishes_at = True, self.now + GRACE_SECONDS
            self.touch(pod)
            self.await_node(pod)

    def await_node(self, pod: SimPod) -> None:
        """The node comes back after a while, or never."""
        if self.rng.random() < 0.5:
            self.at(self.rng.randint(5, 120), pod, self.remove)

    def kill(self, pod: SimPod) -> None:
        pod.alive = False
        pod.outside = True

    def delete_by_hand(self, pod: SimPod) -> None:
        if pod.exists and not pod.deleting:
            self.begin_deletion(pod)

    def delete(self, name: str, uid: str, *, force: bool) -> None:
        """Delete the pod if it is still that one; forced, its object goes whatever its process does."""
        pod = self.pods.get(name)
        if pod is None or pod.uid != uid:
            return
        if force:
            self.remove(pod)
        elif not pod.deleting:
            self.begin_deletion(pod)

    def begin_deletion(self, pod: SimPod) -> None:
        """Ask the pod to end: most do at once, some commit in their grace, some take long, lost ones do not hear it."""
        if pod.is_finished:
            self.remove(pod)
            return
        pod.deleting = pod.outside = True
        pod.vanishes_at = self.now + GRACE_SECONDS
        self.touch(pod)
        if pod.phase is PodPhase.UNKNOWN:
            self.await_node(pod)
        elif pod.phase is PodPhase.PENDING:
            self.at(1.0, pod, self.kill)
            self.at(1.0, pod, self.remove)
        elif self.chaos.strikes(K.SLOW_TO_TERMINATE, 0.15):
            grace = self.rng.randint(10, 90)
            pod.vanishes_at = self.now + grace
            self.at(self.rng.randint(1, grace), pod, self.in_turn(pod, self.commit))
            self.at(grace, pod, self.kill)
            self.at(grace, pod, self.remove)
        else:
            self.at(1.0, pod, self.terminate)
            self.at(2.0, pod, self.remove)

    def terminate(self, pod: SimPod) -> None:
        """The process obeys SIGTERM."""
        if pod.alive:
            self.finish(pod, code=int(ExitCode.TERMINATED))

    def remove(self, pod: SimPod) -> None:
        """The pod's object is gone. That of one that had ended changes no decision, so nobody wakes for it."""
        if pod.exists:
            self.changed = self.changed or not pod.is_finished
            pod.exists = False
            pod.outside = True
            if self.pods.get(pod.name) is pod:
                del self.pods[pod.name]


def find_lost(run: RunPrefix, pod: SimPod) -> LostOutput | None:
    """Return the first map output of the reduce's manifest that is not there."""
    manifest = next((one for one in run.manifests if one.generation == pod.shuffle_generation), None)
    if manifest is None:
        return LostOutput(task=TaskRef(type=TaskType.MAP, index=0), generation=0)
    for index, blob in enumerate(manifest.blobs):
        if blob not in run.blobs:
            task = TaskRef(type=TaskType.MAP, index=index)
            return LostOutput(task=task, generation=manifest.map_generations[index])
    return None
