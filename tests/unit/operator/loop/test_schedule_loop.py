"""The loop of a schedule, on a cluster in memory: jobs are made once, at their times, and the status says so."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from podreduce_operator.api.crd import JOBS, PIPELINES
from podreduce_operator.api.schedule_spec import ScheduledParameter, Template
from podreduce_operator.api.times import render_time
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.loop.passes import wait_for_wake
from podreduce_operator.loop.schedule_loop import ScheduleLoop
from podreduce_operator.loop.telemetry import ScheduleTelemetry
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey, JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.model.schedules import Noun, ScheduleView
from tests.support.builders.jobs import make_job
from tests.support.builders.observed_schedules import make_spec, make_view
from tests.support.builders.pipelines import PAGERANK, make_pipeline

KEY = JobKey(namespace="shop", name="nightly")
CREATED = datetime(2026, 5, 1, tzinfo=UTC).timestamp()
NIGHT = datetime(2026, 5, 1, 2, 30, tzinfo=UTC).timestamp()
DAY = 86_400.0


class MemoryCluster:
    """Schedules and jobs as an API server keeps them."""

    def __init__(self) -> None:
        self.schedules: dict[JobKey, ScheduleView] = {}
        self.jobs: dict[str, JobView | PipelineView] = {}
        self.manifests: list[Mapping[str, Any]] = []
        self.events: list[tuple[str, str]] = []
        self.listings: list[bool] = []
        self.refusal: ActionError | None = None

    async def find_schedule(self, key: JobKey) -> ScheduleView | None:
        return self.schedules.get(key)

    async def list_jobs_of(self, schedule: ScheduleView, *, current: bool) -> tuple[JobView | PipelineView, ...]:
        self.listings.append(current)
        return tuple(job for job in self.jobs.values() if job.key.namespace == schedule.key.namespace)

    async def create_job(self, schedule: ScheduleView, manifest: Mapping[str, Any]) -> None:
        assert manifest["metadata"]["namespace"] == schedule.key.namespace
        if self.refusal is not None:
            raise self.refusal
        name = manifest["metadata"]["name"]
        if name not in self.jobs:
            self.manifests.append(manifest)
            self.jobs[name] = make_made(manifest["kind"], name)

    async def delete_job_of(self, schedule: ScheduleView, noun: Noun, name: str, uid: str) -> None:
        assert schedule.key in self.schedules
        assert name not in self.jobs or isinstance(self.jobs[name], JobView if noun == "job" else PipelineView)
        if name in self.jobs and self.jobs[name].uid == uid:
            del self.jobs[name]

    async def read_storage_of_steps(self, schedule: ScheduleView) -> JobStorage:
        raise ActionError("SecretNotFound", f"no Secret beside {schedule.key}", permanent=True)

    async def write_schedule_status(self, schedule: ScheduleView, status: Mapping[str, Any]) -> bool:
        if self.schedules.get(schedule.key) != schedule:
            return False
        self.schedules[schedule.key] = replace(schedule, status=status)
        return True

    async def record_schedule_event(self, schedule: ScheduleView, kind: str, reason: str, message: str) -> None:
        assert schedule.key in self.schedules
        assert message
        self.events.append((kind, reason))

    def end(self, name: str, result: str = "Complete") -> None:
        """Let a job end."""
        ended = {"type": result, "status": "True", "reason": "X", "message": ""}
        self.jobs[name] = replace(self.jobs[name], status={"runId": "1", "conditions": [ended]})


def make_made(kind: str, name: str) -> JobView | PipelineView:
    """What a schedule made, as the API server shows it."""
    if kind == JOBS.kind:
        return make_job(uid=f"uid of {name}", name=name, namespace=KEY.namespace)
    return replace(make_pipeline(name=name), key=replace(KEY, name=name), uid=f"uid of {name}")


class World:
    def __init__(self) -> None:
        self.cluster = MemoryCluster()
        self.now = CREATED
        self.loop = ScheduleLoop(
            self.cluster, installation="ours", clock=lambda: self.now, wait=lambda wake, _: wait_for_wake(wake, 3600.0)
        )

    def add(self, **fields: Any) -> None:
        defaults: dict[str, Any] = {
            "successful_jobs_history_limit": 2,
            "parameters": (ScheduledParameter(name="day", format="%Y-%m-%d", offset="-1d"),),
            "job_template": Template(spec={"output": {"uri": "s3://reports/$(parameters.day)/"}}),
        }
        self.cluster.schedules[KEY] = make_view(make_spec(**defaults | fields), key=KEY, created_at=CREATED)

    async def at(self, now: float) -> None:
        """Let the loop rest at a time."""
        self.now = now
        self.loop.wake(KEY)
        for _ in range(6):
            await asyncio.sleep(0.03)
            self.loop.wake(KEY)

    @property
    def status(self) -> Mapping[str, Any]:
        return self.cluster.schedules[KEY].status

    def condition(self, kind: str) -> tuple[str, str]:
        return next((each["status"], each["reason"]) for each in self.status["conditions"] if each["type"] == kind)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    made.add()
    yield made
    await made.loop.close()


def name_at(scheduled_at: float) -> str:
    return f"nightly-{int(scheduled_at) // 60}"


async def test_a_job_is_made_at_its_time_and_only_once(world: World) -> None:
    await world.at(NIGHT - 60)
    assert world.cluster.manifests == []
    assert world.status["nextScheduleTime"] == render_time(NIGHT)
    await world.at(NIGHT + 1)
    await world.at(NIGHT + 100)
    (manifest,) = world.cluster.manifests
    assert manifest["metadata"]["name"] == name_at(NIGHT)
    assert manifest["spec"] == {"output": {"uri": "s3://reports/2026-04-30/"}}
    assert world.status["lastScheduleTime"] == render_time(NIGHT)
    assert world.status["active"] == [name_at(NIGHT)]
    assert world.cluster.events.count(("Normal", "JobStarted")) == 1


async def test_the_jobs_are_listed_by_the_cluster_itself_before_one_is_made(world: World) -> None:
    await world.at(NIGHT - 60)
    assert True not in world.cluster.listings
    await world.at(NIGHT + 1)
    assert world.cluster.listings.count(True) == 1


async def test_a_restart_after_the_job_was_made_makes_no_other(world: World) -> None:
    await world.at(NIGHT - 60)
    before = world.cluster.schedules[KEY]
    await world.at(NIGHT + 1)
    world.cluster.schedules[KEY] = before
    await world.at(NIGHT + 5)
    assert len(world.cluster.manifests) == 1
    assert world.status["lastScheduleTime"] == render_time(NIGHT)


async def test_old_jobs_are_removed_and_the_last_result_is_told(world: World) -> None:
    for day in range(4):
        await world.at(NIGHT + day * DAY + 1)
        world.cluster.end(name_at(NIGHT + day * DAY), "Failed" if day == 3 else "Complete")
    await world.at(NIGHT + 3 * DAY + 60)
    assert set(world.cluster.jobs) == {name_at(NIGHT + day * DAY) for day in (1, 2, 3)}
    assert world.condition("LastRunFailed") == ("True", "LastFailed")
    assert world.condition("Ready") == ("True", "Scheduled")
    assert world.status["lastSuccessfulTime"] == render_time(NIGHT + 2 * DAY)


async def test_pipelines_are_made_and_removed_as_jobs_are(world: World) -> None:
    world.add(job_template=None, pipeline_template=Template(spec=PAGERANK))
    for day in range(4):
        await world.at(NIGHT + day * DAY + 1)
        world.cluster.end(name_at(NIGHT + day * DAY))
    await world.at(NIGHT + 3 * DAY + 60)
    assert {manifest["kind"] for manifest in world.cluster.manifests} == {PIPELINES.kind}
    days = [manifest["spec"]["parameters"]["day"] for manifest in world.cluster.manifests]
    assert days == ["2026-04-30", "2026-05-01", "2026-05-02", "2026-05-03"]
    assert set(world.cluster.jobs) == {name_at(NIGHT + day * DAY) for day in (2, 3)}
    assert world.status["lastSuccessfulTime"] == render_time(NIGHT + 3 * DAY)


async def test_another_template_still_waits_for_what_the_one_before_made(world: World) -> None:
    await world.at(NIGHT + 1)
    world.add(job_template=None, pipeline_template=Template(spec=PAGERANK))
    await world.at(NIGHT + DAY + 1)
    assert [manifest["kind"] for manifest in world.cluster.manifests] == [JOBS.kind]
    assert world.condition("Reconciling") == ("True", "JobAlreadyActive")
    world.cluster.end(name_at(NIGHT))
    await world.at(NIGHT + DAY + 60)
    assert [manifest["kind"] for manifest in world.cluster.manifests] == [JOBS.kind, PIPELINES.kind]


async def test_a_pipeline_that_would_fail_each_night_is_not_made(world: World) -> None:
    steps = [*PAGERANK["steps"][:3], {**PAGERANK["steps"][3], "output": {"uri": "s3://web/$(parameters.hour)"}}]
    world.add(job_template=None, pipeline_template=Template(spec={**PAGERANK, "steps": steps}))
    await world.at(NIGHT + 1)
    assert world.condition("Stalled") == ("True", "InvalidTemplate")
    message = next(each["message"] for each in world.status["conditions"] if each["type"] == "Stalled")
    assert message.startswith("spec.pipelineTemplate.spec.steps[3].output.uri: there is no parameter 'hour'")
    assert world.cluster.manifests == []


async def test_the_delay_of_each_job_and_each_missed_time_are_counted(world: World) -> None:
    delays, missed = list[float](), list[str]()
    world.loop.telemetry = ScheduleTelemetry(on_start=delays.append, on_missed=lambda: missed.append("missed"))
    world.add(starting_deadline_seconds=60)
    await world.at(NIGHT + 40)
    assert (delays, missed) == ([40.0], [])
    await world.at(NIGHT + DAY + 100)
    assert (delays, missed) == ([40.0], ["missed"])


async def test_a_crash_around_an_action_is_asked_for_before_and_after_it(world: World) -> None:
    points: list[str] = []
    world.loop.fault_point = lambda when, action: points.append(f"{when} {action}")
    await world.at(NIGHT + 1)
    assert points == [f"before start({NIGHT:.0f})", f"after start({NIGHT:.0f})"]


async def test_a_refused_job_is_told_and_tried_again(world: World) -> None:
    world.cluster.refusal = ActionError("JobRefused", "spec.map: no", permanent=True)
    await world.at(NIGHT + 1)
    assert world.condition("Stalled") == ("True", "JobRefused")
    assert "lastScheduleTime" not in world.status
    world.cluster.refusal = None
    await world.at(NIGHT + 20)
    assert len(world.cluster.manifests) == 1
    assert world.condition("Stalled")[0] == "False"


async def test_a_template_with_an_unknown_parameter_is_told(world: World) -> None:
    world.add(parameters=())
    await world.at(NIGHT + 1)
    assert world.condition("Stalled") == ("True", "InvalidTemplate")
    message = next(each["message"] for each in world.status["conditions"] if each["type"] == "Stalled")
    assert message.startswith("spec.jobTemplate.spec.output.uri: there is no parameter 'day'")


async def test_a_schedule_of_another_installation_is_left_alone(world: World) -> None:
    schedule = world.cluster.schedules[KEY]
    world.cluster.schedules[KEY] = replace(schedule, status={"installation": "theirs"})
    await world.at(NIGHT + 1)
    assert world.cluster.manifests == []
    assert world.status == {"installation": "theirs"}


async def test_a_schedule_is_adopted_before_anything_is_done(world: World) -> None:
    await world.at(NIGHT - 60)
    assert world.status["installation"] == "ours"
