import uuid
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from podreduce.contract.bucket_sizes import decode_sizes, encode_sizes
from podreduce.contract.layout import (
    COMMIT_INTENT_KEY,
    PLAN_KEY,
    POST_MORTEM_KEY,
    commit_key,
    failure_key,
    run_prefix,
    shuffle_key,
)
from podreduce.contract.task import BlobRef, CommitIntent, HeavyKey, KeySample, ShuffleManifest
from podreduce.contract.wire import digest_bytes, encode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.api.spec import pinned_fields
from podreduce_operator.cluster.interface import PodWarning
from podreduce_operator.loop.observe import observe
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import HeavyKeyView, Observed, PostMortemView
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.read_budget import ReadingPace
from podreduce_operator.runs.run import RunCache
from podreduce_operator.shuffle.key_spread import KeyRanges
from tests.support.builders.jobs import JOB_UID, make_job, make_raw_output, make_raw_spec
from tests.support.builders.plans import make_plan
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure, make_quarantine
from tests.support.builders.tasks import map_task
from tests.support.quiet_cluster import QuietCluster

MIB = 1 << 20
NOW = 1000.0
BLOB = BlobRef(key="data/map/0/a", bytes=10, footer_offset=5, footer_crc32=0)


class EveryTime(ReadingPace):
    """Lists with every pass."""

    def is_due(self) -> bool:
        return True


class OnDemand(ReadingPace):
    """Lists the first time, and when it is asked to."""

    def is_due(self) -> bool:
        due, self.is_first = self.is_first, False
        return due

    is_first = True

    def demand(self) -> None:
        self.is_first = True


class StoredRuns:
    """Runs of the default job in a memory store."""

    def __init__(self, pace: type[ReadingPace] = EveryTime) -> None:
        self.place = f"memory://{uuid.uuid4().hex}/"
        self.cluster = QuietCluster(work_uri=f"{self.place}work/")
        self.cache = RunCache(pace=partial(pace, 0.05))

    def store(self, run_id: str = "1") -> ObjectStore:
        prefix = run_prefix("local", "default", "wordcount", JOB_UID, run_id)
        return open_store(f"{self.place}work/{prefix}")

    def put_plan(self, run_id: str = "1", **fields: Any) -> str:
        data = encode(make_plan(output_uri=f"{self.place}out/", **fields))
        self.store(run_id).put(PLAN_KEY, data)
        return digest_bytes(data)

    def put_intent(self, run_id: str = "1") -> None:
        intent = CommitIntent(output_uri=f"{self.place}out/", if_exists="Fail", parts=())
        self.store(run_id).put(COMMIT_INTENT_KEY, encode(intent))

    async def observe(self, job: JobView | None = None) -> Observed:
        return (await observe(job or make_job(), self.cluster, self.cache, Limits(), NOW))[0]


@pytest.fixture
def runs() -> StoredRuns:
    return StoredRuns()


async def test_a_new_job_has_neither_plan_nor_past(runs: StoredRuns) -> None:
    observed = await runs.observe()
    assert observed.plan is None
    assert not observed.is_store_unreadable
    assert (observed.run.started_at, observed.superseded, observed.has_records) == (None, None, False)


async def test_the_newest_generation_of_a_commit_counts(runs: StoredRuns) -> None:
    runs.put_plan()
    for generation in (0, 2, 1):
        commit = make_commit(map_task(1), generation=generation)
        runs.store().put(commit_key(commit.task, generation), encode(commit))
    observed = await runs.observe()
    assert observed.commits[map_task(1)].generation == 2


async def test_records_are_read_once_and_new_ones_added(runs: StoredRuns) -> None:
    runs.put_plan()
    first, second = make_failure(map_task(0), ordinal=1), make_failure(map_task(0), ordinal=2, finished_at=200.0)
    for failure in (first, second):
        runs.store().put(failure_key(failure.task, failure.attempt_id), encode(failure))
        observed = await runs.observe()
    assert observed.failures[map_task(0)] == (first, second)


async def test_what_a_map_has_skipped_is_known_and_where_it_lies(runs: StoredRuns) -> None:
    runs.put_plan()
    commit = make_commit(map_task(1), quarantine=make_quarantine(7))
    runs.store().put(commit_key(commit.task, 0), encode(commit))
    observed = await runs.observe()
    assert observed.commits[map_task(1)].quarantine == make_quarantine(7)
    assert observed.quarantine_uri == runs.store().uri_of("quarantine/")


async def test_the_story_of_a_run_is_seen_with_its_place(runs: StoredRuns) -> None:
    runs.put_plan()
    ended = make_job(
        status={"runId": "1", "conditions": [{"type": "Failed", "status": "True", "reason": "x", "message": ""}]}
    )
    assert (await runs.observe(ended)).post_mortem is None
    runs.store().put(POST_MORTEM_KEY, b"{}")
    story = (await runs.observe(ended)).post_mortem
    assert story == PostMortemView(
        uri=f"{runs.store().uri}post-mortem.json", attempts_uri=f"{runs.store().uri}attempts.parquet"
    )


@pytest.fixture
def listed() -> StoredRuns:
    """Return runs with a plan, listed once, and not again unless that is demanded."""
    return StoredRuns(OnDemand)


async def test_between_listings_the_commit_of_an_attempt_that_ended_is_read(listed: StoredRuns) -> None:
    listed.put_plan()
    await listed.observe()
    listed.cluster.pods = (make_pod(map_task(0), phase=PodPhase.SUCCEEDED), make_pod(map_task(1)))
    for task in (map_task(0), map_task(1)):
        listed.store().put(commit_key(task, 0), encode(make_commit(task)))
    assert set((await listed.observe()).commits) == {map_task(0)}


async def test_between_listings_the_commit_of_an_attempt_that_is_gone_is_read(listed: StoredRuns) -> None:
    listed.put_plan()
    listed.cluster.pods = (make_pod(map_task(1)),)
    await listed.observe()
    listed.cluster.pods = ()
    listed.store().put(commit_key(map_task(1), 0), encode(make_commit(map_task(1))))
    assert set((await listed.observe()).commits) == {map_task(1)}


async def test_a_failure_of_this_process_is_known_at_once(listed: StoredRuns) -> None:
    listed.put_plan()
    _, run = await observe(make_job(), listed.cluster, listed.cache, Limits(), NOW)
    assert run is not None
    await run.records.create_failure(make_failure(map_task(0)))
    assert (await listed.observe()).failures == {map_task(0): (make_failure(map_task(0)),)}


async def test_a_failure_that_another_recorded_has_all_listed_anew(listed: StoredRuns) -> None:
    listed.put_plan()
    _, run = await observe(make_job(), listed.cluster, listed.cache, Limits(), NOW)
    assert run is not None
    theirs = make_failure(map_task(0), message="in other words")
    listed.store().put(failure_key(theirs.task, theirs.attempt_id), encode(theirs))
    assert (await listed.observe()).failures == {}
    await run.records.create_failure(make_failure(map_task(0)))
    assert (await listed.observe()).failures == {map_task(0): (theirs,)}


async def test_very_many_expected_commits_are_listed(listed: StoredRuns) -> None:
    listed.put_plan(shards=1000)
    await listed.observe()
    listed.cluster.pods = tuple(make_pod(map_task(index), phase=PodPhase.SUCCEEDED) for index in range(600))
    listed.store().put(commit_key(map_task(700), 0), encode(make_commit(map_task(700))))
    assert set((await listed.observe()).commits) == {map_task(700)}


async def test_attempts_whose_commits_no_longer_count_are_remembered(runs: StoredRuns) -> None:
    runs.put_plan()
    for generation in (1, 0, 2):
        commit = make_commit(map_task(1), generation=generation, attempt_id=f"a{generation}")
        runs.store().put(commit_key(commit.task, generation), encode(commit))
        _, run = await observe(make_job(), runs.cluster, runs.cache, Limits(), NOW)
    assert run is not None
    assert run.records.outdated == {"a0", "a1"}


async def test_a_pod_of_several_tasks_stands_for_the_one_it_is_at(runs: StoredRuns) -> None:
    runs.put_plan(spec={"tasksPerPod": 2, "execution": "Auto"})
    commit = make_commit(map_task(0), attempt_id="u-0", finished_at=50.0)
    runs.store().put(commit_key(commit.task, 0), encode(commit))
    tasks = (map_task(0), map_task(1))
    pods = (make_pod(map_task(0), uid="u", tasks=tasks), make_pod(map_task(0), uid="v", run_id="0", tasks=tasks))
    runs.cluster.pods = pods
    observed = await runs.observe()
    assert [(pod.attempt_id, str(pod.task)) for pod in observed.pods] == [("u-1", "m-1"), ("v-0", "m-0")]
    assert observed.plan is not None
    assert (observed.plan.tasks_per_pod, observed.plan.is_small) == (2, True)


async def test_bucket_sizes_are_summed_over_the_maps(runs: StoredRuns) -> None:
    runs.put_plan()
    for index, sizes in ((0, (1, 2, 3)), (1, (10, 20, 30))):
        commit = make_commit(map_task(index), bucket_bytes=encode_sizes(sizes))
        runs.store().put(commit_key(commit.task, 0), encode(commit))
    job = make_job()
    await runs.observe(job)
    _, run = await observe(job, runs.cluster, runs.cache, Limits(), NOW)
    assert run is not None
    assert run.records.bucket_bytes == [11, 22, 33]


async def test_bucket_sizes_of_the_release_before_are_summed_too(runs: StoredRuns) -> None:
    runs.put_plan()
    for index, sizes in ((0, (1, 2, 3)), (1, encode_sizes((10, 20, 30)))):
        commit = make_commit(map_task(index), bucket_bytes=sizes)
        runs.store().put(commit_key(commit.task, 0), encode(commit))
    _, run = await observe(make_job(), runs.cluster, runs.cache, Limits(), NOW)
    assert run is not None
    assert run.records.bucket_bytes == [11, 22, 33]
    found = await run.records.read_sizes([map_task(0), map_task(1)])
    assert [list(decode_sizes(sizes)) for sizes in found] == [[1, 2, 3], [10, 20, 30]]


async def test_bucket_sizes_are_kept_up_to_a_limit_and_else_read_again(
    runs: StoredRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [encode_sizes((index, 2, 3)) for index in range(3)]
    monkeypatch.setattr("podreduce_operator.runs.kept_commits.MOST_KEPT_BYTES", sum(map(len, sizes[:2])))
    runs.put_plan(shards=3)
    for index in range(3):
        commit = make_commit(map_task(index), bucket_bytes=sizes[index])
        runs.store().put(commit_key(commit.task, 0), encode(commit))
    _, run = await observe(make_job(), runs.cluster, runs.cache, Limits(), NOW)
    assert run is not None
    assert sum(bool(commit.bucket_bytes) for commit in run.records.commits.values()) == 2
    assert await run.records.read_sizes([map_task(index) for index in range(3)]) == sizes


async def test_samples_and_heavy_keys_are_folded_over_the_maps(runs: StoredRuns) -> None:
    runs.put_plan()
    for index in range(2):
        heavy = HeavyKey(key="the", encoded=b"\x05the", bucket=index, size_bytes=3 * MIB, values=9)
        samples = (KeySample(b"\x05a", 10), KeySample(b"\x05z", 20))
        commit = make_commit(map_task(index), heavy_keys=(heavy,), key_samples=samples, encoded_bytes=10 * MIB)
        runs.store().put(commit_key(commit.task, 0), encode(commit))
    observed, run = await observe(make_job(), runs.cluster, runs.cache, Limits(), NOW)
    assert run is not None
    assert run.records.sums.key_spread.cut(2) == KeyRanges(cuts=(b"\x05z",), partition_bytes=(20, 40))
    assert run.records.commits[map_task(0)].key_samples == run.records.commits[map_task(0)].heavy_keys == ()
    assert observed.skew == (HeavyKeyView(key="the", share=0.15), HeavyKeyView(key="the", share=0.15))


@pytest.mark.parametrize(
    ("ranges", "partitions", "expected"),
    [
        (None, ((0, 2), (1, 3)), 1),
        ((b"\x05a", b"\x05the", b"\x05z"), ((0,),) * 4, 2),
        ((b"\x05thf",), ((0,),) * 2, 0),
    ],
    ids=["by bucket", "from its range's first key", "below a range"],
)
async def test_a_heavy_key_is_shown_with_its_partition(
    runs: StoredRuns, ranges: tuple[bytes, ...] | None, partitions: tuple[tuple[int, ...], ...], expected: int
) -> None:
    runs.put_plan()
    heavy = HeavyKey(key="the", encoded=b"\x05the", bucket=3, size_bytes=3 * MIB, values=9)
    commit = make_commit(map_task(0), heavy_keys=(heavy,), encoded_bytes=10 * MIB)
    runs.store().put(commit_key(commit.task, 0), encode(commit))
    manifest = ShuffleManifest(
        generation=0,
        map_generations=(0, 0),
        maps=(BLOB, BLOB),
        partitions=partitions,
        ranges=ranges,
        partition_bytes=(1,) * len(partitions),
        imbalance_bytes=0.0,
        hash_imbalance_bytes=0.0,
    )
    runs.store().put(shuffle_key(0), encode(manifest))
    observed = await runs.observe()
    assert observed.skew == (HeavyKeyView(key="the", share=0.3, partition=expected),)


async def test_the_newest_shuffle_manifest_counts(runs: StoredRuns) -> None:
    runs.put_plan()
    for generation in (0, 1):
        manifest = ShuffleManifest(
            generation=generation,
            map_generations=(0, generation),
            maps=(BLOB, BLOB),
            partitions=((0,), (1,)),
            partition_bytes=(1, 1),
            imbalance_bytes=0.0,
            hash_imbalance_bytes=0.0,
        )
        runs.store().put(shuffle_key(generation), encode(manifest))
    observed = await runs.observe()
    assert observed.shuffle is not None
    assert observed.shuffle.map_generations == (0, 1)


async def test_a_new_run_id_takes_the_old_run_down_first(runs: StoredRuns) -> None:
    runs.put_plan("1")
    job = make_job(spec={"runId": "2"}, status={"runId": "1"})
    observed = await runs.observe(job)
    assert (observed.run_id, observed.superseded) == ("2", "1")


async def test_an_old_run_of_which_nothing_is_left_is_no_hindrance(runs: StoredRuns) -> None:
    observed = await runs.observe(make_job(spec={"runId": "2"}, status={"runId": "1"}))
    assert (observed.run_id, observed.superseded) == ("2", None)


async def test_an_old_run_past_its_intent_is_carried_through_first(runs: StoredRuns) -> None:
    digest = runs.put_plan("1")
    runs.put_intent("1")
    job = make_job(spec={"runId": "2"}, status={"runId": "1", "planDigest": digest})
    observed = await runs.observe(job)
    assert (observed.run_id, observed.superseded, observed.has_intent) == ("1", None, True)
    assert observed.run_hash != (await runs.observe(make_job(spec={"runId": "2"}))).run_hash


async def test_a_plan_that_was_tampered_with_is_a_permanent_fault(runs: StoredRuns) -> None:
    runs.put_plan()
    observed = await runs.observe(make_job(status={"runId": "1", "planDigest": "somebody else's"}))
    assert [(fault.reason, fault.permanent) for fault in observed.faults] == [("PlanMismatch", True)]


NEEDED = {"program", "input", "output"}
PINNED = pinned_fields(make_raw_spec())
OTHER_RELEASES = {
    "an unknown field": {**PINNED, "novel": 1},
    "an unknown part": {**PINNED, "input": {**PINNED["input"], "novel": True}},
    **{f"no {name}": {each: value for each, value in PINNED.items() if each != name} for name in {*PINNED} - NEEDED},
    **{f"{name} is null": {**PINNED, name: None} for name in {*PINNED} - NEEDED},
    "chaos is null": {**PINNED, "chaos": None},
}


@pytest.mark.parametrize("name", sorted(OTHER_RELEASES))
async def test_a_plan_of_another_release_that_no_status_names_yet_is_the_jobs(runs: StoredRuns, name: str) -> None:
    output = make_raw_output(uri=f"{runs.place}out/")
    runs.put_plan(spec={**OTHER_RELEASES[name], "output": output})
    job = make_job(spec={"output": output})
    observed, run = await observe(job, runs.cluster, runs.cache, Limits(), NOW)
    assert observed.faults == ()
    assert run is not None
    assert run.records.plan is not None
    assert run.records.plan.spec == pinned_fields(job.raw_spec)


async def test_a_plan_with_another_value_that_no_status_names_yet_is_a_permanent_fault(runs: StoredRuns) -> None:
    job = make_job(spec={"output": make_raw_output(uri=f"{runs.place}out/")})
    spec = {name: value for name, value in job.raw_spec.items() if name != "tasksPerPod"}
    runs.put_plan(spec=spec)
    faults = (await runs.observe(replace(job, raw_spec={**job.raw_spec, "tasksPerPod": 2}))).faults
    assert [(fault.reason, fault.permanent) for fault in faults] == [("PlanMismatch", True)]
    assert "spec.tasksPerPod" in faults[0].message


async def test_a_planted_plan_that_is_nested_very_deeply_is_a_permanent_fault(runs: StoredRuns) -> None:
    deep = b'{"a":' * 900 + b"1" + b"}" * 900
    data = encode(make_plan(output_uri=f"{runs.place}out/"))
    runs.store().put(PLAN_KEY, data.replace(b'"spec":{', b'"spec":{"podTemplate":' + deep + b","))
    faults = (await runs.observe()).faults
    assert [(fault.reason, fault.permanent) for fault in faults] == [("PlanMismatch", True)]


@pytest.mark.parametrize("kind", ["plan", "commit", "shuffle"])
async def test_records_of_a_later_release_are_told_and_waited_for(runs: StoredRuns, kind: str) -> None:
    digest = runs.put_plan()
    key = {"plan": PLAN_KEY, "commit": commit_key(map_task(0), 0), "shuffle": shuffle_key(0)}[kind]
    runs.store().put(key, b'{"schema":2}')
    observed = await runs.observe(make_job(status={"runId": "1", "planDigest": digest}))
    assert [(fault.reason, fault.permanent) for fault in observed.faults] == [("NewerRecord", False)]
    assert "upgrade the operator" in observed.faults[0].message


async def test_without_storage_the_observation_is_blind_and_says_why(runs: StoredRuns) -> None:
    runs.cluster.storage_error = ActionError("StorageSecretNotFound", "no Secret", permanent=True)
    observed = await runs.observe()
    assert observed.is_store_unreadable
    assert [fault.reason for fault in observed.faults] == ["StorageSecretNotFound"]


async def test_the_times_of_the_status_are_read_back(runs: StoredRuns) -> None:
    conditions = [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "late"}]
    times = {"startTime": "1970-01-01T00:01:40Z", "completionTime": "1970-01-01T00:03:20Z"}
    observed = await runs.observe(make_job(status={"runId": "1", "conditions": conditions, **times}))
    run = observed.run
    assert (run.started_at, run.completed_at, run.terminal, run.reason) == (100.0, 200.0, "Failed", "DeadlineExceeded")


async def test_a_run_that_a_new_one_replaces_is_not_forgotten_while_the_store_cannot_be_read(runs: StoredRuns) -> None:
    runs.cluster.storage_error = ActionError("StorageUnavailable", "no store", permanent=False)
    observed = await runs.observe(make_job(spec={"runId": "2"}, status={"runId": "1"}))
    assert (observed.run_id, observed.superseded) == ("2", "1")


def make_silent_pod(index: int, scheduled_at: float) -> PodView:
    return make_pod(map_task(index), phase=PodPhase.PENDING, reason="ContainerCreating", scheduled_at=scheduled_at)


async def test_the_cluster_speaks_for_the_pod_that_is_silent_longest(runs: StoredRuns) -> None:
    runs.cluster.pods = (make_silent_pod(0, NOW - 30), make_silent_pod(1, NOW - 40), make_silent_pod(2, NOW - 5))
    runs.cluster.warnings = {pod.uid: PodWarning(reason="FailedMount", message=pod.name) for pod in runs.cluster.pods}
    pods = (await runs.observe()).pods
    assert [pod.reason for pod in pods] == ["ContainerCreating", "FailedMount", "ContainerCreating"]
    assert pods[1].message == pods[1].name


@pytest.mark.parametrize("silent_seconds", [5.0, 40.0])
async def test_a_pod_of_which_nobody_can_say_more_stays_as_it_is(runs: StoredRuns, silent_seconds: float) -> None:
    runs.cluster.pods = (make_silent_pod(0, NOW - silent_seconds),)
    assert (await runs.observe()).pods == runs.cluster.pods
