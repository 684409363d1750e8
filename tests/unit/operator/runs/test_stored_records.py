"""What lies in a bucket is input: whatever lies where a record belongs, it is named, and everything else goes on."""

import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest
import structlog

from podreduce.contract.attempts import AttemptBatch, AttemptRecord
from podreduce.contract.bucket_sizes import encode_sizes
from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import StorageDeniedError
from podreduce.contract.layout import (
    CLAIM_KEY,
    COMMIT_INTENT_KEY,
    OUTPUT_MANIFEST_KEY,
    PLAN_KEY,
    POST_MORTEM_KEY,
    SUCCESS_KEY,
    attempts_key,
    commit_key,
    failure_key,
    run_prefix,
    shuffle_key,
)
from podreduce.contract.plan import JobIdentity, PageRef, Plan, Program
from podreduce.contract.task import (
    CommitIntent,
    CommitRecord,
    FailureRecord,
    HeavyKey,
    IntentPart,
    KeySample,
    OffsetPage,
    ShuffleManifest,
    TaskRef,
)
from podreduce.contract.wire import Wire, decode, digest_bytes, encode
from podreduce.storage import ObjectMeta, ObjectStore, open_store
from podreduce_operator.api.spec import decode_spec
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.resource_store import ListedResources
from podreduce_operator.history.write_post_mortem import read_kept, write_post_mortem
from podreduce_operator.loop.observe import observe
from podreduce_operator.model.decisions import Phase
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import Fault, Observed
from podreduce_operator.policy.decide import decide
from podreduce_operator.process.sweeper import sweep
from podreduce_operator.runs.freeze_shuffle import freeze_shuffle
from podreduce_operator.runs.kept_failures import MAX_TEXT_BYTES
from podreduce_operator.runs.output_claim import Claim, claim_output, release_output
from podreduce_operator.runs.publishing import has_leftovers, read_published
from podreduce_operator.runs.remove_run import discard_job, discard_run
from podreduce_operator.runs.run import Run, RunCache
from podreduce_operator.runs.run_records import MOST_UNREADABLE
from podreduce_operator.runs.stored_records import check_commit, limit_of
from tests.support.builders.jobs import JOB_UID, make_job, make_raw_output
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit, make_failure, make_quarantine
from tests.support.builders.tasks import map_task, reduce_task
from tests.support.quiet_cluster import QuietCluster

NOW = 1000.0
STARTED = {"runId": "1", "startTime": "1970-01-01T00:00:00Z"}
IDENTITY = JobIdentity(namespace="default", name="wordcount", uid=JOB_UID, run_id="1")
OTHER = msgspec.structs.replace(IDENTITY, name="other", uid=JOB_UID[:-1] + "f")
GONE = [msgspec.structs.replace(IDENTITY, name=name, uid=JOB_UID[:-1] + "e") for name in "abc"]


def make_manifest(generation: int = 0) -> ShuffleManifest:
    blob = make_commit(map_task(0)).blob
    assert blob is not None
    return ShuffleManifest(
        generation=generation,
        map_generations=(0, 0),
        maps=(blob, blob),
        partitions=((0,),),
        partition_bytes=(1,),
        imbalance_bytes=0.0,
        hash_imbalance_bytes=0.0,
    )


def make_part(name: str = "part-r-00000.txt", key: str | None = None) -> IntentPart:
    part = make_commit(reduce_task(0)).part
    assert part is not None
    part = part if key is None else msgspec.structs.replace(part, key=key)
    return IntentPart(name=name, task=reduce_task(0), attempt_id="a", part=part)


@dataclass(kw_only=True)
class Stored:
    """A run of the default job in a memory store, with one good commit and one good failure."""

    bucket: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        self.cluster = QuietCluster(work_uri=f"memory://{self.bucket}/work/")
        self.output = open_store(f"memory://{self.bucket}/counts/")
        self.work = self.prefix(IDENTITY)
        self.work.put(PLAN_KEY, self.plan())
        self.work.put(commit_key(map_task(0), 0), encode(make_commit(map_task(0), bucket_bytes=encode_sizes([1] * 16))))
        self.work.put(failure_key(map_task(0), "x"), encode(make_failure(map_task(0), attempt_id="x")))

    def plan(self, job: JobIdentity = IDENTITY) -> bytes:
        return encode(make_plan(output_uri=self.output.uri_of(""), job=job, spec=dict(self.job().raw_spec)))

    def job(self, status: dict[str, object] | None = None) -> JobView:
        return make_job(status=status or STARTED, spec={"output": make_raw_output(uri=self.output.uri_of(""))})

    def intent(self, *parts: IntentPart, **changes: str) -> bytes:
        fields = {"output_uri": self.output.uri_of(""), "if_exists": "Fail"} | changes
        return encode(CommitIntent(**fields, parts=parts))

    def prefix(self, run: JobIdentity) -> ObjectStore:
        prefix = run_prefix("local", run.namespace, run.name, run.uid, run.run_id)
        return open_store(f"memory://{self.bucket}/work/{prefix}")

    def storage(self) -> JobStorage:
        return JobStorage(work_uri=self.cluster.work_uri, installation="local", settings=StorageSettings())

    def own_storage(self) -> JobStorage:
        return self.storage()

    async def list_job_uids(self) -> ListedResources:
        return ListedResources(uids=frozenset({JOB_UID}), places=frozenset({None}))

    async def observe(self, status: dict[str, object] | None = None) -> tuple[Observed, Run | None]:
        return await observe(self.job(status), self.cluster, RunCache(), Limits(), NOW)


@pytest.fixture
def stored() -> Stored:
    return Stored()


M1, F1 = commit_key(map_task(1), 0), failure_key(map_task(1), "y")

RECORDS: dict[str, Callable[[Stored], bytes]] = {
    PLAN_KEY: lambda stored: stored.plan(),
    M1: lambda _: encode(make_commit(map_task(1))),
    F1: lambda _: encode(make_failure(map_task(1), attempt_id="y")),
    shuffle_key(0): lambda _: encode(make_manifest(0)),
    COMMIT_INTENT_KEY: lambda stored: stored.intent(make_part()),
}
"""A good record for every key that a pass reads."""

TYPES: dict[str, type[Wire]] = {
    PLAN_KEY: Plan,
    M1: CommitRecord,
    F1: FailureRecord,
    shuffle_key(0): ShuffleManifest,
    COMMIT_INTENT_KEY: CommitIntent,
}

SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "no JSON": lambda _: b"PK\x03\x04 a zip",
    "no text": lambda good: good.replace(b'"', b"\xff"),
    "cut": lambda good: good[:-2],
    "a record of another type": lambda _: encode(Claim(installation="x", job=IDENTITY)),
    "a field of another type": lambda good: good.replace(b":1", b':"one"').replace(b":0", b':"none"'),
    "nested without end": lambda _: b'{"spec":' * 100_000,
    "a list": lambda _: b"[]",
}

FOREIGN: dict[str, tuple[str, Callable[[Stored], bytes]]] = {
    "another job's plan": (PLAN_KEY, lambda stored: stored.plan(OTHER)),
    "another task's commit": (M1, lambda _: encode(make_commit(map_task(0)))),
    "another generation's commit": (M1, lambda _: encode(make_commit(map_task(1), generation=7))),
    "a commit that the plan does not have": (
        commit_key(map_task(2), 0),
        lambda _: encode(make_commit(map_task(2))),
    ),
    "a commit under no task's name": ("commits/what.json", lambda _: encode(make_commit(map_task(1)))),
    "sizes that do not unpack": (M1, lambda _: encode(make_commit(map_task(1), bucket_bytes=b"sizes"))),
    "sizes that unpack to 80 MB": (
        M1,
        lambda _: encode(make_commit(map_task(1), bucket_bytes=encode_sizes([0] * 10_000_000))),
    ),
    "a commit without its blob": (M1, lambda _: encode(make_commit(map_task(1), blob=None))),
    "a commit of a reduce that the plan does not have": (
        commit_key(reduce_task(1), 0),
        lambda _: encode(make_commit(reduce_task(1))),
    ),
    "a commit of two thousand counters more": (
        M1,
        lambda _: encode(make_commit(map_task(1), counters={"g": {f"c{number}": 1 for number in range(2200)}})),
    ),
    "a commit of a counter with a long name": (
        M1,
        lambda _: encode(make_commit(map_task(1), counters={"g": {"c" * 201: 1}})),
    ),
    "sizes of exabytes": (M1, lambda _: encode(make_commit(map_task(1), bucket_bytes=encode_sizes([1 << 63] * 16)))),
    "a sample of a very long key": (
        M1,
        lambda _: encode(make_commit(map_task(1), key_samples=(KeySample(b"k" * 5000, 1),))),
    ),
    "a heaviest key that is very long": (
        M1,
        lambda _: encode(
            make_commit(
                map_task(1),
                heavy_keys=(HeavyKey(key="k", encoded=b"k" * 5000, bucket=0, size_bytes=1, values=1),),
            )
        ),
    ),
    "a manifest of no partition": (
        shuffle_key(0),
        lambda _: encode(msgspec.structs.replace(make_manifest(0), partitions=(), partition_bytes=())),
    ),
    "another task's failure": (F1, lambda _: encode(make_failure(map_task(0), attempt_id="y"))),
    "another attempt's failure": (F1, lambda _: encode(make_failure(map_task(1), attempt_id="z"))),
    "another generation's manifest": (shuffle_key(0), lambda _: encode(make_manifest(2))),
    "a manifest of fewer maps": (
        shuffle_key(0),
        lambda _: encode(msgspec.structs.replace(make_manifest(0), map_generations=(0,))),
    ),
    "a manifest without sizes": (
        shuffle_key(0),
        lambda _: encode(msgspec.structs.replace(make_manifest(0), partition_bytes=())),
    ),
    "an intent for another output": (COMMIT_INTENT_KEY, lambda stored: stored.intent(output_uri="file:///etc/")),
    "an intent that names a task twice": (
        COMMIT_INTENT_KEY,
        lambda stored: stored.intent(make_part(), make_part()),
    ),
    "an intent that replaces": (COMMIT_INTENT_KEY, lambda stored: stored.intent(if_exists="Replace")),
    "an intent with a name of its own": (COMMIT_INTENT_KEY, lambda stored: stored.intent(make_part("_SUCCESS"))),
    "an intent with somebody else's part": (
        COMMIT_INTENT_KEY,
        lambda stored: stored.intent(make_part(key="_podreduce-other-1/r-0-a")),
    ),
}

HOSTILE_NUMBERS = (-1, -(1 << 63), 1 << 64, 10**300, 1e308, -1e308)


def number_places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of every number of a record, but its version and the user's: spec and counters."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield place
    elif isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            if name not in {"schema", "spec", "counters"}:
                yield from number_places(item, (*place, name))


def with_number(good: bytes, place: tuple[str | int, ...], number: float) -> bytes:
    """Return the record with this number at this place."""
    record = within = json.loads(good)
    for name in place[:-1]:
        within = within[name]
    within[place[-1]] = number
    return json.dumps(record).encode()


def full_record(key: str, stored: "Stored") -> bytes:
    """Return a good record with a number in each of its fields."""
    match key:
        case _ if key == M1:
            heavy = HeavyKey(key="k", encoded=b"k", bucket=3, size_bytes=1, values=1)
            fields: dict[str, Any] = {
                "bucket_bytes": (1,) * 16,
                "key_samples": (KeySample(b"k", 1),),
                "heavy_keys": (heavy,),
                "encoded_bytes": 1,
                "quarantine": make_quarantine(),
            }
            return encode(make_commit(map_task(1), **fields))
        case _ if key == F1:
            return encode(make_failure(map_task(1), attempt_id="y", lost=(map_task(0), 0), exit_code=1))
        case _ if key == shuffle_key(0):
            page = OffsetPage(key="data/offsets/x", first_map=0, maps=2, width=4)
            return encode(msgspec.structs.replace(make_manifest(0), offset_pages=(page,)))
        case _ if key == PLAN_KEY:
            pages = (PageRef(number=0, first_shard=0, digest="0" * 64),)
            return encode(msgspec.structs.replace(decode(stored.plan(), Plan), pages=pages))
    return RECORDS[key](stored)


NUMBERS: dict[str, tuple[str, Callable[["Stored"], bytes]]] = {
    f"{key}: {number:.3g} as {'.'.join(map(str, place))}": (
        key,
        lambda stored, key=key, place=place, number=number: with_number(full_record(key, stored), place, number),
    )
    for key in RECORDS
    for place in number_places(json.loads(full_record(key, Stored())))
    for number in HOSTILE_NUMBERS
    if not (place[-1] == "exitCode" and number == -1)
}
"""Every number of every record, replaced by each hostile one."""

LARGE: dict[str, tuple[str, Callable[["Stored"], bytes]]] = {
    f"{key}: {name}": (key, lambda stored, key=key, make=make: make(RECORDS[key](stored), limit_of(TYPES[key])))
    for key in RECORDS
    for name, make in {
        "one byte too large": lambda good, limit: good + b" " * (limit.bytes + 1 - len(good)),
        "too many empty lists": lambda good, limit: good[:-1] + b',"more":[' + b"[]," * (limit.values // 2) + b"[]]}",
        "too many objects": lambda good, limit: good[:-1] + b',"more":[' + b"{}," * (limit.values // 2) + b"{}]}",
    }.items()
}

CASES = {
    **{f"{key}: {name}": (key, lambda stored, key=key, name=name: SPOILED[name](RECORDS[key](stored)))
       for key in RECORDS for name in SPOILED},
    **FOREIGN,
    **NUMBERS,
    **LARGE,
}  # fmt: skip


@pytest.mark.parametrize("key", RECORDS)
async def test_a_good_record_is_no_fault(stored: Stored, key: str) -> None:
    stored.work.put(key, RECORDS[key](stored))
    observed, _ = await stored.observe()
    assert observed.faults == ()


@pytest.mark.parametrize(("partitions", "task", "fits"), [
    (3, map_task(0), {"blob", "part"}), (0, map_task(0), {"part"}), (None, map_task(0), {"blob", "part"}),
    (3, reduce_task(0), {"part"}), (None, reduce_task(0), {"part"}),
])  # fmt: skip
@pytest.mark.parametrize("output", ["blob", "part", "none"])
def test_a_commit_names_the_output_that_its_task_may_have(
    partitions: int | None, task: TaskRef, fits: set[str], output: str
) -> None:
    outputs = {"blob": make_commit(map_task(0)).blob, "part": make_commit(reduce_task(0)).part}
    commit = make_commit(task, **{name: value if name == output else None for name, value in outputs.items()})
    expected = nullcontext() if output in fits else pytest.raises(ActionError, match="it names no output")
    with expected:
        check_commit(commit_key(task, 0), commit, make_plan(partitions=partitions), "s3://b/commit.json")


@pytest.mark.parametrize("case", CASES)
async def test_what_is_no_record_fails_the_run_by_its_name_and_hides_no_other(stored: Stored, case: str) -> None:
    key, spoil = CASES[case]
    stored.work.put(key, spoil(stored))
    observed, run = await stored.observe()
    assert run is not None
    assert [(fault.reason, fault.permanent) for fault in observed.faults] == [("RecordUnreadable", True)]
    assert stored.work.uri_of(key) in observed.faults[0].message
    if key != PLAN_KEY:
        assert set(observed.commits) == {map_task(0)}
        assert set(observed.failures) == {map_task(0)}
    verdict = decide(observed, NOW).verdict
    assert (verdict.phase, verdict.reason) == (Phase.FAILED, "RecordUnreadable")


@pytest.mark.parametrize("case", CASES)
async def test_a_run_that_ended_is_tidied_whatever_lies_there(stored: Stored, case: str) -> None:
    key, spoil = CASES[case]
    stored.work.put(key, spoil(stored))
    stored.work.put("data/map/0/a", b"blob")
    ended = {"type": "Failed", "status": "True", "reason": "RecordUnreadable", "message": ""}
    observed, _ = await stored.observe({**STARTED, "conditions": [ended], "completionTime": "1970-01-01T00:10:00Z"})
    assert observed.faults == ()
    assert "remove intermediates" in str(decide(observed, NOW)) or observed.has_intermediates


class Listing:
    """The run's store, which notes the prefixes that are listed."""

    def __init__(self, store: ObjectStore) -> None:
        self.store, self.listed = store, set[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def list_async(self, prefix: str, **how: Any) -> AsyncIterator[ObjectMeta]:
        self.listed.add(prefix)
        return self.store.list_async(prefix, **how)


async def test_what_lies_beside_a_runs_records_is_not_even_listed(stored: Stored) -> None:
    for key in ("shuffle-x.json", "shuffle-7.json", "a", "z/z", "plan/z"):
        stored.work.put(key, b"junk")
    observed, run = await stored.observe()
    assert run is not None
    listing = run.records.store = Listing(run.work)  # type: ignore[assignment]
    await run.records.relist()
    assert (observed.faults, run.records.unreadable) == ((), {})
    assert listing.listed == {"commits/", "failures/"}


@pytest.mark.parametrize("generations", [1, 2, 5])
async def test_the_newest_manifest_counts(stored: Stored, generations: int) -> None:
    cache, seen = RunCache(), []
    for generation in range(generations):
        stored.work.put(shuffle_key(generation), encode(make_manifest(generation)))
        for each in (cache, RunCache()):
            observed, _ = await observe(stored.job(), stored.cluster, each, Limits(), NOW)
            assert observed.shuffle is not None
            seen.append(observed.shuffle.generation)
    assert seen == [generation for generation in range(generations) for _ in "ab"]


async def test_a_record_that_is_put_right_counts_again(stored: Stored) -> None:
    cache = RunCache()
    seen: list[tuple[Fault, ...]] = []
    for data in (b"{}", RECORDS[PLAN_KEY](stored)):
        stored.work.put(PLAN_KEY, data)
        seen.append((await observe(stored.job(), stored.cluster, cache, Limits(), NOW))[0].faults)
    assert [len(faults) for faults in seen] == [1, 0]


PLANS = {name: spoil for name, (key, spoil) in CASES.items() if key == PLAN_KEY}


@pytest.mark.parametrize("case", PLANS)
async def test_a_sweep_names_the_plan_that_it_cannot_use_and_removes_all_others(stored: Stored, case: str) -> None:
    before, bad, after = GONE
    for run in GONE:
        stored.prefix(run).put(PLAN_KEY, stored.plan(run))
    stored.prefix(bad).put(PLAN_KEY, PLANS[case](stored))
    with structlog.testing.capture_logs() as logs:
        await sweep(stored.own_storage(), stored.list_job_uids)
    left = [bool(list(stored.prefix(run).list(""))) for run in (before, bad, after)]
    assert left == [False, True, False]
    told = [log for log in logs if log["log_level"] != "info"]
    assert [stored.prefix(bad).uri_of(PLAN_KEY) in log["error"] for log in told] == [True]


@pytest.mark.parametrize("case", [case for case in CASES if case not in PLANS])
async def test_a_sweep_needs_nothing_but_the_plan(stored: Stored, case: str) -> None:
    key, spoil = CASES[case]
    gone = stored.prefix(GONE[0])
    gone.put(PLAN_KEY, stored.plan(GONE[0]))
    gone.put(key, spoil(stored))
    await sweep(stored.own_storage(), stored.list_job_uids)
    assert list(gone.list("")) == []


@pytest.mark.parametrize("case", CASES)
async def test_a_deleted_jobs_data_go_whatever_lies_there(stored: Stored, case: str) -> None:
    key, spoil = CASES[case]
    stored.work.put(key, spoil(stored))
    job = stored.job()
    stored.output.put(f"_podreduce-{JOB_UID}-1/r-0-a", b"staged")
    await discard_job(job, stored.cluster, RunCache())
    assert list(stored.work.list("")) == []
    assert list(stored.output.list("")) == []


async def test_a_run_that_cannot_be_removed_holds_up_none_of_its_job(stored: Stored) -> None:
    first, second = (msgspec.structs.replace(IDENTITY, run_id=run_id) for run_id in "12")
    nowhere = encode(make_plan(output_uri="s3://no//bucket/", job=first))
    stored.prefix(first).put(PLAN_KEY, nowhere)
    stored.prefix(second).put(PLAN_KEY, stored.plan(second))
    await discard_job(make_job(), stored.cluster, RunCache())
    assert list(stored.prefix(second).list("")) == []


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff"])
async def test_a_claim_that_cannot_be_read_is_named_and_is_nobodys(stored: Stored, data: bytes) -> None:
    stored.output.put(CLAIM_KEY, data)
    claim = Claim(installation="local", job=IDENTITY)
    with pytest.raises(ActionError, match=stored.output.uri_of(CLAIM_KEY)):
        await claim_output(stored.output, claim)
    assert not await has_leftovers(stored.output, claim)
    await release_output(stored.output, claim)
    assert stored.output.get(CLAIM_KEY) == data


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff"])
async def test_an_output_with_a_foreign_manifest_is_not_published(stored: Stored, data: bytes) -> None:
    stored.output.put(SUCCESS_KEY, b"")
    stored.output.put(OUTPUT_MANIFEST_KEY, data)
    assert await read_published(stored.output, JOB_UID, "1") is None


async def test_kept_attempts_that_cannot_be_read_are_named_and_left_out(stored: Stored) -> None:
    good, bad = attempts_key(1.0, "a" * 16), attempts_key(2.0, "b" * 16)
    stored.work.put(good, encode(AttemptBatch(attempts=())))
    stored.work.put(bad, b"{")
    _, run = await stored.observe()
    assert run is not None
    with structlog.testing.capture_logs() as logs:
        await read_kept(run)
    assert [stored.work.uri_of(bad) in log["error"] for log in logs] == [True]


async def test_a_superseded_run_with_a_bad_plan_is_removed(stored: Stored) -> None:
    stored.work.put(PLAN_KEY, b"{}")
    with pytest.raises(ActionError):
        await discard_run(stored.storage(), IDENTITY)
    await discard_run(stored.storage(), IDENTITY, output_uri=stored.output.uri_of(""))
    assert list(stored.work.list("")) == []


PLANTED: dict[str, dict[str, Any]] = {
    "an image": {"spec": {"image": "evil/image"}},
    "a podTemplate": {"spec": {"podTemplate": {"spec": {"serviceAccountName": "cluster-admin"}}}},
    "chaos": {"spec": {"chaos": {"killPercent": 1}}},
    "a program": {"program": Program(source="class Evil: ...")},
    "a module": {"program": Program(module="evil")},
    "an output": {"output_uri": "file:///etc/"},
    "what replaces": {"if_exists": "Replace"},
}


@pytest.mark.parametrize("with_intent", [False, True], ids=["alone", "with an intent"])
@pytest.mark.parametrize("planted", PLANTED)
async def test_no_pod_is_made_of_a_plan_that_the_job_does_not_vouch_for(
    stored: Stored, planted: str, *, with_intent: bool
) -> None:
    changes = dict(PLANTED[planted])
    spec = {**stored.job().raw_spec, **changes.pop("spec", {})}
    fields = {"output_uri": stored.output.uri_of(""), "spec": spec} | changes
    plan = make_plan(**fields)
    stored.work.put(PLAN_KEY, encode(plan))
    if with_intent:
        intent = CommitIntent(output_uri=plan.output_uri, if_exists=plan.if_exists, parts=())
        stored.work.put(COMMIT_INTENT_KEY, encode(intent))
    observed, _ = await stored.observe()
    decision = decide(observed, NOW)
    assert decision.actions == ()
    assert (decision.verdict.phase, decision.verdict.reason) == (Phase.FAILED, "PlanMismatch")
    assert stored.work.uri_of(PLAN_KEY) in decision.verdict.message


async def test_a_plan_that_the_status_names_stays_when_the_spec_changes(stored: Stored) -> None:
    digest = digest_bytes(stored.work.get(PLAN_KEY))
    job = stored.job({**STARTED, "planDigest": digest})
    changed = replace(job, raw_spec={**job.raw_spec, "image": "another"})
    observed, _ = await observe(changed, stored.cluster, RunCache(), Limits(), NOW)
    assert observed.faults == ()


async def test_chaos_in_a_plan_needs_leave_too(stored: Stored) -> None:
    job = stored.job()
    raw = {**job.raw_spec, "chaos": {"killPercent": 1}}
    stored.work.put(PLAN_KEY, encode(make_plan(output_uri=stored.output.uri_of(""), spec=raw)))
    observed, _ = await observe(replace(job, raw_spec=raw), stored.cluster, RunCache(), Limits(), NOW)
    assert observed.faults == ()
    assert decide(observed, NOW).verdict.reason == "ChaosNotAllowed"


@pytest.mark.parametrize("uri", ["file:///etc/", "memory://x/", "http://x/"])
def test_in_a_cluster_only_s3_is_opened(uri: str) -> None:
    storage = JobStorage(work_uri="s3://b/", installation="here", settings=StorageSettings(), only_s3=True)
    with pytest.raises(StorageDeniedError, match="only s3://"):
        storage.open(uri)


async def test_a_planted_program_is_not_taken_for_a_config_maps(stored: Stored) -> None:
    job = stored.job()
    raw = {**job.raw_spec, "program": {"sourceFrom": {"configMapKeyRef": {"name": "wordcount", "key": "job.py"}}}}
    job = replace(job, raw_spec=raw, spec=decode_spec(raw))
    stored.cluster.sources["wordcount", "job.py"] = "class Job: ..."
    seen = []
    for source in ("class Evil: ...", "class Job: ..."):
        plan = make_plan(output_uri=stored.output.uri_of(""), spec=raw, program=Program(source=source))
        stored.work.put(PLAN_KEY, encode(plan))
        observed, _ = await observe(job, stored.cluster, RunCache(), Limits(), NOW)
        seen.append([fault.reason for fault in observed.faults])
    assert seen == [["PlanMismatch"], []]


async def test_a_spec_that_changes_while_it_is_planned_does_not_fail_the_run(stored: Stored) -> None:
    cache, job = RunCache(), stored.job()
    run = cache.open(job, "1", stored.storage())
    run.records.written_plan = digest_bytes(stored.work.get(PLAN_KEY))
    changed = replace(job, raw_spec={**job.raw_spec, "image": "another"})
    observed, _ = await observe(changed, stored.cluster, cache, Limits(), NOW)
    assert observed.faults == ()


async def test_a_plan_that_is_not_the_runs_is_not_kept(stored: Stored) -> None:
    stored.work.put(PLAN_KEY, encode(make_plan(output_uri="file:///etc/")))
    observed, run = await stored.observe()
    assert [fault.reason for fault in observed.faults] == ["PlanMismatch"]
    assert run is not None
    assert run.records.plan is None


async def test_of_many_objects_that_are_no_records_only_the_first_are_noted(stored: Stored) -> None:
    for number in range(300):
        stored.work.put(commit_key(map_task(number), 7), b"garbage")
    observed, run = await stored.observe()
    assert [fault.reason for fault in observed.faults] == ["RecordUnreadable"]
    assert run is not None
    assert len(run.records.unreadable) == MOST_UNREADABLE


async def test_what_is_told_of_a_wrong_record_is_short(stored: Stored) -> None:
    words = "x" * 100_000
    stored.work.put(M1, encode(make_commit(map_task(1))).replace(b'"map"', f'"{words}"'.encode()))
    stored.work.put(PLAN_KEY, stored.plan(msgspec.structs.replace(OTHER, name=words)))
    observed, _ = await stored.observe()
    assert [fault.reason for fault in observed.faults] == ["RecordUnreadable"]
    stored.work.put(PLAN_KEY, stored.plan())
    _, run = await stored.observe()
    assert run is not None
    assert list(run.records.unreadable) == [M1]
    messages = [fault.message for fault in observed.faults] + [str(each) for each in run.records.unreadable.values()]
    assert max(map(len, messages)) < 1500


async def test_the_long_texts_of_a_failure_are_cut(stored: Stored) -> None:
    failure = make_failure(map_task(1), attempt_id="y", message="m" * 500_000, traceback="t" * 500_000)
    stored.work.put(F1, encode(failure))
    observed, _ = await stored.observe()
    assert observed.faults == ()
    found = observed.failures[map_task(1)][0]
    assert len(found.message + found.traceback + found.record) < 3 * MAX_TEXT_BYTES


COMMITS: dict[str, list[dict[str, Any]]] = {
    "sizes of fewer buckets": [{"bucket_bytes": encode_sizes([1])}] * 2,
    "no sizes": [{"bucket_bytes": b""}] * 2,
    "sizes of different buckets": [{"bucket_bytes": encode_sizes([1] * number)} for number in (16, 3)],
    "sizes larger than the blob": [{"bucket_bytes": encode_sizes([1 << 44] * 16)}] * 2,
    "nothing": [{"bucket_bytes": encode_sizes([0] * 16)}] * 2,
    "a program's own partitions": [{"bucket_bytes": encode_sizes([1]), "user_partitioned": True}] * 2,
}


@pytest.mark.parametrize("order", ["Partition", "Total"])
@pytest.mark.parametrize("partitions", [None, 1, 5])
@pytest.mark.parametrize("case", COMMITS)
async def test_commits_that_say_something_wrong_are_frozen_or_named(
    stored: Stored, case: str, partitions: int | None, order: str
) -> None:
    job = msgspec.structs.replace(IDENTITY)
    fields = {"order": order, "spec": dict(stored.job().raw_spec), "output_uri": stored.output.uri_of("")}
    stored.work.put(PLAN_KEY, encode(make_plan(job=job, partitions=partitions, user_partitions=5, **fields)))
    for index, changes in enumerate(COMMITS[case]):
        samples = (KeySample(b"k", 0), KeySample(b"a", 1 << 44))
        commit = make_commit(map_task(index), key_samples=samples if order == "Total" else (), **changes)
        stored.work.put(commit_key(map_task(index), 0), encode(commit))
    _, run = await stored.observe()
    assert run is not None
    assert run.records.unreadable.keys() <= {commit_key(map_task(index), 0) for index in (0, 1)}
    if not run.records.unreadable:
        with suppress(ActionError):
            await freeze_shuffle(run, 4)
            observed, _ = await stored.observe()
            assert observed.faults == ()
            assert observed.shuffle is not None


async def test_attempts_without_end_are_left_out_of_the_post_mortem(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("podreduce_operator.history.attempt_merge.MOST_PACKED_BYTES", 10_000)
    for number in range(20):
        attempts = tuple(make_attempt(f"a{number}-{each}") for each in range(100))
        stored.work.put(attempts_key(float(number), "a" * 16), encode(AttemptBatch(attempts=attempts)))
    _, run = await stored.observe()
    assert run is not None
    with structlog.testing.capture_logs() as logs:
        kept = await read_kept(run)
    assert 0 < len(kept.ids) < 2000
    assert ["attempts/ has more attempts than a run makes" in log["error"] for log in logs] == [True]


def make_attempt(attempt_id: str) -> AttemptRecord:
    return AttemptRecord(
        task=map_task(0), generation=0, ordinal=1, attempt_id=attempt_id, pod_name="p", kept_at=1.0, phase="Running"
    )


@pytest.mark.parametrize("number", HOSTILE_NUMBERS)
async def test_the_post_mortem_is_written_whatever_the_kept_attempts_say(stored: Stored, number: float) -> None:
    names = ("createdAt", "scheduledAt", "startedAt", "finishedAt", "deletedAt")
    whole = ("generation", "ordinal", "exitCode", "cpuMillis", "memoryBytes")
    record = json.loads(encode(make_attempt("a")))
    for each in (*names, *(whole if isinstance(number, int) else ())):
        spoiled = json.dumps({"schema": 1, "attempts": [{**record, each: number}]}).encode()
        stored.work.put(attempts_key(1.0, "a" * 16), spoiled)
        stored.work.delete(POST_MORTEM_KEY)
        _, run = await stored.observe()
        assert run is not None
        await write_post_mortem(run, stored.cluster, ())
        assert stored.work.exists(POST_MORTEM_KEY)
