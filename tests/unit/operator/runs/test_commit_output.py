"""The end of a run on a real store: what is committed becomes the output, and what the store dropped is made again."""

from uuid import uuid4

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.layout import CLAIM_KEY, COMMIT_INTENT_KEY, PLAN_KEY, commit_key, failure_key, shuffle_key
from podreduce.contract.plan import JobIdentity
from podreduce.contract.task import (
    CommitIntent,
    CommitRecord,
    FailureRecord,
    OutputManifest,
    PartRef,
    ShuffleManifest,
    SlotSeconds,
)
from podreduce.contract.wire import decode, encode
from podreduce.storage import open_store
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.loop.apply import Applier
from podreduce_operator.loop.observe import observe
from podreduce_operator.model.actions import CommitOutput
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import Fault
from podreduce_operator.policy.decide import decide
from podreduce_operator.runs.commit_output import commit_output
from podreduce_operator.runs.output_claim import Claim, read_claim
from podreduce_operator.runs.run import Run, RunCache
from tests.support.builders.jobs import JOB_UID, make_job, make_raw_output
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.quiet_cluster import QuietCluster

M0, M1 = map_task(0), map_task(1)
STAGED = f"_podreduce-{JOB_UID}-1/"
STARTED = {"runId": "1", "startTime": "1970-01-01T00:00:00Z"}


class MapOnlyRun:
    """A run of two maps whose parts are the output, in a memory store."""

    def __init__(self) -> None:
        bucket = uuid4().hex
        self.cluster = QuietCluster(work_uri=f"memory://{bucket}/work/")
        self.output = open_store(f"memory://{bucket}/counts/")
        self.cache = RunCache()
        self.job = make_job(status=STARTED, spec={"output": make_raw_output(uri=self.output.uri_of(""))})
        storage = JobStorage(work_uri=self.cluster.work_uri, installation="local", settings=StorageSettings())
        work = self.cache.open(self.job, "1", storage).work
        work.put(
            PLAN_KEY, encode(make_plan(partitions=0, output_uri=self.output.uri_of(""), spec=dict(self.job.raw_spec)))
        )
        self.work = work

    def commit(self, task_index: int, *, generation: int = 0, is_lost: bool = False) -> CommitRecord:
        """Commit a part of the task; one that is lost waited as an upload, of which the store knows nothing."""
        task = map_task(task_index)
        key = f"{STAGED}{task}-a{generation}"
        if not is_lost:
            self.output.put(key, f"{task}\t{generation}\n".encode())
        part = PartRef(key=f"{key}.pending" if is_lost else key, bytes=6, records=1, sha256="0" * 64)
        commit = make_commit(task, generation=generation, attempt_id=f"a{generation}-{task}", blob=None, part=part)
        self.work.put(commit_key(task, generation), encode(commit))
        return commit

    async def see(self) -> Run:
        storage = JobStorage(work_uri=self.cluster.work_uri, installation="local", settings=StorageSettings())
        run = RunCache().open(self.job, "1", storage)
        await run.records.refresh()
        return run

    async def end(self) -> tuple[Fault, ...]:
        """Take the last step, as a pass does."""
        return (await Applier(cluster=self.cluster, cache=self.cache).apply((CommitOutput(),), await self.see())).faults

    async def decided(self) -> str:
        observed, _ = await observe(self.job, self.cluster, RunCache(), Limits(), 1000.0)
        return str(decide(observed, 1000.0))

    def failures(self) -> list[FailureRecord]:
        return [decode(self.work.get(found.key), FailureRecord) for found in self.work.list("failures/")]

    def published(self) -> dict[str, bytes]:
        return {
            found.key: self.output.get(found.key) for found in self.output.list("") if found.key.startswith("part-")
        }


@pytest.fixture
def ending() -> MapOnlyRun:
    return MapOnlyRun()


async def test_what_is_committed_is_published_in_two_steps(ending: MapOnlyRun) -> None:
    ending.commit(0)
    ending.commit(1)
    assert await ending.end() == ()
    assert (await ending.see()).records.intent is not None
    assert ending.published() == {}, "the point of no return comes first"
    assert await ending.end() == ()
    assert ending.published() == {"part-m-00000.txt": b"m-0\t0\n", "part-m-00001.txt": b"m-1\t0\n"}
    assert ending.output.exists("_SUCCESS")
    assert list(ending.output.list(STAGED)) == []


async def test_a_part_that_the_store_dropped_holds_the_end_up_and_is_recorded(ending: MapOnlyRun) -> None:
    ending.commit(0)
    lost = ending.commit(1, is_lost=True)
    assert await ending.end() == ()
    assert (await ending.see()).records.intent is None
    (failure,) = ending.failures()
    assert (failure.task, failure.reason, failure.counted, failure.generation) == (M1, "UploadLost", False, 0)
    assert failure.lost is not None
    assert (failure.lost.task, failure.lost.generation) == (M1, 0)
    assert (failure.attempt_id, failure.finished_at) == (lost.attempt_id, lost.finished_at)
    assert "unfinished uploads" in failure.message


async def test_every_part_that_the_store_dropped_is_recorded_and_each_once(ending: MapOnlyRun) -> None:
    ending.commit(0, is_lost=True)
    ending.commit(1, is_lost=True)
    for _ in range(2):
        await ending.end()
    assert sorted(failure.task for failure in ending.failures()) == [M0, M1]


async def test_a_dropped_part_is_recorded_beside_the_failure_of_its_own_attempt(ending: MapOnlyRun) -> None:
    ending.commit(0)
    lost = ending.commit(1, is_lost=True)
    given_up = make_failure(M1, attempt_id=lost.attempt_id, reason="NoProgress")
    ending.work.put(failure_key(M1, lost.attempt_id), encode(given_up))
    await ending.end()
    assert {failure.reason for failure in ending.failures()} == {"NoProgress", "UploadLost"}


async def test_the_task_of_a_dropped_part_runs_again_and_its_new_part_is_published(ending: MapOnlyRun) -> None:
    ending.commit(0)
    ending.commit(1, is_lost=True)
    await ending.end()
    assert "create(m-1" in await ending.decided()
    ending.commit(1, generation=1)
    for _ in range(2):
        assert await ending.end() == ()
    assert ending.published() == {"part-m-00000.txt": b"m-0\t0\n", "part-m-00001.txt": b"m-1\t1\n"}


async def test_a_run_whose_output_another_has_taken_does_not_commit(ending: MapOnlyRun) -> None:
    ending.commit(0)
    ending.commit(1)
    other = Claim(installation="local", job=JobIdentity(namespace="default", name="other", uid="u", run_id="1"))
    ending.output.put(CLAIM_KEY, encode(other))
    faults = await ending.end()
    assert [(fault.reason, fault.permanent) for fault in faults] == [("OutputClaimed", True)]
    assert not ending.work.exists(COMMIT_INTENT_KEY)
    assert ending.published() == {}


async def test_a_run_whose_claim_is_gone_claims_again_before_it_commits(ending: MapOnlyRun) -> None:
    ending.commit(0)
    ending.commit(1)
    assert await ending.end() == ()
    assert ending.work.exists(COMMIT_INTENT_KEY)
    assert await read_claim(ending.output) == (await ending.see()).claim


async def test_the_manifest_counts_each_task_once_whatever_attempts_it_had() -> None:
    world = MapOnlyRun()
    world.commit(0)
    world.commit(1, is_lost=True)
    await world.end()
    world.commit(1, generation=1)
    for _ in range(3):
        await world.end()
    manifest = decode(world.output.get("_MANIFEST.json"), OutputManifest)
    assert manifest.counters is not None
    assert manifest.counters["podreduce"]["mapRecordsIn"] == 2
    assert manifest.slot_seconds == SlotSeconds(map=100.0, reduce=0.0)
    assert manifest.bytes_in == 20


async def test_the_totals_count_commits_that_this_process_has_not_seen() -> None:
    world = MapOnlyRun()
    world.commit(0)
    run = await world.see()
    world.commit(1)
    await commit_output(run)
    intent = decode(world.work.get(COMMIT_INTENT_KEY), CommitIntent)
    assert intent.totals is not None
    assert intent.totals.counters["podreduce"]["mapRecordsIn"] == 2
    assert len(intent.parts) == 2


def commit_reduced(world: MapOnlyRun) -> None:
    """Have the maps shuffle, and one reduce task write the output."""
    plan = make_plan(partitions=1, output_uri=world.output.uri_of(""), spec=dict(world.job.raw_spec))
    world.work.put(PLAN_KEY, encode(plan))
    maps = [make_commit(task) for task in (M0, M1)]
    blobs = tuple(commit.blob for commit in maps if commit.blob)
    figures = {"partitions": ((0,),), "partition_bytes": (20,), "imbalance_bytes": 0.0, "hash_imbalance_bytes": 0.0}
    manifest = ShuffleManifest(generation=0, map_generations=(0, 0), maps=blobs, **figures)  # type: ignore[arg-type]
    world.work.put(shuffle_key(0), encode(manifest))
    key = f"{STAGED}r-0-a"
    world.output.put(key, b"all\t2\n")
    part = PartRef(key=key, bytes=6, records=1, sha256="0" * 64)
    commits = [*maps, make_commit(reduce_task(0), part=part)]
    for commit in commits:
        world.work.put(commit_key(commit.task, 0), encode(commit))


async def test_the_parts_of_the_reduce_tasks_are_the_output_and_all_tasks_are_in_the_totals() -> None:
    world = MapOnlyRun()
    commit_reduced(world)
    for _ in range(2):
        assert await world.end() == ()
    assert world.published() == {"part-r-00000.txt": b"all\t2\n"}
    manifest = decode(world.output.get("_MANIFEST.json"), OutputManifest)
    assert manifest.slot_seconds == SlotSeconds(map=100.0, reduce=50.0)
    assert [part.name for part in manifest.parts] == ["part-r-00000.txt"]


async def test_a_run_without_a_plan_has_nothing_to_commit(ending: MapOnlyRun) -> None:
    ending.commit(0)
    ending.commit(1)
    run = await ending.see()
    run.records.plan = None
    await commit_output(run)
    assert not ending.work.exists(COMMIT_INTENT_KEY)
