"""Records take a bounded part of the operator's memory, and the job that takes most is the one that ends."""

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.environment import StorageSettings
from podreduce.contract.layout import COMMIT_INTENT_KEY, PLAN_KEY, POST_MORTEM_KEY, commit_key, failure_key
from podreduce.contract.plan import JobIdentity
from podreduce.contract.task import BlobRef, CommitIntent, HeavyKey, KeySample
from podreduce.contract.wire import encode
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.history.write_post_mortem import write_post_mortem
from podreduce_operator.loop.observe import observe
from podreduce_operator.model.decisions import Phase
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import Observed
from podreduce_operator.policy.decide import decide
from podreduce_operator.runs.record_budget import RecordBudget, size_of
from podreduce_operator.runs.run import Run, RunCache
from tests.support.builders.jobs import JOB_UID, make_job, make_raw_output
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task
from tests.support.quiet_cluster import QuietCluster
from tests.support.searching import tries

NOW = 1000.0
STARTED = {"runId": "1", "startTime": "1970-01-01T00:00:00Z"}
PLAN_BYTES = 8000
COMMIT_BYTES = size_of(make_commit(map_task(0)))


@dataclass
class Tenants:
    """Jobs of several namespaces in one process, whose records may take so many commits' memory together."""

    commits: float
    cache: RunCache = field(init=False)
    bucket: str = field(default_factory=lambda: uuid4().hex)

    def __post_init__(self) -> None:
        self.cache = RunCache(budget=RecordBudget(most_bytes=self.commits * COMMIT_BYTES))

    def job(self, namespace: str, name: str) -> JobView:
        output = make_raw_output(uri=f"memory://{self.bucket}/{namespace}/{name}/")
        return make_job(namespace=namespace, name=name, status=STARTED, spec={"output": output})

    def run(self, namespace: str, name: str) -> Run:
        work_uri = f"memory://{self.bucket}/work/"
        storage = JobStorage(work_uri=work_uri, installation="local", settings=StorageSettings())
        return self.cache.open(self.job(namespace, name), "1", storage)

    def add(self, namespace: str, name: str, commits: range, *, shards: int = 1000) -> None:
        job, work = self.job(namespace, name), self.run(namespace, name).work
        identity = JobIdentity(namespace=namespace, name=name, uid=JOB_UID, run_id="1")
        output = job.spec.output.uri
        work.put(PLAN_KEY, encode(make_plan(job=identity, output_uri=output, spec=dict(job.raw_spec), shards=shards)))
        for index in commits:
            work.put(commit_key(map_task(index), 0), encode(make_commit(map_task(index))))

    async def observe(self, namespace: str, name: str) -> Observed:
        cluster = QuietCluster(work_uri=f"memory://{self.bucket}/work/")
        self.run(namespace, name).records._pace.demand()  # noqa: SLF001 - a pass that lists
        return (await observe(self.job(namespace, name), cluster, self.cache, Limits(), NOW))[0]

    async def reasons(self, namespace: str, name: str) -> list[tuple[str, bool]]:
        return [(fault.reason, fault.permanent) for fault in (await self.observe(namespace, name)).faults]


async def test_a_run_with_too_many_records_fails_and_says_so() -> None:
    tenants = Tenants(commits=100)
    tenants.add("evil", "job", range(80))
    tenants.add("good", "job", range(20))
    observed = await tenants.observe("evil", "job")
    verdict = decide(observed, NOW).verdict
    assert (verdict.phase, verdict.reason) == (Phase.FAILED, "RecordsTooLarge")
    assert "spec.map" in verdict.message
    assert len(observed.commits) <= 50
    assert await tenants.reasons("good", "job") == []


async def test_if_all_together_take_too_much_the_largest_of_the_largest_tenant_ends() -> None:
    tenants = Tenants(commits=100)
    tenants.add("good", "large", range(40))
    for name, commits in (("a", 20), ("b", 20)):
        tenants.add("evil", name, range(commits))
    told = {name: await tenants.reasons(*name) for name in (("good", "large"), ("evil", "a"), ("evil", "b"))}
    assert set(map(tuple, told.values())) == {()}
    tenants.add("good", "late", range(30))
    assert await tenants.reasons("good", "late") == [("RecordMemoryFull", False)]
    assert await tenants.reasons("evil", "b") == []
    assert await tenants.reasons("good", "large") == [("RecordsTooLarge", True)]
    tenants.cache.forget(tenants.job("good", "large"))
    assert await tenants.reasons("good", "late") == []


async def test_a_run_that_failed_for_its_records_holds_none_though_it_cannot_be_cleaned_up() -> None:
    tenants = Tenants(commits=100)
    tenants.add("evil", "job", range(80))
    assert await tenants.reasons("evil", "job") == [("RecordsTooLarge", True)]
    failed = {"type": "Failed", "status": "True", "reason": "RecordsTooLarge", "message": ""}
    status = {**STARTED, "conditions": [failed], "completionTime": "1970-01-01T00:10:00Z"}
    cluster = QuietCluster(work_uri=f"memory://{tenants.bucket}/work/")
    ended = replace(tenants.job("evil", "job"), status=status)
    for _ in range(2):
        _, run = await observe(ended, cluster, tenants.cache, Limits(), NOW)
        assert tenants.cache.budget.total_bytes < PLAN_BYTES
    assert run is not None
    await write_post_mortem(run, cluster, ())
    assert tenants.cache.budget.total_bytes < PLAN_BYTES
    assert run.work.exists(POST_MORTEM_KEY)


@pytest.mark.parametrize("records", ["failures", "outdated"])
async def test_other_records_count_too(records: str) -> None:
    tenants = Tenants(commits=10)
    tenants.add("evil", "job", range(1), shards=1)
    work = tenants.run("evil", "job").work
    for number in range(200):
        attempt = f"a{number}"
        if records == "failures":
            work.put(failure_key(map_task(0), attempt), encode(make_failure(map_task(0), attempt_id=attempt)))
        else:
            commit = make_commit(map_task(0), generation=number, attempt_id=attempt)
            work.put(commit_key(map_task(0), number), encode(commit))
    assert await tenants.reasons("evil", "job") == [("RecordsTooLarge", True)]


async def test_a_run_past_its_intent_goes_on_whatever_its_records_take() -> None:
    tenants = Tenants(commits=10)
    tenants.add("good", "job", range(20))
    uri = tenants.job("good", "job").spec.output.uri
    intent = CommitIntent(output_uri=uri, if_exists="Fail", parts=())
    tenants.run("good", "job").work.put(COMMIT_INTENT_KEY, encode(intent))
    observed = await tenants.observe("good", "job")
    assert observed.has_intent
    assert observed.faults == ()


async def test_a_run_whose_post_mortem_is_not_wanted_holds_nothing() -> None:
    tenants = Tenants(commits=100)
    tenants.add("good", "job", range(30))
    await tenants.observe("good", "job")
    records = tenants.run("good", "job").records
    assert tenants.cache.budget.total_bytes > 30 * COMMIT_BYTES / 2
    records.forget_tasks()
    assert tenants.cache.budget.total_bytes < PLAN_BYTES
    assert len(records.commits) == 0
    await tenants.observe("good", "job")
    assert len(records.commits) == 30


TEXT = "x" * 900
KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "plain": lambda _: {},
    "long names": lambda index: {"attempt_id": f"{index}{TEXT}", "blob": BlobRef(key=f"{index}{TEXT}", **FOOTER)},
    "other letters": lambda index: {"attempt_id": f"{index}\N{SNOWMAN}{TEXT}"},
    "counters": lambda index: {"counters": {"g": {f"counter {number} of {index}": 1 for number in range(20)}}},
    "samples": lambda index: {
        "key_samples": tuple(KeySample(f"{index} {n} {TEXT[:200]}".encode(), 1) for n in range(50))
    },
    "heaviest keys": lambda index: {
        "heavy_keys": tuple(
            HeavyKey(key=f"{index} {number}", encoded=b"x" * 256, bucket=number, size_bytes=1 << 40, values=1)
            for number in range(4)
        )
    },
}
FOOTER: dict[str, int] = {"bytes": 10, "footer_offset": 5, "footer_crc32": 0}
MAPS = 300


@pytest.mark.parametrize("kind", KINDS)
async def test_the_budget_counts_about_what_records_take(kind: str) -> None:
    tenants = Tenants(commits=10_000)
    tenants.add("good", "job", range(0), shards=MAPS)
    run = tenants.run("good", "job")
    for index in range(MAPS):
        commit = make_commit(map_task(index), **KINDS[kind](index))
        run.work.put(commit_key(commit.task, 0), encode(commit))
    tracemalloc.start()
    try:
        await run.records.relist()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(run.records.commits) == MAPS
    assert tenants.cache.budget.total_bytes / 2 - 200_000 < held < tenants.cache.budget.total_bytes * 1.5 + 200_000


@settings(max_examples=tries(100), deadline=None)
@given(takes=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.integers(3, 5)), max_size=60))
def test_the_budget_is_never_exceeded_and_no_namespace_below_its_share_is_ended(
    takes: list[tuple[str, str, int]],
) -> None:
    budget = RecordBudget(most_bytes=100)
    for namespace, name, size_bytes in takes:
        share = budget.share(f"{namespace}/{name}", JobKey(namespace=namespace, name=name))
        with suppress(ActionError):
            share.take(size_bytes)
        assert budget.total_bytes == sum(each.bytes for each in budget.shares.values()) <= 100
    for share in budget.shares.values():
        if share.must_end:
            own = [each for each in budget.shares.values() if each.job.namespace == share.job.namespace]
            assert sum(each.bytes for each in own) >= 95 / 3, "no less than an even share of what was full"
