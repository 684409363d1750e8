"""A model of `apply`: each action as the same steps in the same order, with a point between any two to break at.

Rule: mirrors apply, planning and output of the operator, on the models of store and cluster.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from podreduce.contract.task import CommitRecord, TaskRef, TaskType
from podreduce_operator.loop.apply import Applied
from podreduce_operator.model.actions import (
    Action,
    CommitOutput,
    CreatePod,
    DeletePod,
    DiscardRun,
    FreezeShuffle,
    KeepAttempts,
    PlanRun,
    RecordFailure,
    RemoveIntermediates,
    RemoveRun,
    WritePostMortem,
)
from podreduce_operator.model.observed import Fault, Observed, PlanSummary
from podreduce_operator.model.pods import Stage
from podreduce_operator.pods.pod_names import pod_name
from podreduce_operator.policy.attempt_record import kept_stage
from podreduce_operator.policy.failure_recording import build_lost_part_record
from podreduce_operator.policy.stuck_pods import still_waits
from tests.simulation.chaos import FaultKind
from tests.simulation.judge import POSSIBLE, Judge, ViolationError
from tests.simulation.object_store import Manifest, ObjectStore
from tests.simulation.pods import Cluster, SimPod
from tests.simulation.sight import Sight

__all__ = ["ActionFailedError", "Actor", "OperatorDiedError"]


class OperatorDiedError(Exception):
    """The operator's process ends here."""


class ActionFailedError(Exception):
    """An action was not done, or its answer was lost."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.fault = Fault(reason=reason, message=f"{reason}: of the simulation's making", permanent=permanent)


@dataclass(slots=True, kw_only=True)
class Actor:
    """Carries out decisions on the models.

    Attributes:
        plan: what planning finds. `if_exists` is the output's, `chosen_partitions` what the packing will choose.
        point: called between any two steps with the action and whether it has begun; raises where the world breaks.
        judge: told of what is about to be created, deleted and recorded.
        kept: how far each attempt of each run had come when it was kept; an operator that dies takes it along.
        sights: what it knows of the records of each run; likewise.
    """

    rng: random.Random
    cluster: Cluster
    store: ObjectStore
    plan: PlanSummary
    chosen_partitions: int
    if_exists: str
    point: Callable[[Action, bool], None]
    judge: Judge
    kept: dict[str, dict[str, Stage]] = field(default_factory=dict)
    sights: dict[str, Sight] = field(default_factory=dict)
    created: int = 0
    doing: Action = field(default_factory=PlanRun)

    def apply(self, actions: Sequence[Action], observed: Observed, *, shuffled: bool) -> Applied:
        """Do `actions`; those of one kind run beside each other, so that any of them may be the first to break."""
        faults: tuple[Fault, ...] = ()
        is_cut_short = False
        for kind, group in groupby(actions, type):
            if faults and kind is not DeletePod:
                break
            if is_cut_short and kind is CreatePod:
                continue
            todo = list(group)
            if shuffled:
                self.rng.shuffle(todo)
            until = self.cut(kind, len(todo))
            is_cut_short |= until < len(todo)
            try:
                for action in todo[:until]:
                    self.act(action, observed)
            except ActionFailedError as error:
                faults = faults or (error.fault,)
                if kind is not CreatePod:
                    break
            except KeyError as missing:
                raise ViolationError(POSSIBLE, f"no commit of {missing}") from missing
        return Applied(faults=faults, is_cut_short=is_cut_short)

    def cut(self, kind: type[Action], count: int) -> int:
        """Return how many of these actions there is time for: fewer than all, if pods are slow to create or delete."""
        chaos = self.cluster.chaos
        is_slow = kind in (CreatePod, DeletePod) and count > 1 and chaos.strikes(FaultKind.CUT_SHORT, chaos.pass_rate)
        return self.rng.randrange(1, count) if is_slow else count

    def act(self, action: Action, observed: Observed) -> None:
        """Do one action."""
        self.doing = action
        self.point(action, False)  # noqa: FBT003 - it has not begun
        match action:
            case PlanRun():
                self.plan_run(observed)
            case CreatePod():
                self.create_pod(action, observed)
            case DeletePod():
                self.delete_pod(action, observed)
            case RecordFailure():
                self.record_failure(action, observed)
            case KeepAttempts():
                self.keep_attempts(action, observed)
            case FreezeShuffle():
                self.freeze(observed)
            case CommitOutput():
                self.commit_output(observed)
            case RemoveIntermediates() | WritePostMortem() | DiscardRun() | RemoveRun():
                self.take_down(action, observed)
        self.step()

    def take_down(
        self, action: RemoveIntermediates | WritePostMortem | DiscardRun | RemoveRun, observed: Observed
    ) -> None:
        """Do one of the actions that follow a run's end."""
        match action:
            case RemoveIntermediates():
                self.judge.remove(observed, action)
                self.remove_intermediates(observed.run_id)
            case WritePostMortem():
                self.write_post_mortem(action, observed)
            case DiscardRun(run_id=run_id):
                self.judge.remove(observed, action)
                self.remove_intermediates(run_id)
                self.step()
                self.store.run(run_id).clear()
                self.store.run(run_id).was_discarded = True
                self.sights.clear()
            case RemoveRun():
                self.judge.remove(observed, action)
                self.store.run(observed.run_id).clear()
                self.store.run(observed.run_id).was_removed = True
                self.sights.clear()

    def step(self) -> None:
        """Break here, within an action or after it, if the world says so."""
        self.point(self.doing, True)  # noqa: FBT003 - it has begun

    def plan_run(self, observed: Observed) -> None:
        """Claim the output, from another run of this job if need be; see whether it is free; write pages and plan."""
        output, run_id = self.store.output, observed.run_id
        output.claim = run_id
        self.step()
        if self.if_exists == "Fail" and output.holds_output:
            output.claim = None
            raise ActionFailedError("OutputExists", permanent=True)
        run = self.store.run(run_id)
        run.pages = True
        self.step()
        if run.plan is None:
            run.plan = self.judge.plan(observed, self.plan)

    def create_pod(self, action: CreatePod, observed: Observed) -> None:
        """Create the pod, unless one of its name is there: ours means done, one that is going means not now."""
        name = pod_name("job", observed.run_hash, action.task, action.ordinal)
        known = self.cluster.pods.get(name)
        if known is not None:
            if known.deleting:
                raise ActionFailedError("PodTerminating")
            return
        self.judge.create(observed, action)
        self.new_pod(action, observed, name)

    def new_pod(self, action: CreatePod, observed: Observed, name: str) -> None:
        """Build and create the pod."""
        self.created += 1
        fault = self.cluster.chaos.draw_pod_fault()
        pod = SimPod(
            name=name,
            uid=f"u{self.created}",
            run_id=observed.run_id,
            run_hash=observed.run_hash,
            tasks=(action.task, *action.more_tasks),
            ordinal=action.ordinal,
            generation=action.generation,
            shuffle_generation=action.shuffle_generation,
            created_at=self.cluster.now,
            skew=0.0,
            fault=fault,
            gang=action.gang,
            memory_factor=action.memory_factor,
        )
        self.cluster.create(pod)

    def record_failure(self, action: RecordFailure, observed: Observed) -> None:
        """Make a failure durable, unless its pod was to be given up before its start and has started."""
        record = action.record
        pod = self.cluster.pods.get(record.pod_name)
        if action.if_waiting and not still_waits(None if pod is None else pod.look(), record):
            return
        self.judge.record(observed, record)
        self.sight_of(observed.run_id).create_failure(self.store.run(observed.run_id), record)

    def delete_pod(self, action: DeletePod, observed: Observed) -> None:
        """Delete the pod if it is that one."""
        pod = self.cluster.pods.get(action.name)
        if pod is not None and pod.uid == action.uid:
            self.judge.delete(observed, pod, force=action.force)
            self.cluster.delete(action.name, action.uid, force=action.force)

    def keep_attempts(self, action: KeepAttempts, observed: Observed) -> None:
        """Keep what is known of the attempts, in one object, and remember that."""
        known = self.kept_of(observed.run_id)
        self.judge.keep(observed, action, known)
        for record in action.attempts:
            self.store.run(observed.run_id).keep(record)
        self.step()
        known.update({record.attempt_id: kept_stage(record) for record in action.attempts})

    def sight_of(self, run_id: str) -> Sight:
        """Return what this operator knows of the run's records."""
        return self.sights.setdefault(run_id, Sight())

    def forget(self) -> None:
        """Forget all: the next operator begins here."""
        self.kept, self.sights = {}, {}

    def kept_of(self, run_id: str) -> dict[str, Stage]:
        """Return how far this operator knows the run's attempts to be kept."""
        return self.kept.setdefault(run_id, {})

    def write_post_mortem(self, action: WritePostMortem, observed: Observed) -> None:
        """Write the table, then the story."""
        run = self.store.run(observed.run_id)
        told = frozenset(run.known_attempts() | {record.attempt_id for record in action.attempts})
        self.judge.tell(observed, told)
        run.has_table = True
        self.step()
        run.post_mortem = told

    def freeze(self, observed: Observed) -> None:
        """Write the next manifest from the commits as observed; whoever creates it first has frozen it."""
        previous = observed.shuffle
        commits = [observed.commits[TaskRef(type=TaskType.MAP, index=index)] for index in range(self.plan.shards)]
        generation = 0 if previous is None else previous.generation + 1
        partitions = (self.plan.partitions or self.chosen_partitions) if previous is None else previous.partitions
        manifests = self.store.run(observed.run_id).manifests
        if all(manifest.generation != generation for manifest in manifests):
            manifests.append(
                Manifest(
                    generation=generation,
                    partitions=partitions,
                    map_generations=tuple(commit.generation for commit in commits),
                    blobs=tuple(commit.attempt_id for commit in commits if commit.blob is not None),
                )
            )

    def commit_output(self, observed: Observed) -> None:
        """Pass the point of no return with the commits as observed; once that is seen, publish what the intent says."""
        run, output, run_id = self.store.run(observed.run_id), self.store.output, observed.run_id
        if run.intent is None:
            last = TaskType.MAP if observed.shuffle is None else TaskType.REDUCE
            commits = [commit for task, commit in observed.commits.items() if task.type is last]
            if self.record_lost_parts(observed, commits):
                return
            self.judge.intend(run_id)
            run.intent = {commit.task: commit.attempt_id for commit in commits if commit.part is not None}
            return
        if output.is_published(run_id):
            return
        if output.manifest == run_id:
            output.success = True
            output.published.append(run_id)
            return
        output.success = False
        self.step()
        staged = output.staged.get(run_id, set())
        for task, attempt_id in run.intent.items():
            if (task, attempt_id) not in staged and output.parts.get(task) != (run_id, attempt_id):
                raise ActionFailedError("UploadLost")
            output.parts[task] = (run_id, attempt_id)
        self.step()
        if self.if_exists == "Replace":
            output.parts = {task: part for task, part in output.parts.items() if task in run.intent}
        self.step()
        output.manifest = run_id
        self.step()
        output.success = True
        output.published.append(run_id)
        self.step()
        output.staged.pop(run_id, None)

    def record_lost_parts(self, observed: Observed, commits: Sequence[CommitRecord]) -> bool:
        """Record each committed part that the store has dropped; tell whether there is one."""
        staged = self.store.output.staged.get(observed.run_id, set())
        lost = [commit for commit in commits if (commit.task, commit.attempt_id) not in staged]
        for commit in lost:
            record = build_lost_part_record(commit)
            self.sight_of(observed.run_id).create_failure(self.store.run(observed.run_id), record, suffix="-lost")
            self.step()
        return bool(lost)

    def remove_intermediates(self, run_id: str) -> None:
        """Remove blobs and staged parts, then the claim."""
        self.store.run(run_id).blobs.clear()
        self.step()
        self.store.output.staged.pop(run_id, None)
        self.step()
        if self.store.output.claim == run_id:
            self.store.output.claim = None
