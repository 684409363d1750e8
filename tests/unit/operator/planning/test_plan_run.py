import asyncio
import uuid
from dataclasses import replace
from typing import Any

import pytest

from podreduce.contract.layout import PLAN_KEY, shard_page_key
from podreduce.contract.plan import Owner, Plan, ShardPage
from podreduce.contract.wire import decode, digest_bytes
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.api.spec import pinned_fields
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.planning.plan_run import plan_run
from podreduce_operator.runs.output_claim import Claim, claim_output, read_claim
from podreduce_operator.runs.publishing import has_leftovers, remove_staged
from podreduce_operator.runs.remove_run import remove_intermediates
from podreduce_operator.runs.run import Run, RunCache
from tests.support.builders.jobs import make_job, make_raw_output
from tests.support.quiet_cluster import QuietCluster

MAPS = "class {}:\n    def map_func(self, key, value):\n        yield key, value\n"
OTHER_UID = "6f0c4a52-0000-4000-8000-000000000002"


class PlanningWorld:
    """An input object, an empty output, and a cluster that knows some jobs."""

    def __init__(self) -> None:
        self.place = f"memory://{uuid.uuid4().hex}/"
        self.cluster = QuietCluster(work_uri=f"{self.place}work/")
        open_store(self.place).put("in/a.txt", b"one\ntwo\n")

    def make_job(self, **changes: Any) -> JobView:
        spec = {
            "input": {"uris": [f"{self.place}in/"], "format": "Text", "encodingErrors": "Strict"},
            "output": make_raw_output(uri=f"{self.place}out/"),
            "map": {"shards": 2},
        }
        return make_job(spec=spec | changes.pop("spec", {}), **changes)

    async def open(self, job: JobView) -> Run:
        storage = await self.cluster.read_storage(job)
        return RunCache().open(job, job.spec.run_id, storage)

    async def plan(self, job: JobView) -> Run:
        run = await self.open(job)
        await plan_run(run, self.cluster)
        return run


@pytest.fixture
def world() -> PlanningWorld:
    return PlanningWorld()


async def test_the_plan_names_its_pages_by_digest_and_pins_the_spec(world: PlanningWorld) -> None:
    job = world.make_job()
    run = await world.plan(job)
    plan = decode(run.work.get(PLAN_KEY), Plan)
    page = run.work.get(shard_page_key(0))
    assert plan.pages[0].digest == digest_bytes(page)
    assert len(decode(page, ShardPage).shards) == plan.shards == 2
    assert plan.bytes == 8
    assert plan.spec == pinned_fields(job.raw_spec)


async def read_plan(world: PlanningWorld, **changes: Any) -> Plan:
    """The plan of a new run."""
    run = await world.plan(world.make_job(**changes))
    plan = decode(run.work.get(PLAN_KEY), Plan)
    run.work.delete(PLAN_KEY)
    return plan


async def test_the_plan_has_digests_of_what_is_read_and_done(world: PlanningWorld) -> None:
    plan, again = await read_plan(world), await read_plan(world, spec={"map": {"shards": 1}})
    assert plan.input_digest is not None
    assert (plan.input_digest, plan.spec_digest) == (again.input_digest, again.spec_digest)
    open_store(world.place).put("in/a.txt", b"one\ntwo\r")
    edited = await read_plan(world, spec={"reduce": {"partitions": 7}})
    assert edited.input_digest != plan.input_digest
    assert edited.spec_digest != plan.spec_digest


def several(world: PlanningWorld, *names: str) -> dict[str, Any]:
    """Inputs of these names, each of a prefix."""
    shape = {"format": "Text", "encodingErrors": "Strict"}
    return {"input": None, "inputs": [{"name": name, "uris": [f"{world.place}{name}/"], **shape} for name in names]}


async def test_several_inputs_are_listed_in_order_and_share_the_shards(world: PlanningWorld) -> None:
    open_store(world.place).put("more/b.txt", b"three\n" * 20)
    run = await world.plan(world.make_job(spec=several(world, "more", "in") | {"map": {"shards": 5}}))
    shards = decode(run.work.get(shard_page_key(0)), ShardPage).shards
    assert [shard.input for shard in shards] == [0, 0, 0, 0, 1]
    assert [piece.uri.rpartition("/")[2] for shard in shards for piece in shard.pieces] == ["b.txt"] * 4 + ["a.txt"]


async def test_an_object_of_two_inputs_is_read_by_both(world: PlanningWorld) -> None:
    spec = several(world, "in", "again")
    spec["inputs"][1]["uris"] = spec["inputs"][0]["uris"]
    plan = await read_plan(world, spec=spec)
    assert (plan.objects, plan.bytes) == (2, 16)


async def test_an_input_that_names_nothing_is_told_by_its_place(world: PlanningWorld) -> None:
    with pytest.raises(ActionError, match=r"missing/: .*: check spec.inputs\[1\].uris"):
        await world.plan(world.make_job(spec=several(world, "in", "missing")))


async def test_names_and_order_of_inputs_count_for_the_digests(world: PlanningWorld) -> None:
    open_store(world.place).put("more/b.txt", b"three\n")
    one, other = [await read_plan(world, spec=several(world, *names)) for names in (("in", "more"), ("more", "in"))]
    assert one.input_digest != other.input_digest
    assert one.spec_digest != other.spec_digest
    single = await read_plan(world)
    alone = await read_plan(world, spec=several(world, "in"))
    assert alone.input_digest == single.input_digest
    assert alone.spec_digest != single.spec_digest


@pytest.mark.parametrize("runs_images", [True, False])
async def test_a_module_has_a_digest_only_where_its_image_runs(world: PlanningWorld, *, runs_images: bool) -> None:
    world.cluster.runs_images = runs_images
    spec = {"program": {"module": "shop"}, "image": "shop@sha256:" + "0" * 64}
    assert ((await read_plan(world, spec=spec)).spec_digest is not None) == runs_images


async def test_the_plan_says_for_whom_the_output_is(world: PlanningWorld) -> None:
    job = world.make_job()
    assert (await read_plan(world)).owner == Owner(kind="MapReduceJob", name="wordcount", uid=job.uid)
    pipeline = Owner(kind="MapReducePipeline", name="web", uid="7")
    run = await world.plan(replace(job, controller=pipeline))
    assert decode(run.work.get(PLAN_KEY), Plan).owner == pipeline


async def test_the_first_plan_stays_when_planning_is_repeated(world: PlanningWorld) -> None:
    run = await world.plan(world.make_job())
    first = run.work.get(PLAN_KEY)
    open_store(world.place).put("in/b.txt", b"three\n")
    await plan_run(run, world.cluster)
    assert run.work.get(PLAN_KEY) == first


async def test_the_text_of_a_config_map_becomes_part_of_the_plan(world: PlanningWorld) -> None:
    world.cluster.sources["wordcount", "job.py"] = MAPS.format("FromConfigMap")
    reference = {"configMapKeyRef": {"name": "wordcount", "key": "job.py"}}
    run = await world.plan(world.make_job(spec={"program": {"sourceFrom": reference}}))
    assert decode(run.work.get(PLAN_KEY), Plan).program.source == MAPS.format("FromConfigMap")


async def test_an_output_that_exists_is_refused_and_its_claim_released(world: PlanningWorld) -> None:
    open_store(world.place).put("out/part-r-00000.txt", b"old")
    job = world.make_job()
    with pytest.raises(ActionError) as refused:
        await world.plan(job)
    assert refused.value.reason == "OutputExists"
    assert await read_claim((await world.open(job)).output) is None


async def test_what_a_death_amid_the_probe_leaves_goes_with_the_staged_parts(
    world: PlanningWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await world.open(world.make_job())
    delete = ObjectStore.delete_async

    async def die(store: ObjectStore, *keys: str) -> None:
        if store.uri == run.output.uri:
            raise RuntimeError("the operator dies")
        await delete(store, *keys)

    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "delete_async", die)
        with pytest.raises(RuntimeError, match="dies"):
            await plan_run(run, world.cluster)
    assert len(list(run.output.list())) == 1
    await remove_staged(run.output, run.identity)
    assert list(run.output.list()) == []


@pytest.mark.parametrize(
    ("uid", "status", "taken"),
    [
        pytest.param(OTHER_UID, {"runId": "1", "conditions": []}, False, id="in progress"),
        pytest.param(
            OTHER_UID,
            {"runId": "1", "conditions": [{"type": "Complete", "status": "True"}]},
            True,
            id="complete but not yet tidied",
        ),
        pytest.param(OTHER_UID, {"runId": "2", "conditions": []}, True, id="replaced by a newer run"),
        pytest.param(OTHER_UID.replace("2", "3"), {"runId": "1"}, True, id="deleted and applied again"),
        pytest.param(None, {}, True, id="gone"),
    ],
)
async def test_a_claim_is_taken_over_only_from_a_run_that_is_over(
    world: PlanningWorld, uid: str | None, status: dict[str, Any], *, taken: bool
) -> None:
    holder = world.make_job(name="other", uid=OTHER_UID)
    await claim_output((await world.open(holder)).output, (await world.open(holder)).claim)
    if uid is not None:
        world.cluster.jobs[holder.key] = world.make_job(name="other", uid=uid, status=status)
    job = world.make_job()
    if taken:
        run = await world.plan(job)
        assert await read_claim(run.output) == run.claim
        return
    with pytest.raises(ActionError, match="is being written by default/other") as refused:
        await world.plan(job)
    assert refused.value.reason == "OutputClaimed"


async def test_a_job_that_lives_but_is_not_understood_keeps_its_claim(world: PlanningWorld) -> None:
    holder = await world.open(world.make_job(name="other", uid=OTHER_UID))
    await claim_output(holder.output, holder.claim)
    world.cluster.unread.add((holder.job.key, OTHER_UID))
    with pytest.raises(ActionError, match="is being written by default/other"):
        await world.plan(world.make_job())
    assert await read_claim(holder.output) == holder.claim
    world.cluster.unread = {(holder.job.key, "of a successor")}
    run = await world.plan(world.make_job())
    assert await read_claim(run.output) == run.claim


@pytest.mark.parametrize("run_id", ["1", "2"], ids=["the same run", "a new run"])
async def test_a_job_takes_its_own_claim_from_the_installation_that_had_it_before(
    world: PlanningWorld, run_id: str
) -> None:
    before = await world.open(world.make_job())
    await claim_output(before.output, Claim(installation="gone", job=before.identity))
    run = await world.plan(world.make_job(spec={"runId": run_id}))
    assert await read_claim(run.output) == run.claim


async def test_the_claim_of_a_job_of_another_installation_is_not_taken(world: PlanningWorld) -> None:
    holder = await world.open(world.make_job(name="other", uid=OTHER_UID))
    claim = Claim(installation="another", job=holder.identity)
    await claim_output(holder.output, claim)
    with pytest.raises(ActionError, match="is being written by default/other"):
        await world.plan(world.make_job())
    assert await read_claim(holder.output) == claim


async def test_an_ended_run_releases_the_claim_that_it_made_in_another_installation(world: PlanningWorld) -> None:
    run = await world.open(world.make_job())
    await claim_output(run.output, Claim(installation="gone", job=run.identity))
    assert await has_leftovers(run.output, run.claim)
    await remove_intermediates(run)
    assert list(run.output.list()) == []


async def test_a_plan_that_is_gone_is_replaced_only_by_the_same(world: PlanningWorld) -> None:
    first = (await world.plan(world.make_job())).work.get(PLAN_KEY)
    status = {"runId": "1", "planDigest": digest_bytes(first)}
    run = await world.open(world.make_job(status=status))
    await run.work.delete_async(PLAN_KEY)
    await plan_run(run, world.cluster)
    assert run.work.get(PLAN_KEY) == first
    await run.work.delete_async(PLAN_KEY)
    open_store(world.place).put("in/b.txt", b"three\n")
    with pytest.raises(ActionError, match=r"plan\.json, and what it was made of has changed") as refused:
        await plan_run(run, world.cluster)
    assert (refused.value.reason, refused.value.permanent) == ("PlanGone", True)
    assert not run.work.exists(PLAN_KEY)


async def test_a_missing_input_is_named(world: PlanningWorld) -> None:
    spec = {"input": {"uris": [f"{world.place}none/"], "format": "Text", "encodingErrors": "Strict"}}
    with pytest.raises(ActionError, match="none/") as refused:
        await world.plan(world.make_job(spec=spec))
    assert refused.value.reason == "InputNotFound"


class SlowCluster(QuietCluster):
    """Tells nobody of a job before everybody has asked: all of them have read the same claim by then."""

    def __init__(self, work_uri: str, askers: int) -> None:
        super().__init__(work_uri=work_uri)
        self.all_asked = asyncio.Barrier(askers)
        self.waiting = askers

    async def find_job(self, key: JobKey) -> JobView | None:
        if self.waiting:
            self.waiting -= 1
            await self.all_asked.wait()
        return await super().find_job(key)


async def test_of_many_jobs_that_find_a_dead_claim_one_gets_the_output(world: PlanningWorld) -> None:
    dead = world.make_job(name="dead", uid=OTHER_UID)
    await claim_output((await world.open(dead)).output, (await world.open(dead)).claim)
    cluster = SlowCluster(world.cluster.work_uri, askers=5)
    jobs = [world.make_job(name=f"job-{index}", uid=f"{OTHER_UID[:-1]}{index + 3}") for index in range(5)]
    cluster.jobs = {job.key: replace(job, status={"runId": "1"}) for job in jobs}
    runs = [await world.open(job) for job in jobs]
    results = await asyncio.gather(*(plan_run(run, cluster) for run in runs), return_exceptions=True)
    winners = [run for run, result in zip(runs, results, strict=True) if result is None]
    assert [await read_claim(run.output) for run in winners] == [winners[0].claim]
    assert {result.reason for result in results if isinstance(result, ActionError)} == {"OutputClaimed"}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("class Job\n", "line 1, column 10: SyntaxError: expected ':'"),
        (
            "def map_func(key, value): yield key, 1\n",
            ": the program defines no class with a map_func(self, key, value)",
        ),
        (MAPS.format("Job") + "    combiner = 'avg'\n", "line 4, column 16: Job.combiner is 'avg'"),
    ],
    ids=["syntax", "no-class", "combiner"],
)
@pytest.mark.parametrize("is_config_map", [False, True], ids=["source", "config-map"])
async def test_a_program_that_is_no_job_is_refused_before_the_output_is_claimed(
    world: PlanningWorld, source: str, message: str, is_config_map: bool
) -> None:
    world.cluster.sources["programs", "job.py"] = source
    reference = {"sourceFrom": {"configMapKeyRef": {"name": "programs", "key": "job.py"}}}
    job = world.make_job(spec={"program": reference if is_config_map else {"source": source}})
    with pytest.raises(ActionError) as refused:
        await world.plan(job)
    assert (refused.value.reason, refused.value.permanent) == ("ProgramInvalid", True)
    assert str(refused.value).startswith("ConfigMap programs, key job.py" if is_config_map else "spec.program.source")
    assert message in str(refused.value)
    assert await read_claim((await world.open(job)).output) is None


@pytest.mark.parametrize(
    "spec",
    [
        {"image": "registry.example/python314:1"},
        {"podTemplate": {"spec": {"containers": [{"name": "task", "image": "x"}]}}},
    ],
    ids=["image", "template"],
)
async def test_what_another_image_compiles_is_left_to_its_tasks(world: PlanningWorld, spec: dict[str, Any]) -> None:
    program = {"source": MAPS.format("Job") + "type Pair[K] = (\n"}
    assert (await world.plan(world.make_job(spec={"program": program, **spec}))).records.written_plan
    with pytest.raises(ActionError, match="SyntaxError"):
        await world.plan(world.make_job(spec={"program": program}))


async def test_the_operator_never_runs_the_program(world: PlanningWorld) -> None:
    program = {"source": MAPS.format("Job") + "raise SystemExit('this was run')\n"}
    assert (await world.plan(world.make_job(spec={"program": program}))).records.written_plan


async def test_a_container_that_is_not_the_tasks_needs_an_image_before_any_pod_is_made(world: PlanningWorld) -> None:
    sidecar: dict[str, Any] = {"name": "proxy", "image": "proxy:1"}
    template = {"spec": {"containers": [sidecar, {"name": "task", "env": [{"name": "A", "value": "b"}]}]}}
    patched = {"spec": {"containers": [{"name": "proxy", "env": [{"name": "A", "value": "b"}]}]}}
    spec = {"podTemplate": template, "map": {"podTemplate": patched}}
    assert (await world.plan(world.make_job(spec=spec))).records.written_plan
    with pytest.raises(ActionError, match=r"spec\.map\.podTemplate\.spec\.containers\[name=proxy\]: it has no image"):
        await world.plan(world.make_job(spec={"map": {"podTemplate": patched}}))


@pytest.mark.parametrize("place", ["podTemplate", "map", "reduce"])
async def test_a_template_of_which_no_pod_can_be_made_is_refused_before_the_plan(
    world: PlanningWorld, place: str
) -> None:
    template = {"containers": [{"name": "task"}]}
    spec = {place: template if place == "podTemplate" else {"podTemplate": template}}
    with pytest.raises(ActionError, match=r"podTemplate\.containers: a pod template has metadata and spec") as refused:
        await world.plan(world.make_job(spec=spec))
    assert (refused.value.reason, refused.value.permanent) == ("PodRejected", True)
