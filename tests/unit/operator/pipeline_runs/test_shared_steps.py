"""The pipelines of a schedule keep their steps in one place, and only the one that claimed it last uses it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import cast
from uuid import uuid4

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.plan import JobIdentity, Owner
from podreduce_operator.api.schedule_spec import Template
from podreduce_operator.cluster.interface import JobStorage, PipelineCluster, ScheduleCluster
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pipelines import Data, PipelineView
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun
from podreduce_operator.pipeline_runs.places import shares_steps
from podreduce_operator.pipeline_runs.record_step import record_step
from podreduce_operator.pipeline_runs.remove_data import discard_pipeline, discard_steps_of, remove_output
from podreduce_operator.pipeline_runs.shared_steps import claim_steps, holds_steps
from podreduce_operator.pipeline_runs.step_data import look_for_data
from podreduce_operator.runs import remove_run
from podreduce_operator.schedules.job_of_schedule import STEPS_LABEL
from tests.support.builders.observed_schedules import make_spec, make_view
from tests.support.builders.pipelines import PAGERANK, make_pipeline
from tests.support.pipeline_stores import make_run, make_step_job, publish_parts

SCHEDULE = str(uuid4())
NIGHTLY = Owner(kind="MapReduceSchedule", name="nightly", uid=SCHEDULE)


@dataclass
class Nights:
    """A schedule's pipelines and their store. `active`: the UIDs of those whose jobs may still write."""

    storage: JobStorage = field(
        default_factory=lambda: JobStorage(
            work_uri=f"memory://{uuid4().hex}/work/", installation="here", settings=StorageSettings()
        )
    )
    active: set[str] = field(default_factory=set)
    asked: list[JobIdentity] = field(default_factory=list)
    made: list[Sequence[PipelineView]] = field(default_factory=list)

    async def is_over(self, pipeline: PipelineView, other: JobIdentity) -> bool:
        assert other.uid != pipeline.uid
        self.asked.append(other)
        return other.uid not in self.active

    async def read_storage_of(self, pipeline: PipelineView) -> JobStorage:
        del pipeline
        return self.storage

    async def read_storage_of_steps(self, schedule: ScheduleView) -> JobStorage:
        del schedule
        return self.storage

    async def list_jobs_of(self, schedule: ScheduleView, *, current: bool) -> Sequence[PipelineView]:
        assert current
        del schedule
        return self.made.pop(0)

    def night(self, minutes: int, **fields: object) -> PipelineRun:
        """A run of a night's pipeline."""
        return make_run(make_night(minutes, **fields), storage=self.storage)

    async def claim(self, run: PipelineRun) -> None:
        await claim_steps(run, cast("PipelineCluster", self))

    def stored(self) -> set[str]:
        """All objects below the work prefix, without the installation and the namespace."""
        return {each.key.removeprefix("here/shop/") for each in self.storage.open(self.storage.work_uri).list("")}


def make_night(minutes: int, **fields: object) -> PipelineView:
    view = make_pipeline({**PAGERANK, **fields}, name=f"nightly-{minutes}", labels={STEPS_LABEL: SCHEDULE})
    return replace(view, uid=f"00000000-0000-4000-8000-0000000{minutes:05}", controller=NIGHTLY)


async def keep_seed(run: PipelineRun) -> None:
    publish_parts(run, f"{run.steps_uri}data/seed/")
    await record_step(run, make_step_job("seed"), None)


@pytest.mark.parametrize(
    ("controller", "labels", "is_shared"),
    [
        (NIGHTLY, {STEPS_LABEL: SCHEDULE}, True),
        (NIGHTLY, {}, False),
        (NIGHTLY, {STEPS_LABEL: "another"}, False),
        (None, {STEPS_LABEL: SCHEDULE}, False),
        (Owner(kind="Workflow", name="nightly", uid=SCHEDULE), {STEPS_LABEL: SCHEDULE}, False),
    ],
)
def test_only_what_a_schedule_made_to_run_alone_shares(
    controller: Owner | None, labels: dict[str, str], *, is_shared: bool
) -> None:
    assert shares_steps(replace(make_pipeline(labels=labels), controller=controller)) is is_shared


async def test_tonight_finds_what_last_night_kept_and_knows_that_it_is_not_its_own() -> None:
    nights = Nights()
    first, second = nights.night(1), nights.night(2)
    await nights.claim(first)
    await keep_seed(first)
    await nights.claim(second)
    assert await look_for_data(second) == {"seed": Data.PRESENT}
    record = second.memory.records["seed"]
    assert record.is_of(first.view.uid, "1")
    assert not record.is_of(second.view.uid, "1"), "both runs have the same runId"
    assert (record.pipeline, [each.name for each in nights.asked]) == ("nightly-1", ["nightly-1"])


async def test_tonight_waits_while_last_night_may_still_write() -> None:
    nights = Nights()
    first, second = nights.night(1), nights.night(2)
    await nights.claim(first)
    nights.active = {first.view.uid}
    with pytest.raises(ActionError, match="nightly-1 of the same schedule has not ended") as refused:
        await nights.claim(second)
    assert (refused.value.reason, refused.value.permanent) == ("EarlierPipelineActive", False)
    assert await holds_steps(first)
    nights.active = set()
    await nights.claim(second)
    assert [await holds_steps(run) for run in (first, second)] == [False, True]


async def test_a_claim_is_kept_by_the_next_run_of_the_same_pipeline_and_may_be_repeated() -> None:
    nights = Nights()
    first = nights.night(1)
    await nights.claim(first)
    again = replace(first, run_id="2")
    await nights.claim(again)
    await nights.claim(again)
    assert (nights.asked, await holds_steps(again), await holds_steps(first)) == ([], True, False)


async def test_only_the_holder_removes_an_output() -> None:
    """The ttl of last night's pipeline ends while tonight's reads its outputs."""
    nights = Nights()
    first, second = nights.night(1), nights.night(2)
    await nights.claim(first)
    await keep_seed(first)
    await nights.claim(second)
    await remove_output(first, first.memory.records["seed"].place)
    assert await look_for_data(second) == {"seed": Data.PRESENT}
    await remove_output(second, second.memory.records["seed"].place)
    assert await look_for_data(second) == {"seed": Data.GONE}


async def test_what_a_step_left_goes_when_the_template_has_the_step_no_more() -> None:
    nights = Nights()
    first = nights.night(1)
    await nights.claim(first)
    await keep_seed(first)
    publish_parts(first, f"{first.steps_uri}data/sum/1/")
    await record_step(first, make_step_job("sum/1"), None)
    links = {"uris": ["s3://web/links/"]}
    second = nights.night(2, steps=[{"name": "seed", "className": "Seed", "inputs": [links]}], loops=[])
    await nights.claim(second)
    steps = f"nightly/{SCHEDULE}-_steps/"
    assert {key.removeprefix(steps) for key in nights.stored() if key.startswith(steps)} == {
        "_podreduce-claim",
        "data/seed/_MANIFEST.json",
        "data/seed/_SUCCESS",
        "data/seed/part-r-00000.pairs",
        "records/seed.json",
    }


async def test_a_deleted_night_leaves_what_the_next_one_reuses_and_the_schedule_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remove_run, "POLL_SECONDS", 0.001)
    nights = Nights()
    first = nights.night(1)
    await nights.claim(first)
    await keep_seed(first)
    first.work.put("plan/pipeline.json", b"{}")
    await discard_pipeline(first.view, cast("PipelineCluster", nights))
    second = nights.night(2)
    await nights.claim(second)
    assert await look_for_data(second) == {"seed": Data.PRESENT}
    assert not any(key.startswith("nightly-1/") for key in nights.stored())
    nights.made = [[second.view], [second.view], []]
    await discard_steps_of(make_schedule(), cast("ScheduleCluster", nights))
    assert (nights.stored(), nights.made) == (set(), [])


def make_schedule() -> ScheduleView:
    spec = make_spec(job_template=None, pipeline_template=Template(spec=PAGERANK))
    return make_view(spec, key=JobKey(namespace="shop", name="nightly"), uid=SCHEDULE)
