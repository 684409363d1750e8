"""Carries out actions, each by one `match` case, and each idempotent.

Rule: an action that is already done does nothing. The first fault ends the pass, and `decide` sees it. A pass creates
or deletes pods only for a short time; the next pass decides again about the rest. Jobs take turns at this and at
planning. Otherwise, if a thousand jobs want ten pods each, most of the ten thousand requests would wait and take
memory.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from weakref import WeakValueDictionary

import msgspec

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.environment import TaskEnvironment
from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import log_key
from podreduce.contract.task import ShuffleManifest, TaskType
from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.cluster.interface import Cluster
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.history.write_post_mortem import LOG_TAIL_LINES, keep_attempts, write_post_mortem
from podreduce_operator.loop.observe import as_fault
from podreduce_operator.loop.telemetry import Telemetry
from podreduce_operator.model.actions import (
    Action,
    CommitOutput,
    CreatePod,
    DeleteJob,
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
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.observed import Fault
from podreduce_operator.model.pods import PodRequest
from podreduce_operator.planning.plan_run import plan_run
from podreduce_operator.pods.pod_names import hash_run, pod_name
from podreduce_operator.policy.single_pod_jobs import SHUFFLE_WAIT_SECONDS
from podreduce_operator.policy.stuck_pods import still_waits
from podreduce_operator.runs.commit_output import commit_output
from podreduce_operator.runs.freeze_shuffle import freeze_shuffle
from podreduce_operator.runs.remove_run import discard_run, remove_intermediates
from podreduce_operator.runs.run import Run, RunCache

__all__ = ["Applied", "Applier", "FaultPoint"]

CONCURRENT_CALLS = 16
CONCURRENT_PODS = 48
"""How many pods one job creates or deletes at a time. A busy API server shares its time by the number of requests."""

CONCURRENT_JOBS = 32
"""How many jobs create or delete pods at a time, and how many jobs of one namespace are planned at a time."""

SAVE_LOG_SECONDS = 2.0
"""How long a deletion waits for a log. A node that does not answer gives none."""
TOO_LARGE = frozenset({"LimitRangeExceeded", "QuotaExceeded", "PodRejected"})
"""Refusals of a pod that may only be refused for its raised memory. Some policies refuse it with words of their own."""

PODS_SECONDS = 2.0
"""How long a pass may create or delete pods.

If an attempt ends while thousands of pods are being created, its retry should not wait for the last of them.
"""

FaultPoint = Callable[[str, Action], None]
"""Called with `before` and `after` around each action. Tests crash the operator there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The result of a decision: the faults that ended the pass, and whether time ran out before some actions."""

    faults: tuple[Fault, ...] = ()
    is_cut_short: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Applier:
    """Carries out decisions on a cluster and its stores.

    Attributes:
        pods_seconds: see `PODS_SECONDS`.
        telemetry: told what happens.
        turns: held by a job that creates or deletes pods.
        planning: held, by namespace, by a job that is planned. So a store that does not answer does not delay the
            jobs of other namespaces. A namespace has none while no job of it is planned.
    """

    cluster: Cluster
    cache: RunCache
    fault_point: FaultPoint | None = None
    pods_seconds: float = PODS_SECONDS
    telemetry: Telemetry = field(default_factory=Telemetry)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONCURRENT_JOBS))
    planning: WeakValueDictionary[str, asyncio.Semaphore] = field(default_factory=WeakValueDictionary)

    async def apply(self, actions: Sequence[Action], run: Run) -> Applied:
        """Carry out `actions` in order; consecutive ones of one kind run concurrently.

        If pods cannot be created, ended pods are still deleted, because they may fill a quota.
        """
        faults: tuple[Fault, ...] = ()
        is_cut_short = False
        for kind, group in groupby(actions, type):
            if faults and kind is not DeletePod:
                break
            if is_cut_short and kind is CreatePod:  # pods that should have been deleted first still exist
                continue
            calls = [partial(self.apply_one, action, run) for action in group]
            try:
                if kind in (CreatePod, DeletePod):
                    async with self.turns:
                        done = await gather_bounded(calls, limit=CONCURRENT_PODS, seconds=self.pods_seconds)
                else:
                    done = await gather_bounded(calls, limit=CONCURRENT_CALLS)
            except (ActionError, PodreduceError) as error:
                faults = faults or (as_fault(error),)
                if kind is not CreatePod:
                    break
            else:
                is_cut_short |= len(done) < len(calls)
        return Applied(faults=faults, is_cut_short=is_cut_short)

    async def apply_without_store(self, actions: Sequence[Action], job: JobView) -> Applied:
        """Carry out only the deletions of pods and of the job: nothing else works without the store."""
        deletions = [
            partial(self.cluster.delete_pod, job, action.name, action.uid, force=action.force)
            for action in actions
            if isinstance(action, DeletePod)
        ]
        try:
            await gather_bounded(deletions, limit=CONCURRENT_PODS)
            if any(isinstance(action, DeleteJob) for action in actions):
                await self.cluster.delete_job(job)
        except ActionError as error:
            return Applied(faults=(error.as_fault(),))
        return Applied()

    async def apply_one(self, action: Action, run: Run) -> None:
        """Carry out one action, with a fault point before and after it."""
        if self.fault_point is not None:
            self.fault_point("before", action)
        await self.act(action, run)
        if self.fault_point is not None:
            self.fault_point("after", action)

    async def act(self, action: Action, run: Run) -> None:
        """Carry out one action."""
        match action:
            case PlanRun():
                async with self.planning_turns(run.job.key.namespace):
                    await plan_run(run, self.cluster)
            case CreatePod():
                await self.create_pod(action, run)
            case DeletePod():
                await self.delete_pod(action, run)
            case RecordFailure():
                await self.record_failure(action, run)
            case KeepAttempts(attempts=attempts):
                await keep_attempts(run, attempts)
                self.report_stops(attempts)
            case FreezeShuffle(parallelism=parallelism):
                self.report_shuffle(await freeze_shuffle(run, parallelism))
            case CommitOutput():
                await commit_output(run)
            case DeleteJob():
                await self.cluster.delete_job(run.job)
            case RemoveIntermediates() | WritePostMortem() | DiscardRun() | RemoveRun():
                await self.take_down(action, run)

    def planning_turns(self, namespace: str) -> asyncio.Semaphore:
        """Return what jobs of this namespace hold while they are planned."""
        turns = self.planning.get(namespace)
        if turns is None:
            turns = self.planning[namespace] = asyncio.Semaphore(CONCURRENT_JOBS)
        return turns

    def report_stops(self, attempts: Sequence[AttemptRecord]) -> None:
        """Report the attempts whose pods are about to be deleted."""
        for attempt in attempts:
            if attempt.why_deleted:
                self.telemetry.on_stop(attempt)

    def report_shuffle(self, frozen: ShuffleManifest | None) -> None:
        """Report a shuffle that was frozen for the first time; later generations keep its partitions."""
        if frozen is not None and frozen.generation == 0:
            self.telemetry.on_shuffle(frozen.partition_bytes)

    async def take_down(self, action: RemoveIntermediates | WritePostMortem | DiscardRun | RemoveRun, run: Run) -> None:
        """Carry out one of the actions that follow a run's end."""
        match action:
            case RemoveIntermediates():
                await remove_intermediates(run)
            case WritePostMortem(attempts=attempts):
                await write_post_mortem(run, self.cluster, attempts)
            case DiscardRun(run_id=run_id):
                old = msgspec.structs.replace(run.identity, run_id=run_id)
                await discard_run(run.storage, old, output_uri=as_prefix(run.job.spec.output.uri))
                self.cache.forget(run.job)
            case RemoveRun():
                await run.work.delete_prefix_async("")
                self.cache.forget(run.job)

    async def create_pod(self, action: CreatePod, run: Run) -> None:
        """Start an attempt. The pod's name is the lock.

        If raised memory is refused, the usual is asked for, so that another OutOfMemory counts and can end the job.
        """
        plan = run.records.plan
        if plan is None:
            return
        run_hash = hash_run(run.job.uid, run.run_id)
        name = pod_name(run.job.key.name, run_hash, action.task, action.ordinal)
        is_map = action.task.type is TaskType.MAP
        environment = TaskEnvironment(
            run_uri=run.work.uri,
            plan_digest=run.records.plan_digest,
            task=action.task,
            more_tasks=action.more_tasks,
            generation=action.generation,
            shuffle_generation=action.shuffle_generation,
            shuffle_wait_seconds=SHUFFLE_WAIT_SECONDS if action.awaits_shuffle else 0,
            pod_uid="",
            pod_name=name,
            max_bad_records=run.job.spec.max_bad_records if is_map else None,
        )
        request = PodRequest(
            name=name,
            job=run.job,
            run_hash=run_hash,
            ordinal=action.ordinal,
            environment=environment,
            memory_factor=action.memory_factor,
            slow_node=action.slow_node,
            gang=action.gang,
            spec=plan.spec,
        )
        try:
            await self.cluster.create_pod(request)
        except ActionError as error:
            if request.memory_factor == 1.0 or error.reason not in TOO_LARGE:
                raise
            await self.cluster.create_pod(replace(request, memory_factor=1.0))

    async def record_failure(self, action: RecordFailure, run: Run) -> None:
        """Record a failure, unless the pod was only late and has started since it was listed."""
        record = action.record
        if action.if_waiting and not still_waits(await self.cluster.find_pod(run.job, record.pod_name), record):
            return
        await run.records.create_failure(record)

    async def delete_pod(self, action: DeletePod, run: Run) -> None:
        """Delete a pod. If `save_log` is set, first save its last log lines if they arrive in time."""
        if action.save_log:
            with contextlib.suppress(ActionError, PodreduceError, TimeoutError):
                async with asyncio.timeout(SAVE_LOG_SECONDS):
                    await self.save_log(action, run)
        await self.cluster.delete_pod(run.job, action.name, action.uid, force=action.force)

    async def save_log(self, action: DeletePod, run: Run) -> None:
        """Save a pod's last log lines, if it has any. What a task that went well has stored itself stays."""
        tail = await self.cluster.read_log_tail(run.job, action.name, LOG_TAIL_LINES)
        if not tail:
            return
        attempt_id = f"{action.uid}-{action.sequence}"
        has_failed = any(each.attempt_id == attempt_id for each in run.records.failures.get(action.task, ()))
        save = run.work.put_async if has_failed else run.work.create_async
        await save(log_key(action.task, attempt_id), tail.encode())
