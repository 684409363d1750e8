"""The second iteration of a step, planned after the first: which maps need not run, and what each change undoes."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from podreduce.contract.layout import PLAN_KEY, blob_key, commit_key, shard_page_key
from podreduce.contract.plan import Owner, Plan, ShardPage
from podreduce.contract.task import CommitRecord
from podreduce.contract.wire import decode, digest_bytes, encode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.model.jobs import JobView
from podreduce_operator.pipelines.carried_maps import KEEPS_MAPS_LABEL, MAPS_FROM_LABEL
from podreduce_operator.planning.plan_run import plan_run
from podreduce_operator.runs.run import Run, RunCache
from tests.support.builders.jobs import make_job, make_raw_output
from tests.support.builders.records import make_commit, make_quarantine
from tests.support.builders.tasks import map_task
from tests.support.quiet_cluster import QuietCluster

PIPELINE = Owner(kind="MapReducePipeline", name="pagerank", uid="6f0c4a52-0000-4000-8000-00000000000f")
SHAPE = {"format": "Text", "encodingErrors": "Strict"}
BLOB = b"0123456789"
SHARDS = 5
"""Three of the links, two of the ranks."""
LINK_SHARDS = 3


class Iterations:
    """Two jobs of a step: `first` has mapped the links and the first ranks, `second` is about to be planned."""

    def __init__(self) -> None:
        self.place = f"memory://{uuid.uuid4().hex}/"
        self.data = open_store(self.place)
        self.data.put("links/a.txt", b"a b c\nb c\n")
        self.data.put("links/b.txt", b"c a\n")
        self.data.put("ranks/1/part", b"a 1\nb 1\n")
        self.data.put("ranks/2/part", b"a 2\nb 1\n")
        self.cluster = QuietCluster(work_uri=f"{self.place}work/")
        self.first = self.make_job(1, {KEEPS_MAPS_LABEL: "true"})
        self.second = self.make_job(2, {MAPS_FROM_LABEL: "rank-1"})

    def make_job(self, number: int, labels: dict[str, str], **spec: Any) -> JobView:
        inputs = [
            {"name": "links", "uris": [f"{self.place}links/"], **SHAPE},
            {"name": "ranks", "uris": [f"{self.place}ranks/{number}/"], **SHAPE},
        ]
        fields = {
            "input": None,
            "inputs": inputs,
            "output": make_raw_output(uri=f"{self.place}out/{number}/"),
            "map": {"shards": SHARDS},
        }
        job = make_job(name=f"rank-{number}", uid=f"6f0c4a52-0000-4000-8000-00000000000{number}", spec=fields | spec)
        return replace(job, labels=labels, controller=PIPELINE)

    async def open(self, job: JobView) -> Run:
        return RunCache().open(job, "1", await self.cluster.read_storage(job))

    async def run_first(self) -> ObjectStore:
        """Plan the first iteration, commit its maps, and return its store. It is complete then."""
        run = await self.open(self.first)
        await plan_run(run, self.cluster)
        plan = decode(run.work.get(PLAN_KEY), Plan)
        for index in range(plan.shards):
            commit = make_commit(map_task(index), attempt_id=f"pod-{index}-0", counters={"user": {"seen": index}})
            run.work.put(blob_key(index, commit.attempt_id), BLOB)
            run.work.put(commit_key(commit.task, 0), encode(commit))
        self.complete(digest_bytes(run.work.get(PLAN_KEY)))
        return run.work

    def complete(self, plan_digest: str) -> None:
        status = {"runId": "1", "planDigest": plan_digest}
        self.first = replace(self.first, status=status)
        self.cluster.jobs[self.first.key] = self.first

    async def run_second(self) -> tuple[Plan, dict[int, CommitRecord]]:
        """Plan the second iteration. Return its plan, and the commits of its maps that need not run."""
        run = await self.open(self.second)
        await plan_run(run, self.cluster)
        plan = decode(run.work.get(PLAN_KEY), Plan)
        commits = [decode(run.work.get(found.key), CommitRecord) for found in run.work.list("commits/")]
        return plan, {commit.task.index: commit for commit in commits}


@pytest.fixture
def world() -> Iterations:
    return Iterations()


async def test_what_has_not_changed_is_not_mapped_again(world: Iterations) -> None:
    first = await world.run_first()
    plan, commits = await world.run_second()
    assert sorted(commits) == list(range(LINK_SHARDS))
    assert plan.carried_from == first.uri
    for index, commit in commits.items():
        assert commit.is_carried
        assert commit.blob is not None
        assert open_store(plan.carried_from).get(commit.blob.key) == BLOB
        assert commit.counters == {"user": {"seen": index}}


async def test_the_shards_and_buckets_of_what_is_carried_are_as_they_were(world: Iterations) -> None:
    first = await world.run_first()
    world.second = replace(world.second, raw_spec=world.second.raw_spec | {"parallelism": 9})
    before = decode(first.get(PLAN_KEY), Plan)
    plan, _ = await world.run_second()
    second = await world.open(world.second)
    then, now = (decode(store.get(shard_page_key(0)), ShardPage).shards for store in (first, second.work))
    assert now[:LINK_SHARDS] == then[:LINK_SHARDS]
    assert (plan.virtual_buckets, plan.user_partitions) == (before.virtual_buckets, before.user_partitions)


async def test_there_are_as_many_shards_as_asked_for(world: Iterations) -> None:
    await world.run_first()
    world.data.put("ranks/2/part", b"a 1\n" * 1000)
    plan, commits = await world.run_second()
    assert plan.shards == SHARDS
    assert len(commits) == LINK_SHARDS


async def test_maps_have_other_indexes_if_their_input_comes_later(world: Iterations) -> None:
    inputs = list(reversed(world.first.raw_spec["inputs"]))
    world.first = world.make_job(1, dict(world.first.labels), inputs=inputs)
    later = [world.second.raw_spec["inputs"][1], inputs[1]]
    world.data.put("ranks/2/part", b"a 2\nb 1\nc 1\nd 1\ne 1\nf 1\ng 1\nh 1\ni 1\nj 1\n")
    world.second = world.make_job(2, dict(world.second.labels), inputs=later)
    first = await world.run_first()
    plan, commits = await world.run_second()
    second = await world.open(world.second)
    then, now = (decode(store.get(shard_page_key(0)), ShardPage).shards for store in (first, second.work))
    assert commits, "nothing is carried"
    assert {index for index in commits if index not in range(plan.shards)} == set()
    for index, commit in commits.items():
        assert commit.blob is not None
        was = int(commit.blob.key.split("/")[2])
        assert (now[index].pieces, now[index].input) == (then[was].pieces, then[was].input)


def remove_blob(world: Iterations, first: ObjectStore) -> None:
    del world
    first.delete(blob_key(1, "pod-1-0"))


def cut_blob(world: Iterations, first: ObjectStore) -> None:
    del world
    first.put(blob_key(1, "pod-1-0"), BLOB[:3])


def rewrite(first: ObjectStore, **fields: Any) -> None:
    key = commit_key(map_task(1), 0)
    first.put(key, encode(msgspec.structs.replace(decode(first.get(key), CommitRecord), **fields)))


def quarantine(world: Iterations, first: ObjectStore) -> None:
    del world
    rewrite(first, quarantine=make_quarantine())


def run_again(world: Iterations, first: ObjectStore) -> None:
    del world
    commit = make_commit(map_task(1), generation=1, attempt_id="again-0")
    first.put(commit_key(commit.task, 1), encode(commit))


@pytest.mark.parametrize("change", [remove_blob, cut_blob, quarantine, run_again])
async def test_a_map_whose_output_is_not_whole_runs_again(
    world: Iterations, change: Callable[[Iterations, ObjectStore], None]
) -> None:
    change(world, await world.run_first())
    _, commits = await world.run_second()
    assert sorted(commits) == [0, 2]


async def test_the_newest_output_of_a_map_counts(world: Iterations) -> None:
    first = await world.run_first()
    run_again(world, first)
    first.put(blob_key(1, "again-0"), BLOB)
    _, commits = await world.run_second()
    assert commits[1].attempt_id == "again-0"
    assert commits[1].generation == 0


def change_object(world: Iterations, first: ObjectStore) -> None:
    del first
    world.data.put("links/b.txt", b"c b\n")


def add_object(world: Iterations, first: ObjectStore) -> None:
    del first
    world.data.put("links/c.txt", b"d a\n")


def edit_second(world: Iterations, **spec: Any) -> None:
    world.second = world.make_job(2, dict(world.second.labels), **spec)


def change_program(world: Iterations, first: ObjectStore) -> None:
    del first
    edit_second(world, program=world.second.raw_spec["program"] | {"parameters": {"damping": "0.9"}})


def change_image(world: Iterations, first: ObjectStore) -> None:
    del first
    edit_second(world, image="registry.example/other:1")


def change_partitions(world: Iterations, first: ObjectStore) -> None:
    del first
    edit_second(world, reduce={"partitions": 3})


def change_option(world: Iterations, first: ObjectStore) -> None:
    del first
    links, ranks = world.second.raw_spec["inputs"]
    edit_second(world, inputs=[links | {"encodingErrors": "Replace"}, ranks])


def rename_input(world: Iterations, first: ObjectStore) -> None:
    del first
    links, ranks = world.second.raw_spec["inputs"]
    edit_second(world, inputs=[links | {"name": "edges"}, ranks])


def lose_job(world: Iterations, first: ObjectStore) -> None:
    del first
    world.cluster.jobs.clear()


def change_owner(world: Iterations, first: ObjectStore) -> None:
    del first
    world.cluster.jobs[world.first.key] = replace(world.first, controller=None)


def unlabel(world: Iterations, first: ObjectStore) -> None:
    del first
    world.cluster.jobs[world.first.key] = replace(world.first, labels={})


def forge_plan(world: Iterations, first: ObjectStore) -> None:
    del world
    plan = decode(first.get(PLAN_KEY), Plan)
    first.put(PLAN_KEY, encode(msgspec.structs.replace(plan, user_partitions=7)))


def lose_plan(world: Iterations, first: ObjectStore) -> None:
    del world
    first.delete(PLAN_KEY)


def forge_page(world: Iterations, first: ObjectStore) -> None:
    del world
    first.put(shard_page_key(0), encode(ShardPage(shards=())))


def lose_records(world: Iterations, first: ObjectStore) -> None:
    del world
    first.delete(*(found.key for found in first.list("commits/")))


def overwrite_record(world: Iterations, first: ObjectStore) -> None:
    del world
    first.put(commit_key(map_task(1), 0), b"{}")


CHANGES = [
    change_object,
    add_object,
    change_program,
    change_image,
    change_partitions,
    change_option,
    rename_input,
    lose_job,
    change_owner,
    unlabel,
    forge_plan,
    lose_plan,
    forge_page,
    lose_records,
    overwrite_record,
]


@pytest.mark.parametrize("change", CHANGES)
async def test_after_any_other_change_everything_is_mapped(
    world: Iterations, change: Callable[[Iterations, ObjectStore], None]
) -> None:
    change(world, await world.run_first())
    plan, commits = await world.run_second()
    assert not commits
    assert plan.carried_from is None


async def test_an_input_that_changed_is_mapped_and_the_others_are_not(world: Iterations) -> None:
    world.data.put("nodes/a.txt", b"a\nb\n")
    nodes = {"name": "nodes", "uris": [f"{world.place}nodes/"], **SHAPE}
    world.first = world.make_job(1, dict(world.first.labels), inputs=[*world.first.raw_spec["inputs"], nodes])
    edit_second(world, inputs=[*world.second.raw_spec["inputs"], nodes])
    first = await world.run_first()
    change_object(world, first)
    plan, commits = await world.run_second()
    second = await world.open(world.second)
    shards = decode(second.work.get(shard_page_key(0)), ShardPage).shards
    assert {shards[index].input for index in commits} == {2}
    assert len(commits) == sum(shard.input == 2 for shard in shards)
    assert plan.carried_from is not None


async def test_a_job_of_one_pod_maps_everything_itself(world: Iterations) -> None:
    small = {"execution": "Auto", "map": {}}
    world.first = world.make_job(1, dict(world.first.labels), **small)
    edit_second(world, **small)
    await world.run_first()
    plan, commits = await world.run_second()
    assert (plan.carried_from, commits) == (None, {})


async def test_a_plan_that_another_operator_has_made_gets_no_commits(world: Iterations) -> None:
    await world.run_first()
    run = await world.open(world.second)
    run.work.put(PLAN_KEY, b"of the other operator")
    await plan_run(run, world.cluster)
    assert not list(run.work.list("commits/"))
