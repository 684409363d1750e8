"""What must hold in every world, whatever goes wrong: the invariants, and who watches over them.

Rule: judged by the models of store and cluster, as they truly are, not by what the operator believes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from podreduce.contract.task import FailureRecord, TaskRef, TaskType
from podreduce_operator.digests.pinned_digests import digest_pinned
from podreduce_operator.model.actions import (
    CreatePod,
    DiscardRun,
    KeepAttempts,
    RecordFailure,
    RemoveIntermediates,
    RemoveRun,
)
from podreduce_operator.model.decisions import Decision, Phase
from podreduce_operator.model.observed import Observed, PinnedDigests, PlanSummary
from podreduce_operator.model.pods import Gang, Stage
from podreduce_operator.policy.attempt_record import kept_stage
from podreduce_operator.policy.run_state import may_be_replaced
from podreduce_operator.policy.stuck_pods import GATED
from tests.simulation.object_store import ObjectStore, RunPrefix
from tests.simulation.pods import Cluster, SimPod

__all__ = [
    "COMPLETES_WITHOUT_FAULTS",
    "DOES_NOT_RAISE",
    "POSSIBLE",
    "PROGRESS",
    "Judge",
    "ViolationError",
    "find_terminal",
]

REDUCES_WAIT = "no reduce starts before the last map's commit of the generations its manifest names"
BACKOFF_HELD = "no attempt starts before its time"
ATTEMPTS_BOUNDED = "a task has at most backoffLimitPerTask + 1 counted attempts"
PARALLELISM_HELD = "no more active pods than parallelism, when one is created"
ONE_AT_A_TIME = "no attempt starts beside another one of its task that may yet commit, but for one twin of a slow one"
TWINS_BOUNDED = "twins are at most a tenth of the running pods, or one"
COMMITS_SEEN = "the commit of an attempt that was seen to have ended is seen, and where all is listed, every commit"
PACKED_IF_FRESH = "a pod takes several tasks only of one generation, of which none has failed, and never as a twin"
WHOLE_IF_SMALL = "a pod takes a whole job only if it is small, and before anything of it is committed or has failed"
PACKED_FOR_WANT_OF_ROOM = "a pod takes several tasks only if no more pods may run"
FAILED_ONCE = "a pod fails at one of its tasks, and costs the others nothing"
FAILED_WHERE_IT_WAS = "an attempt fails at the task that its pod was at"
NEEDED = "attempts are only made of tasks that are not committed, in their current generation"
ORDINAL_RISES = "an attempt's ordinal is one above the highest of its task"
OLD_RUN_STOPS_FIRST = "no attempt starts while pods of another run are active"
SUSPENDED_IS_IDLE = "a suspended job starts nothing"
POINTLESS_PODS_GO = "a pod whose task needs it no more is deleted"
FATAL_ENDS = "after a failure that repeating cannot mend nothing starts"
DEADLINE_ENDS = "a run past its deadline that has not begun to publish fails, whatever its store does"
SUSPENDED_STOPS = "a suspended run that has not begun to publish stops its pods, whatever its store does"
TOLD_FIRST = "the status says that a run publishes before its intent is written"
ENDED_IS_IDLE = "an ended run starts nothing"
FAILURES_DURABLE = "a failed pod goes only after its failure is recorded"
GANG_FROM_NOTHING = "a new gang is formed only where no pod of the run has work left"
GANG_IF_SEVERAL = "where the job wants it, pods that start from nothing are a gang"
GANG_SETTLES = "a job of gangs starts nothing while its pods are being taken, one after another"
GANG_WHERE_WANTED = "pods are admitted as a gang only if the job says so, and no more of them than its size"
BROKEN_GANGS_ONLY = "a gang that waits is dissolved only if it is not whole"
HEALTHY_STAYS = "a pod that may yet commit what is needed is not deleted"
FORCED_IF_LOST = "a pod is let go of only if it does not end within its grace and a while"
MEMORY_RAISED = "an attempt has more memory once one of its task ran out of it, and only then"
GIVEN_UP_IF_RAISED = "memory is said to be missing only of a pod that asks for more than usual and has no node"
COUNTED_IF_DESERVED = "a failure counts if it is the attempt's own, and only then"
KEPT_FIRST = "what is known of an attempt is kept before its pod is deleted"
KEPT_ONCE = "what was kept of an attempt is not kept again"
KEPT_WITH_ITS_RUN = "an attempt is kept with its own run"
KEPT_IN_TIME = "attempts are kept only as long as there is a story to tell"
STORY_AFTER_THE_END = "a run's story is written once its verdict is told and nothing of it runs"
STORY_ONCE = "a run's story is written once"
STORY_IS_WHOLE = "a run's story tells of every attempt that was seen, committed or recorded"
STORY_IS_TOLD = "a planned run that has ended has its story, and its status says where"
FINISH_IS_THE_PODS = "a failure is dated by its pod's own finish"
DATA_STAYS = "a run's data is removed only once its pods have ended, its records only after the ttl"
COMMITTED_IS_NO_FAILURE = "an attempt that committed is not recorded as failed"
TERMINAL_IS_FINAL = "a terminal verdict never changes, unless there was no plan and the spec was edited"
VERDICT_WAITS = "a run that has not begun has no verdict"
FAILURE_JUSTIFIED = "a run fails only on evidence"
INTENT_ROLLS_FORWARD = "a run past its commit intent completes"
NEWEST_SPEC = "the output of a job that runs on every change is that of its newest spec"
COMPLETE_IS_PUBLISHED = "a complete run's output is published"
ENDS_PUBLISHED = "a complete run's output has its mark, whoever published it, and how often"
PUBLISHED_COMMITTED = "an output consists of the committed attempt of each task"
DISCARDED_IS_SILENT = "a discarded run publishes nothing"
ENDS_CLEAN = "an ended run leaves no running pod, no claim, no blob, no staged part"
PROGRESS = "a world whose faults stop comes to an end"
COMPLETES_WITHOUT_FAULTS = "a world without faults ends Complete"
POSSIBLE = "what is decided can be done"
DOES_NOT_RAISE = "decide answers"

OUTAGE = "StorageUnavailable"
DENIAL = "StorageDenied"
TAKEN = ("Disrupted", "PodDeleted")
FREE_FAILURES = (
    ({OUTAGE}, 5.0, 300.0),
    ({DENIAL}, 5.0, 300.0),
    ({"MapOutputLost", "UploadLost"}, 1.0, 60.0),
    ({"Disrupted", "PodDeleted", "OutOfMemory", "ShuffleNotFrozen"}, 1.0, 60.0),
)
"""Reasons of failures that need not count, with their first and longest delay."""

REFUSALS = frozenset({"ImageUnavailable", "InputError", "PlanMismatch", "PodConfigInvalid", "Unschedulable"})
"""Reasons of failures that no attempt mends. These and the numbers below are the judge's own: it may not learn them
from what it judges."""

KEPT_FAILED_PODS = 10
LINGER_SECONDS = 30.0
LOST_AFTER_SECONDS = 30.0
START_SLACK_SECONDS = 1.0
"""The status keeps whole seconds."""


class ViolationError(Exception):
    """An invariant does not hold."""

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant


def demand(holds: bool, invariant: str, *details: object) -> None:
    """Raise unless it holds; the details are put into words only then."""
    if not holds:
        raise ViolationError(invariant, " ".join(map(str, details)))


@dataclass(slots=True, kw_only=True)
class Judge:
    """Watches one world. `begin` tells it of each pass; `is_fresh` says that the pass saw pods and job as they are.

    Attributes:
        tasks: the tasks whose parts make the output.
        verdicts: the terminal condition of each run, as first written; `told` are the runs that a status has named.
        refused: reasons of permanent faults that truly struck.
        is_clock_right: the operator's, `clock_offset` by how much not; what times decide is not judged otherwise.
        haunted: replaced runs that a leader still worked for, who had not heard of it.
        publishing: the runs whose status has said that they publish.
        bereft: the runs that lost a part between their intent and its publication.
        seen: by run, the attempts that passes which went through have seen.
        pinned: by run of a job that runs on every change, the digest of the spec that it was planned with.
    """

    store: ObjectStore
    cluster: Cluster
    tasks: Sequence[TaskRef] = ()
    observed: Observed | None = None
    decision: Decision | None = None
    is_fresh: bool = True
    is_contested: bool = False
    sees_all: bool = True
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    is_clock_right: bool = True
    clock_offset: float = 0.0
    haunted: set[str] = field(default_factory=set)
    bereft: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    publishing: set[str] = field(default_factory=set)
    started: dict[str, float] = field(default_factory=dict)
    has_packed: bool = False
    seen: dict[str, set[str]] = field(default_factory=dict)
    pinned: dict[str, str] = field(default_factory=dict)
    checked: int = 0

    def begin(self, observed: Observed, decision: Decision, *, is_fresh: bool, is_contested: bool = False) -> None:
        """A pass has decided and is about to act; contested, another one has acted since it looked."""
        # Asked of the decision: the status would not show such a verdict, for it still tells of the run that goes.
        begun = observed.superseded is None or not decision.verdict.is_terminal
        demand(begun, VERDICT_WAITS, "run", observed.run_id, ":", decision.verdict.reason)
        self.observed, self.decision = observed, decision
        self.is_fresh, self.is_contested = is_fresh, is_contested
        self.has_packed = False
        if is_fresh and not is_contested:
            self.judge_overrun(observed, decision)

    def judge_overrun(self, observed: Observed, decision: Decision) -> None:
        """A run that could go on has time left."""
        started, limit = self.started.get(observed.run_id), observed.job.spec.active_deadline_seconds
        if started is None or limit is None or not self.is_clock_right or observed.job.spec.suspend:
            return
        if observed.superseded is not None or observed.run.terminal or observed.run_id in self.publishing:
            return
        if observed.run.started_at is None:  # it starts over
            return
        in_time = self.cluster.now < started + limit + START_SLACK_SECONDS
        demand(in_time or decision.verdict.is_terminal, DEADLINE_ENDS, observed.run_id, decision)

    def plan(self, observed: Observed, plan: PlanSummary) -> PlanSummary:
        """A run is planned: its plan pins the spec as the operator sees it."""
        if observed.job.spec.run_policy == "OnRunId":
            return plan
        self.pinned[observed.run_id] = digest = digest_pinned(observed.job.raw_spec)
        return replace(plan, pinned=PinnedDigests(spec=digest, program=None))

    def intend(self, run_id: str) -> None:
        """A run's intent is about to be written."""
        demand(run_id in self.publishing, TOLD_FIRST, "run", run_id)

    def sight(self, observed: Observed, *, whole: bool) -> None:
        """A pass has looked; `whole`: it has listed all records, so that it knows what there is."""
        self.sees_all = whole
        if observed.is_store_unreadable or observed.plan is None:
            return
        run = self.store.run(observed.run_id)
        if whole:
            demand(observed.commits == run.commits and observed.failures == run.failures, COMMITS_SEEN)
        failed = {failure.attempt_id for failures in observed.failures.values() for failure in failures}
        for pod in observed.run_pods:
            if pod.is_active or not failed.isdisjoint(pod.attempt_ids):
                continue
            for task in pod.all_tasks:
                left, known = run.all_commits.get((task, pod.generation)), observed.commits.get(task)
                missed = left is not None and (known is None or known.generation < pod.generation)
                demand(not missed, COMMITS_SEEN, pod.name, task)

    def create(self, observed: Observed, action: CreatePod) -> None:
        """A pod is about to be created."""
        task, run = action.task, self.store.run(observed.run_id)
        demand(not observed.job.spec.suspend, SUSPENDED_IS_IDLE, task)
        self.judge_packing(observed, action, run)
        for each in (task, *action.more_tasks):
            self.judge_task(observed, each, action, run)
            if not self.is_contested:
                self.judge_time(observed, each, run)
        if self.is_fresh:
            demand(observed.run_id not in self.verdicts, ENDED_IS_IDLE, task)
            self.judge_neighbours(observed, action, run)
            self.judge_gang(observed, action, run)

    def judge_packing(self, observed: Observed, action: CreatePod, run: RunPrefix) -> None:
        """The tasks of a pod that takes several are alike."""
        if not action.more_tasks:
            return
        tasks = (action.task, *action.more_tasks)
        failed = [task for task in tasks if observed.failures.get(task)]
        demand(not failed and action.slow_node is None, PACKED_IF_FRESH, action, failed)
        demand(len(set(tasks)) == len(tasks), PACKED_IF_FRESH, action, tasks)
        plan = observed.plan
        assert plan is not None
        if action.awaits_shuffle or (plan.is_small and plan.partitions == 0 and len(tasks) == plan.shards):
            wanted = plan.shards + (1 if plan.partitions is None else plan.partitions)
            fits = plan.is_small and len(tasks) == wanted and not run.failures
            demand(fits and not (self.is_fresh and run.all_commits), WHOLE_IF_SMALL, action, wanted)
            return
        self.has_packed = True
        most = None if plan.tasks_per_pod == "Auto" else plan.tasks_per_pod
        demand(most is None or len(tasks) <= most, PACKED_IF_FRESH, action, "of", most)

    def judge_task(self, observed: Observed, task: TaskRef, action: CreatePod, run: RunPrefix) -> None:
        """The task needs this attempt."""
        wanted = wanted_generation(observed.failures, task)
        known = observed.commits.get(task)
        demand(action.generation == wanted, NEEDED, action, "of generation", action.generation, ", wanted", wanted)
        demand(known is None or known.generation < wanted, NEEDED, action, ": committed")
        fatal = [failure for failures in observed.failures.values() for failure in failures]
        demand(not any(failure.ends_job for failure in fatal), FATAL_ENDS, action)
        reasons = {failure.reason for failure in observed.failures.get(task, ())}
        raised = "OutOfMemory" in reasons and observed.job.spec.backoff_limit_per_task > 0
        raised = raised and "MemoryUnavailable" not in reasons
        demand(action.memory_factor == (1.5 if raised else 1.0), MEMORY_RAISED, action)
        if task.type is TaskType.MAP or action.awaits_shuffle:
            return
        manifest = next((one for one in run.manifests if one.generation == action.shuffle_generation), None)
        demand(manifest is not None, REDUCES_WAIT, action, ": no manifest", action.shuffle_generation)
        assert observed.plan is not None
        for index in range(observed.plan.shards):
            source = TaskRef(type=TaskType.MAP, index=index)
            generation = wanted_generation(observed.failures, source)
            demand((source, generation) in run.all_commits, REDUCES_WAIT, action, ":", source, "is not committed")
            named = manifest is not None and manifest.map_generations[index] == generation
            demand(named, REDUCES_WAIT, action, ": the manifest is too old for", source)

    def judge_time(self, observed: Observed, task: TaskRef, run: RunPrefix) -> None:
        """The attempt may start now."""
        spec = observed.job.spec
        failures = (run.failures if self.sees_all else observed.failures).get(task, ())
        counted = [failure.finished_at for failure in failures if failure.counted]
        demand(len(counted) <= spec.backoff_limit_per_task, ATTEMPTS_BOUNDED, task, ":", len(counted), "have failed")
        now, backoff = self.cluster.now, spec.backoff
        delays = [(counted, backoff.initial_seconds, backoff.factor, backoff.max_seconds)]
        for reasons, first, most in FREE_FAILURES:
            finished = [each.finished_at for each in failures if not each.counted and each.reason in reasons]
            delays.append((finished, first, 2.0, most))
        for finished, first, factor, most in delays:
            if finished:
                delay = min(first * factor ** (len(finished) - 1), most)
                late = now >= max(finished) + delay or not self.is_clock_right
                demand(late, BACKOFF_HELD, task, "at", now, ",", delay, "s after", max(finished))

    def judge_neighbours(self, observed: Observed, action: CreatePod, run: RunPrefix) -> None:
        """The attempt has room, and no rival."""
        known_failures = run.failures if self.sees_all else observed.failures
        tasks = {action.task, *action.more_tasks}
        ordinals = [failure.ordinal for task in tasks for failure in known_failures.get(task, ())]
        # Those that go in this very pass, and give their last tasks back, are told apart from their successors as well.
        ordinals += [pod.ordinal for pod in observed.run_pods if not tasks.isdisjoint(pod.all_tasks)]
        active, twins, rivals, seen = 0, 0, 0, set[TaskRef]()
        for pod in self.cluster.pods.values():
            if pod.run_id != observed.run_id:
                demand(
                    pod.run_id not in self.told or not pod.is_active,
                    OLD_RUN_STOPS_FIRST,
                    f"{action} beside {pod.name} of run {pod.run_id}",
                )
                continue
            active += pod.is_active
            twins += pod.is_active and pod.task in seen
            seen.update([pod.task] if pod.is_active else [])
            if not tasks.isdisjoint(pod.tasks):
                ordinals.append(pod.ordinal)
                is_rival = pod.is_active and pod.generation == action.generation
                rivals += is_rival and not tasks.isdisjoint(pod.tasks_ahead)
        demand(rivals == (0 if action.slow_node is None else 1), ONE_AT_A_TIME, action, "beside", rivals)
        wanted_twin = action.slow_node is None or observed.job.spec.speculation != "Never"
        demand(wanted_twin, TWINS_BOUNDED, action, "where none is wanted")
        if action.slow_node is not None and observed.job.spec.speculation == "Auto":
            demand(twins + 1 <= max(1, active * 0.1), TWINS_BOUNDED, action, "beside", twins, "of", active)
        demand(action.ordinal == 1 + max(ordinals, default=0), ORDINAL_RISES, action, "after", ordinals)
        limit = most_pods(observed)
        demand(active < limit, PARALLELISM_HELD, action, "beside", active, "of", limit)

    def judge_gang(self, observed: Observed, action: CreatePod, run: RunPrefix) -> None:
        """The pod joins a gang that lacks it, or one that starts from nothing."""
        if observed.job.spec.admission == "PerPod":
            demand(action.gang is None, GANG_WHERE_WANTED, action)
            return
        last = max((each.finished_at for each in self.known_failures(observed) if each.reason in TAKEN), default=0.0)
        settled = self.cluster.now >= last + 5.0 or not self.is_clock_right
        demand(settled, GANG_SETTLES, action, "at", self.cluster.now, "after", last)
        active = [pod for pod in self.cluster.pods.values() if pod.run_id == observed.run_id and pod.is_active]
        if action.gang is None:
            has_company = any(not observed.commits.keys() >= set(pod.tasks) for pod in active)
            several = self.decision is not None and sum(isinstance(one, CreatePod) for one in self.decision.actions) > 1
            demand(has_company or not several, GANG_IF_SEVERAL, action)
            return
        members = self.cluster.members(action.gang)
        demand(len(members) < action.gang.size, GANG_WHERE_WANTED, action, "beside", len(members))
        working = [pod.name for pod in active if any(has_work(pod, task, run) for task in pod.tasks_ahead)]
        demand(bool(members) or not working, GANG_FROM_NOTHING, action, "beside", working)

    def known_failures(self, observed: Observed) -> list[FailureRecord]:
        """Return the failures that the pass saw recorded, and those that it has recorded itself."""
        actions = () if self.decision is None else self.decision.actions
        own = [action.record for action in actions if isinstance(action, RecordFailure)]
        return [*own, *(failure for failures in observed.failures.values() for failure in failures)]

    def delete(self, observed: Observed, pod: SimPod, *, force: bool) -> None:
        """A pod is about to be deleted."""
        if force:
            late = pod.vanishes_at is not None and self.cluster.now >= pod.vanishes_at + LOST_AFTER_SECONDS
            demand(late or not self.is_clock_right, FORCED_IF_LOST, pod.name)
        is_told = self.is_to_be_told(observed) and not self.store.run(pod.run_id).was_discarded
        if pod.run_id == observed.run_id and is_told:
            attempts = self.store.run(pod.run_id).attempts
            known = [record for attempt_id in pod.attempt_ids for record in attempts.get(attempt_id, ())]
            demand(any(record.deleted_at is not None for record in known), KEPT_FIRST, pod.name)
        if force:
            return
        if pod.run_id != observed.run_id or observed.run.terminal or self.is_ending or observed.job.spec.suspend:
            return
        run = self.store.run(pod.run_id)
        recorded = not run.failure_ids.isdisjoint(pod.attempt_ids)
        commit = run.commits.get(pod.task)
        durable = recorded or (commit is not None and commit.generation >= pod.generation)
        if pod.is_finished:
            demand(durable, FAILURES_DURABLE, pod.name)
        elif not pod.deleting:
            stale = pod.generation < wanted_generation(run.failures, pod.task)
            if not (durable or stale) and pod.gang is not None and pod.reason == GATED:
                demand(not self.is_fresh or self.is_broken(observed, pod.gang, run), BROKEN_GANGS_ONLY, pod.name)
                return
            demand(durable or stale, HEALTHY_STAYS, pod.name)

    def is_broken(self, observed: Observed, gang: Gang, run: RunPrefix) -> bool:
        """Tell whether a gang could not be whole: it wants more pods than may run, or than there are tasks left for.

        By what the pass saw: two gangs that each lack the other's room are both broken, in whatever order they go.
        """
        if observed.job.spec.admission == "PerPod" or most_pods(observed) < gang.size:
            return True
        active = [pod for pod in observed.run_pods if pod.is_active]
        members = [pod for pod in active if pod.gang == gang]
        taken = {task for pod in active for task in pod.tasks or (pod.task,)}
        assert observed.plan is not None
        kind = members[0].task.type
        count = observed.plan.shards if kind is TaskType.MAP else len(self.tasks)
        left = {TaskRef(type=kind, index=index) for index in range(count)} - taken - run.commits.keys()
        return len(members) + min(len(left), most_pods(observed) - len(active)) < gang.size

    @property
    def is_ending(self) -> bool:
        """Whether the pass has just failed the run."""
        return self.decision is not None and self.decision.verdict.is_terminal

    def is_to_be_told(self, observed: Observed) -> bool:
        """Tell whether the run's story is still to be written, and the store was seen to take it."""
        if observed.faults or observed.is_store_unreadable or observed.plan is None:
            return False
        return observed.run.terminal is None or self.is_due(observed, observed.run.terminal)

    def is_due(self, observed: Observed, terminal: str) -> bool:
        """Tell whether an ended run wants its story now."""
        now, ttl = self.cluster.now + self.clock_offset, observed.job.spec.ttl_seconds_after_finished
        in_time = now < (observed.run.completed_at or now) + ttl
        return terminal in observed.limits.post_mortem_of and observed.post_mortem is None and in_time

    def keep(self, observed: Observed, action: KeepAttempts, known: Mapping[str, Stage]) -> None:
        """Attempts are about to be kept."""
        demand(self.is_to_be_told(observed), KEPT_IN_TIME, action)
        for record in action.attempts:
            pod = self.cluster.attempts[record.attempt_id]
            demand(pod.run_id == observed.run_id, KEPT_WITH_ITS_RUN, pod.name, "of run", pod.run_id)
            demand(known.get(record.attempt_id, 0) < kept_stage(record), KEPT_ONCE, record.attempt_id)

    def tell(self, observed: Observed, told: frozenset[str]) -> None:
        """A run's story is about to be written."""
        run_id = observed.run_id
        demand(run_id in self.verdicts, STORY_AFTER_THE_END, "run", run_id, "has not ended")
        # A second leader may have told it meanwhile; twice is harmless.
        demand(not self.is_fresh or self.store.run(run_id).post_mortem is None, STORY_ONCE, "run", run_id)
        demand(self.is_to_be_told(observed), KEPT_IN_TIME, "run", run_id)
        if self.is_fresh:
            running = [pod.name for pod in self.cluster.pods.values() if pod.run_id == run_id and not pod.is_finished]
            demand(not running, STORY_AFTER_THE_END, running)
        missing = (self.seen.get(run_id, set()) | self.store.run(run_id).known_attempts()) - told
        demand(not missing, STORY_IS_WHOLE, "run", run_id, "without", missing)

    def record(self, observed: Observed, record: FailureRecord) -> None:
        """A failure is about to be recorded."""
        pod = self.cluster.attempts[record.attempt_id]
        is_there = (record.task, record.attempt_id) == (pod.task, pod.attempt_id)
        demand(is_there, FAILED_WHERE_IT_WAS, record.task, record.attempt_id, "at", pod.task, pod.attempt_id)
        had_more = pod.memory_factor > 1.0 and pod.scheduled_at is None
        demand(record.reason != "MemoryUnavailable" or had_more, GIVEN_UP_IF_RAISED, record.attempt_id)
        others = set(pod.attempt_ids) - {record.attempt_id}
        demand(others.isdisjoint(self.store.run(observed.run_id).failure_ids), FAILED_ONCE, record.attempt_id)
        if not self.store.run(observed.run_id).was_discarded:
            free = is_free(record, observed)
            deserved = pod.own and not free if record.counted else pod.outside or free
            demand(
                deserved or not self.is_clock_right,
                COUNTED_IF_DESERVED,
                record.attempt_id,
                record.reason,
                "counted=",
                record.counted,
            )
        commit = self.store.run(observed.run_id).all_commits.get((record.task, record.generation))
        committed = commit is not None and commit.attempt_id == record.attempt_id
        demand(not committed, COMMITTED_IS_NO_FAILURE, record.task, record.reason)
        if pod.finished_at is not None and self.is_fresh:
            demand(record.finished_at == pod.finished_at, FINISH_IS_THE_PODS, record.attempt_id)

    def remove(self, observed: Observed, action: RemoveIntermediates | DiscardRun | RemoveRun) -> None:
        """A run's data is about to be removed."""
        run_id = action.run_id if isinstance(action, DiscardRun) else observed.run_id
        if isinstance(action, RemoveRun):
            expires_at = (observed.run.completed_at or 0.0) + observed.job.spec.ttl_seconds_after_finished
            expired = self.cluster.now >= expires_at or not self.is_clock_right
            demand(expired, DATA_STAYS, "removed at", self.cluster.now, ", due", expires_at)
        if self.is_fresh:
            unfinished = [
                pod.name for pod in self.cluster.pods.values() if pod.run_id == run_id and not pod.is_finished
            ]
            demand(not unfinished, DATA_STAYS, action, "beside", unfinished)

    def finish(self, observed: Observed) -> None:
        """A pass has gone through, with all its actions."""
        if self.is_to_be_told(observed):
            self.seen.setdefault(observed.run_id, set()).update(pod.attempt_id for pod in observed.run_pods)
        if self.is_fresh and observed.is_store_unreadable:
            self.judge_blind_suspension(observed)
        elif self.is_fresh:
            self.judge_pods_left(observed)

    def judge_pods_left(self, observed: Observed) -> None:
        """No pod runs on that should have gone in this pass, which saw the store."""
        active = [pod for pod in self.cluster.pods.values() if pod.is_active]
        if observed.run.terminal is not None:
            demand(not active, ENDED_IS_IDLE, len(active), "pods run on")
        elif self.is_ending:
            return
        elif observed.superseded is not None:
            others = [pod.name for pod in active if pod.run_id != observed.run_id]
            if not may_be_replaced(observed.job, observed.run_id):
                return  # the status names the new run first
            demand(not others, OLD_RUN_STOPS_FIRST, others)
        elif observed.has_intent:
            published = observed.run_id in self.store.output.published
            demand(published, INTENT_ROLLS_FORWARD, "run", observed.run_id, "stands still")
        elif observed.job.spec.suspend:
            demand(not active, SUSPENDED_IS_IDLE, len(active), "pods run on")
        else:
            for pod in active:
                demand(not self.is_pointless(observed, pod), POINTLESS_PODS_GO, pod.name)
            if self.has_packed and not self.is_contested:
                limit = most_pods(observed)
                demand(len(active) >= limit, PACKED_FOR_WANT_OF_ROOM, len(active), "of", limit)

    def judge_blind_suspension(self, observed: Observed) -> None:
        """A suspended run has no pods, also if nobody knows what is in its store."""
        if observed.superseded is not None or observed.run_id in self.publishing or not observed.job.spec.suspend:
            return
        active = [pod for pod in self.cluster.pods.values() if pod.is_active]
        demand(not active, SUSPENDED_STOPS, len(active), "pods run on")

    def is_pointless(self, observed: Observed, pod: SimPod) -> bool:
        """Tell whether the pod should have gone in this pass."""
        if pod.run_id != observed.run_id or pod.generation < wanted_generation(observed.failures, pod.task):
            return True
        commit = observed.commits.get(pod.task)
        if commit is None or commit.generation < pod.generation:
            return False
        late = self.is_clock_right and self.cluster.now >= commit.finished_at + LINGER_SECONDS
        return late or commit.attempt_id != pod.attempt_id

    def write_status(self, before: Mapping[str, Any], after: Mapping[str, Any], spec_run_id: str) -> None:
        """The status is about to be replaced."""
        run_id, ended = after.get("runId", ""), find_terminal(after)
        old_id = before.get("runId")
        if old_id is not None and old_id != run_id and old_id not in self.verdicts:
            demand(self.store.run(old_id).intent is None, INTENT_ROLLS_FORWARD, "run", old_id, "is left for", run_id)
        known = self.verdicts.get(run_id)
        if starts_over(before, after):
            known = None
            self.verdicts.pop(run_id, None)
            self.started.pop(run_id, None)
        final = known is not None and run_id == spec_run_id
        demand(not final or known == ended, TERMINAL_IS_FINAL, "run", run_id, ":", known, "became", ended)
        self.told.add(run_id)
        if any(each["type"] == "Publishing" and each["status"] == "True" for each in after.get("conditions", ())):
            self.publishing.add(run_id)
        self.note_start(run_id, after)
        if ended is None or known is not None:
            return
        if ended[0] == "Failed":
            stands = self.store.run(run_id).intent is None or run_id in self.bereft
            demand(stands, INTENT_ROLLS_FORWARD, "run", run_id, "failed:", ended[1])
            demand(self.is_justified(run_id, ended[1]), FAILURE_JUSTIFIED, "run", run_id, ":", ended[1])
        else:
            demand(run_id in self.store.output.published, COMPLETE_IS_PUBLISHED, run_id)
        self.verdicts[run_id] = ended

    def note_start(self, run_id: str, status: Mapping[str, Any]) -> None:
        """Remember since when the run's deadline counts: its first status, or the first after a suspension."""
        if "startTime" not in status:
            self.started.pop(run_id, None)
        else:
            self.started.setdefault(run_id, self.cluster.now)

    def is_justified(self, run_id: str, reason: str) -> bool:
        """Tell whether there is evidence for the verdict."""
        assert self.observed is not None
        run, spec = self.store.run(run_id), self.observed.job.spec
        counts = [sum(failure.counted for failure in failures) for failures in run.failures.values()]
        match reason:
            case "BackoffLimitExceeded":
                return max(counts, default=0) > spec.backoff_limit_per_task
            case "TooManyDisruptions":
                return False  # no world has that many faults
            case "DeadlineExceeded":
                started, limit = self.started.get(run_id), spec.active_deadline_seconds
                late = started is not None and limit is not None and self.cluster.now >= started + limit - 1.0
                return (late or not self.is_clock_right) and not spec.suspend
            case "UploadLost":
                return run_id in self.bereft
            case "OutputExists":
                return self.store.output.holds_output
        recorded = any(failure.reason == reason for failures in run.failures.values() for failure in failures)
        refused = reason in self.refused and (reason != DENIAL or run.plan is None)  # no task is refused that often
        return refused or (reason in REFUSALS and recorded)

    def look(self) -> None:
        """Check what lies in the store, after each step of the world."""
        published = self.store.output.published
        if len(published) == self.checked:
            return
        self.checked = len(published)
        run_id = published[-1]
        run = self.store.run(run_id)
        if run.was_discarded and run_id in self.haunted:
            return  # as if the new runId had come a moment later
        demand(not run.was_discarded, DISCARDED_IS_SILENT, run_id)
        verdict = self.verdicts.get(run_id)
        fits = verdict is None or verdict[0] == Phase.COMPLETE
        demand(fits, TERMINAL_IS_FINAL, "run", run_id, "published after its end")
        for task in self.tasks:
            part, commit = self.store.output.parts.get(task), run.commits.get(task)
            committed = part is not None and commit is not None and part == (run_id, commit.attempt_id)
            demand(committed, PUBLISHED_COMMITTED, task, ":", part)

    def end(self, run_now: str, status: Mapping[str, Any], *, expired: bool, newest: str | None) -> None:
        """The world has come to rest; `newest` is the digest of the spec as it is, if every change is to be run."""
        demand(newest is None or self.pinned.get(run_now, newest) == newest, NEWEST_SPEC, "run", run_now)
        self.judge_story(run_now, status, expired=expired)
        output = self.store.output
        complete = self.verdicts.get(run_now, ("", ""))[0] == Phase.COMPLETE
        demand(not complete or output.is_published(run_now), ENDS_PUBLISHED, run_now)
        for pod in self.cluster.pods.values():
            demand(pod.is_finished and not expired, ENDS_CLEAN, pod.name, "is", pod.phase)
        demand(len(self.cluster.pods) <= KEPT_FAILED_PODS, ENDS_CLEAN, len(self.cluster.pods), "pods stay")
        # A run that was replaced before it had a plan may leave its claim, and so may one that a leader works for who
        # has not heard of the next; whoever plans next takes it over.
        ours = output.claim is not None and output.claim not in self.haunted
        bound = ours and (output.claim == run_now or self.store.run(output.claim or "").was_discarded)
        demand(not bound, ENDS_CLEAN, "run", output.claim, "still claims the output")
        for run_id, run in self.store.runs.items():
            removed = run.was_discarded or (run.was_removed and run_id != run_now)
            if removed or run_id not in self.told or run_id in self.haunted or not self.is_clock_right:
                continue  # what came later, by zombies or a clock's jump, and what nobody knows of, goes with the job
            demand(not output.staged.get(run_id), ENDS_CLEAN, "run", run_id, "left staged parts")
            demand(not run.blobs, ENDS_CLEAN, "run", run_id, "left blobs")
            kept = run.has_objects and (expired or run_id != run_now)
            demand(not kept, ENDS_CLEAN, "run", run_id, "left records")

    def judge_story(self, run_now: str, status: Mapping[str, Any], *, expired: bool) -> None:
        """The last run's story is where it is said to be, and gone where its records are."""
        assert self.observed is not None
        run, ended = self.store.run(run_now), self.verdicts.get(run_now, ("", ""))[0]
        wanted = ended in self.observed.limits.post_mortem_of and run.plan is not None and not expired
        demand((run.post_mortem is not None) == wanted, STORY_IS_TOLD, "run", run_now, ended)
        demand(("postMortem" in status) == wanted, STORY_IS_TOLD, "run", run_now, ": status", status.get("postMortem"))


def most_pods(observed: Observed) -> int:
    """Return how many pods of the job may be active."""
    wanted, most = observed.job.spec.parallelism, observed.limits.parallelism
    return most if wanted is None else min(wanted, most)


def is_free(record: FailureRecord, observed: Observed) -> bool:
    """Tell whether a failure of the attempt's own doing costs nothing: the store's, or the first lack of memory."""
    if observed.job.spec.backoff_limit_per_task == 0:
        return False
    earlier = observed.failures.get(record.task, ())
    first_time = all(failure.reason != record.reason for failure in earlier)
    return record.reason in (OUTAGE, DENIAL) or (record.reason == "OutOfMemory" and first_time)


def has_work(pod: SimPod, task: TaskRef, run: RunPrefix) -> bool:
    """Tell whether the pod may yet commit the task in its generation."""
    return (task, pod.generation) not in run.all_commits


def wanted_generation(records: Mapping[TaskRef, Sequence[FailureRecord]], task: TaskRef) -> int:
    """Return the generation that the task's output must have: one above the highest reported lost."""
    lost = (
        failure.lost.generation + 1
        for failures in records.values()
        for failure in failures
        if failure.lost is not None and failure.lost.task == task
    )
    return max(lost, default=0)


def starts_over(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Tell whether a run that failed without a plan goes on because its spec was changed."""
    had_plan = "planDigest" in before or before.get("runId") != after.get("runId")
    is_edited = after.get("observedGeneration", 0) > before.get("observedGeneration", 0)
    goes_on = find_terminal(after) is None
    return not had_plan and is_edited and goes_on and (find_terminal(before) or ("",))[0] == Phase.FAILED


def find_terminal(status: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the terminal condition and its reason."""
    for condition in status.get("conditions", ()):
        if condition["type"] in (Phase.COMPLETE, Phase.FAILED) and condition["status"] == "True":
            return condition["type"], condition["reason"]
    return None
