"""Finds map output that an earlier iteration of a loop has kept, so that what has not changed is not mapped again.

Source: HaLoop (Bu et al., VLDB 2010), which keeps loop-invariant data between the jobs of a loop; here it is the map
output, because it is in the object store already, named by commit records, and never changes.

An example: the step `spread` of PageRank reads the links, which never change, and the ranks of the iteration before.

    iteration 1   links 1  links 2  links 3   ranks 1  ranks 2      five maps
    iteration 2   links 1  links 2  links 3   ranks 1  ranks 2      two maps; three commits name blobs of iteration 1

Rule: nothing is believed. The earlier job must be of the same owner, and its plan the one that its status names. The
program, the side inputs and the spec must be the same, but for what is read and where the output goes. An input counts
as unchanged only if its objects have the same URIs, sizes and ETags. It is then cut into the same shards. What is
missing, has bad records or wrote files is mapped again. So a run gives what it would give without all this.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from podreduce.contract.errors import ObjectNotFoundError
from podreduce.contract.layout import (
    COMMITS_PREFIX,
    MAP_DATA_PREFIX,
    PLAN_KEY,
    commit_key,
    parse_commit_key,
    run_prefix,
    shard_page_key,
)
from podreduce.contract.plan import Piece, Plan, PlannedInput, Program, Shard, ShardPage, SideInput
from podreduce.contract.task import CommitRecord, TaskRef, TaskType
from podreduce.contract.wire import decode, digest_bytes, encode
from podreduce.storage import ObjectStore
from podreduce_operator.api.spec import spec_changed
from podreduce_operator.cluster.interface import Cluster
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.pipelines.carried_maps import keeps_maps, read_maps_from
from podreduce_operator.planning.build_plan import Buckets, PlannedInputs, cut_pieces, plan_inputs
from podreduce_operator.policy.run_state import current_run_id, read_plan_digest
from podreduce_operator.runs.run import Run
from podreduce_operator.runs.stored_records import check_commit, decode_record, read_bytes, read_record

__all__ = ["EarlierMaps", "MapWork", "find_earlier_maps", "write_carried_commits"]

CONCURRENT_RECORDS = 32

MAY_DIFFER = frozenset({"spec.inputs", "spec.output.ifExists", "spec.output.uri", "spec.sideInputs"})
"""What may differ between the specs of two iterations. The inputs and side inputs themselves are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapWork:
    """What the maps of a run do: with which program and side inputs they read which inputs, and how these are cut.

    `shards`: how many shards there must be; None: as many as suit.
    """

    program: Program
    inputs: Sequence[PlannedInput]
    side_inputs: tuple[SideInput, ...]
    planned: PlannedInputs
    shards: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierMaps:
    """Map output of an earlier run that this run can read.

    Attributes:
        uri: the prefix of the earlier run.
        plan: its plan.
        planned: the inputs of this run; those that have not changed are cut as they were.
        commits: the records of this run's maps that need not run.
    """

    uri: str
    plan: Plan
    planned: PlannedInputs
    commits: tuple[CommitRecord, ...]

    @property
    def buckets(self) -> Buckets:
        """How the maps of this run divide their output: as those did."""
        return Buckets(
            virtual=self.plan.virtual_buckets, user_partitions=self.plan.user_partitions, carried_from=self.uri
        )


async def find_earlier_maps(run: Run, cluster: Cluster, work: MapWork) -> EarlierMaps | None:
    """Return the map output that this run can read, or None.

    Raises:
        ActionError: the cluster refuses something.
        PodreduceError: the store cannot be read.
    """
    name = read_maps_from(run.job.labels)
    if name is None:
        return None
    job = await cluster.find_job(JobKey(namespace=run.job.key.namespace, name=name))
    if job is None or job.deleting or job.owner != run.job.owner or not keeps_maps(job.labels):
        return None
    storage = await cluster.read_storage(job)
    run_id = current_run_id(job.status, job.spec.run_id)
    prefix = run_prefix(storage.installation, job.key.namespace, job.key.name, job.uid, run_id)
    earlier = EarlierRun(job=job, run_id=run_id, store=storage.open(storage.work_uri + prefix))
    with suppress(ActionError, ObjectNotFoundError, msgspec.DecodeError):  # it is gone, or somebody has changed it
        return await earlier.find_maps(run.job, work)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRun:
    """A run that has kept its map output."""

    job: JobView
    run_id: str
    store: ObjectStore

    async def find_maps(self, job: JobView, work: MapWork) -> EarlierMaps | None:
        """Return what a later job can read.

        Raises:
            ActionError: a record is not what belongs there.
            ObjectNotFoundError: a record is gone.
        """
        plan = await self.read_plan()
        if plan is None or not does_same_work(plan, job, work):
            return None
        cuts = await self.find_cuts(plan)
        unchanged = await self.find_unchanged(plan, cuts, work)
        planned = cut_as_before(work, {number: cuts[number] for number in unchanged})
        moves = dict(pair for number in unchanged for pair in pair_maps(cuts, planned, number))
        commits = await self.read_commits(plan, moves)
        if not commits:
            return None
        return EarlierMaps(uri=self.store.uri, plan=plan, planned=planned, commits=tuple(commits))

    async def read_plan(self) -> Plan | None:
        """Return the plan, if it is the one that the job's status names."""
        data = await read_bytes(self.store, PLAN_KEY, Plan)
        if digest_bytes(data) != read_plan_digest(self.job.status, self.run_id):
            return None
        return decode_record(data, Plan, self.store.uri_of(PLAN_KEY))

    async def shards(self, plan: Plan) -> AsyncIterator[Shard]:
        """Yield the shards, a page at a time, if all pages are the plan's.

        They are read twice, for the cuts and to be compared: the pieces of a million objects are never held together.
        """
        for ref in plan.pages:
            data = await self.store.get_async(shard_page_key(ref.number))
            if digest_bytes(data) != ref.digest:
                raise ObjectNotFoundError(f"{self.store.uri_of(shard_page_key(ref.number))} is not the plan's page")
            for shard in (await asyncio.to_thread(decode, data, ShardPage)).shards:
                yield shard

    async def find_cuts(self, plan: Plan) -> list[list[int]]:
        """Return where each input was cut: its shards are between cuts that follow each other."""
        cuts = [[0] for _ in plan.inputs]
        async for shard in self.shards(plan):
            size = sum(piece.end - piece.start for piece in shard.pieces)
            cuts[shard.input].append(cuts[shard.input][-1] + size)
        return cuts

    async def find_unchanged(self, plan: Plan, cuts: Sequence[Sequence[int]], work: MapWork) -> list[int]:
        """Return which inputs have the same options and objects as before."""
        pieces: dict[int, Iterator[list[Piece]]] = {}
        for number, now in enumerate(work.planned.inputs):
            if plan.inputs[number] == work.inputs[number] and now.cuts[-1] == cuts[number][-1]:
                pieces[number] = cut_pieces(now.objects, cuts[number], with_empty=now.whole_objects)
        async for shard in self.shards(plan):
            if shard.input in pieces and list(shard.pieces) != next(pieces[shard.input]):
                del pieces[shard.input]
        return sorted(pieces)

    async def read_commits(self, plan: Plan, moves: Mapping[int, int]) -> list[CommitRecord]:
        """Return the newest commits of these maps, as maps of the later run, if their blobs are there."""
        sizes = {found.key: found.size async for found in self.store.list_async(MAP_DATA_PREFIX)}
        newest: dict[TaskRef, int] = {}
        async for found in self.store.list_async(COMMITS_PREFIX):
            with suppress(ValueError):  # somebody else's object
                task, generation = parse_commit_key(found.key)
                newest[task] = max(generation, newest.get(task, 0))
        maps = (task for task in newest if task.type is TaskType.MAP and task.index in moves)
        reads = [partial(self.read_commit, plan, commit_key(task, newest[task])) for task in maps]
        commits = await gather_bounded(reads, limit=CONCURRENT_RECORDS)
        usable = (commit for commit in commits if is_usable(commit, sizes))
        return [carry(commit, moves[commit.task.index]) for commit in usable]

    async def read_commit(self, plan: Plan, key: str) -> CommitRecord:
        """Read and check a commit."""
        commit = await read_record(self.store, key, CommitRecord)
        check_commit(key, commit, plan, self.store.uri_of(key))
        return commit


def does_same_work(plan: Plan, job: JobView, work: MapWork) -> bool:
    """Tell whether the maps of an earlier plan would do the same to the same input."""
    is_same = (plan.program, plan.side_inputs) == (work.program, work.side_inputs)
    has_inputs = [each.name for each in plan.inputs] == [each.name for each in work.inputs]
    return is_same and has_inputs and MAY_DIFFER.issuperset(spec_changed(plan.spec, job.raw_spec))


def cut_as_before(work: MapWork, cuts: Mapping[int, Sequence[int]]) -> PlannedInputs:
    """Return the inputs, those that have not changed with these cuts. The others share the shards that are left."""
    inputs = list(work.planned.inputs)
    for number, each in cuts.items():
        inputs[number] = replace(inputs[number], cuts=each)
    changed = [number for number in range(len(inputs)) if number not in cuts]
    if work.shards is not None and changed:
        left = work.shards - sum(len(inputs[number]) for number in cuts)
        again = plan_inputs(
            [inputs[number].objects for number in changed],
            whole_objects=[inputs[number].whole_objects for number in changed],
            shards=max(left, len(changed)),
        )
        for number, shards in zip(changed, again.inputs, strict=True):
            inputs[number] = shards
    return PlannedInputs(inputs=inputs)


def pair_maps(cuts: Sequence[Sequence[int]], planned: PlannedInputs, number: int) -> Iterator[tuple[int, int]]:
    """Yield the index of each map of an input in the earlier run and in this one."""
    first_then = sum(len(each) - 1 for each in cuts[:number])
    first_now = sum(map(len, planned.inputs[:number]))
    for shard in range(len(planned.inputs[number])):
        yield first_then + shard, first_now + shard


def is_usable(commit: CommitRecord, sizes: Mapping[str, int]) -> bool:
    """Tell whether a map's blob is there, and all that the map has written."""
    if commit.blob is None or commit.is_carried or commit.quarantine is not None or commit.files:
        return False
    return sizes.get(commit.blob.key) == commit.blob.bytes


def carry(commit: CommitRecord, index: int) -> CommitRecord:
    """Return the commit of a map of the later run that need not run."""
    blob = None if commit.blob is None else msgspec.structs.replace(commit.blob, carried=True)
    task = TaskRef(type=TaskType.MAP, index=index)
    return msgspec.structs.replace(commit, task=task, generation=0, blob=blob)


async def write_carried_commits(run: Run, commits: Sequence[CommitRecord]) -> None:
    """Write the commits of maps that need not run. It follows the plan: before it they could be of another plan.

    If it is interrupted, the other maps run. A commit that a map has written in the meantime stays.
    """
    writes = [partial(run.work.create_async, commit_key(each.task, 0), encode(each)) for each in commits]
    await gather_bounded(writes, limit=CONCURRENT_RECORDS)
