"""Schedules: examples of each rule, and random worlds with crashes, old lists, edits and clocks that jump."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from podreduce_operator.api.schedule_spec import ScheduleSpec, Template
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.observed import Fault
from podreduce_operator.model.schedules import (
    DeleteJobOf,
    ScheduledJob,
    ScheduleObserved,
    ScheduleState,
    ScheduleView,
    StartJob,
)
from podreduce_operator.policy.decide_schedule import decide_schedule
from podreduce_operator.schedules.cron import parse_cron

HOUR, DAY = 3600.0, 86_400.0
CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
NIGHT = datetime(2026, 3, 2, 2, 30, tzinfo=UTC).timestamp()
"""The first time that a schedule of 02:30 names after its creation."""


MAKES: dict[str, dict[str, Any]] = {
    "job": {"job_template": Template(spec={}), "pipeline_template": None},
    "pipeline": {"job_template": None, "pipeline_template": Template(spec={})},
}


def make_spec(**fields: Any) -> ScheduleSpec:
    defaults: dict[str, Any] = {
        "schedule": "30 2 * * *",
        "time_zone": "Etc/UTC",
        "suspend": False,
        "concurrency_policy": "Forbid",
        "successful_jobs_history_limit": 3,
        "failed_jobs_history_limit": 1,
        **MAKES["job"],
    }
    return ScheduleSpec(**defaults | fields)


def observe(
    spec: ScheduleSpec, *jobs: ScheduledJob, state: ScheduleState | None = None, **fields: Any
) -> ScheduleObserved:
    schedule = ScheduleView(
        key=JobKey(namespace="default", name="nightly"),
        uid="u",
        generation=1,
        created_at=CREATED,
        spec=spec,
        raw_spec={},
        status={},
    )
    known = ScheduleState(known=f"{spec.schedule} {spec.time_zone}", was_suspended=spec.suspend)
    return ScheduleObserved(schedule=schedule, jobs=jobs, state=state or known, **{"is_current": True} | fields)


def make_job(scheduled_at: float, ended: str | None = None, **fields: Any) -> ScheduledJob:
    return ScheduledJob(
        name=f"nightly-{scheduled_at:.0f}", uid=f"j{scheduled_at:.0f}", scheduled_at=scheduled_at, ended=ended, **fields
    )


def told(observed: ScheduleObserved, now: float) -> str:
    return str(decide_schedule(observed, now))


def test_nothing_is_made_before_the_first_time() -> None:
    assert told(observe(make_spec()), NIGHT - 60) == "-; wake 60.0s"


def test_the_jobs_are_listed_before_one_is_made() -> None:
    assert told(observe(make_spec(), is_current=False), NIGHT + 5).startswith("look")


def test_a_job_is_made_at_its_time() -> None:
    decision = decide_schedule(observe(make_spec()), NIGHT + 5)
    assert decision.actions == (StartJob(scheduled_at=NIGHT),)
    assert decision.verdict.state.last_at == NIGHT
    assert decision.verdict.next_at == NIGHT + DAY


def test_a_time_is_dealt_with_once() -> None:
    assert told(observe(make_spec(), make_job(NIGHT)), NIGHT + 60).startswith("-; wake")
    assert told(observe(make_spec(), state=ScheduleState(last_at=NIGHT)), NIGHT + 60).startswith("-; wake")


def test_of_many_missed_times_only_the_last_is_made() -> None:
    decision = decide_schedule(observe(make_spec(schedule="* * * * *")), NIGHT + 400 * DAY + 7)
    assert decision.actions == (StartJob(scheduled_at=NIGHT + 400 * DAY),)


def test_forbid_waits_for_the_job_before_and_then_makes_the_latest() -> None:
    running = make_job(NIGHT)
    assert told(observe(make_spec(), running), NIGHT + DAY + 9).startswith("JobAlreadyActive: -")
    ended = replace(running, ended="Complete")
    assert told(observe(make_spec(), ended), NIGHT + 2 * DAY + 9).startswith(f"start({NIGHT + 2 * DAY:.0f})")


def test_forbid_waits_for_a_job_that_is_being_deleted() -> None:
    running = make_job(NIGHT, deleting=True)
    assert told(observe(make_spec(), running), NIGHT + DAY + 9).startswith("JobAlreadyActive: -")


def test_replace_deletes_the_job_before_and_waits_until_it_is_gone() -> None:
    spec, running = make_spec(concurrency_policy="Replace"), make_job(NIGHT)
    decision = decide_schedule(observe(spec, running), NIGHT + DAY)
    assert decision.actions == (DeleteJobOf(name=running.name, uid=running.uid, why="replaced"),)
    assert told(observe(spec, replace(running, deleting=True)), NIGHT + DAY).startswith("ReplacingJob: -")
    assert told(observe(spec, state=ScheduleState(last_at=NIGHT)), NIGHT + DAY).startswith("start")


def test_forbid_waits_for_a_job_that_another_template_made() -> None:
    observed = observe(make_spec(**MAKES["pipeline"]), make_job(NIGHT))
    assert told(observed, NIGHT + DAY + 5).startswith("JobAlreadyActive: -")
    message = decide_schedule(observed, NIGHT + DAY + 5).verdict.message
    assert message.startswith(f"the next pipeline is due and waits for {make_job(NIGHT).name} to end")


def test_what_is_deleted_is_of_the_kind_that_was_made() -> None:
    jobs = [make_job(NIGHT - day * DAY, "Failed", noun="job" if day % 2 else "pipeline") for day in range(4)]
    deleted = decide_schedule(observe(make_spec(), *jobs), NIGHT).actions
    assert deleted == tuple(DeleteJobOf(name=job.name, uid=job.uid, why="history", noun=job.noun) for job in jobs[1:])


def test_allow_makes_the_job_beside_the_one_before() -> None:
    assert told(observe(make_spec(concurrency_policy="Allow"), make_job(NIGHT)), NIGHT + DAY).startswith("start")


def test_a_time_past_its_deadline_is_missed_once() -> None:
    spec = make_spec(starting_deadline_seconds=600)
    late = decide_schedule(observe(spec), NIGHT + 601)
    assert (late.actions, late.verdict.state.missed_at, late.verdict.state.last_at) == ((), NIGHT, NIGHT)
    again = decide_schedule(observe(spec, state=late.verdict.state), NIGHT + 700)
    assert (again.actions, again.verdict.state) == ((), late.verdict.state)


def test_a_waiting_time_wakes_at_its_deadline() -> None:
    spec = make_spec(starting_deadline_seconds=600)
    decision = decide_schedule(observe(spec, make_job(NIGHT)), NIGHT + DAY + 100)
    assert decision.wake_after == 501


@pytest.mark.parametrize(
    "change", [{"schedule": "0 2 * * *"}, {"time_zone": "Europe/Berlin"}], ids=["schedule", "time zone"]
)
def test_a_changed_schedule_makes_nothing_for_times_that_are_past(change: dict[str, Any]) -> None:
    state = ScheduleState(known="30 2 * * * Etc/UTC")
    decision = decide_schedule(observe(make_spec(**change), state=state), NIGHT + 2 * HOUR)
    assert decision.actions == ()
    assert decision.verdict.state.since == NIGHT + 2 * HOUR


def test_the_end_of_a_suspension_makes_nothing_for_times_that_are_past() -> None:
    paused = decide_schedule(observe(make_spec(suspend=True)), NIGHT + HOUR)
    assert (paused.actions, paused.verdict.reason) == ((), "Suspended")
    resumed = decide_schedule(observe(make_spec(), state=paused.verdict.state), NIGHT + 2 * HOUR)
    assert resumed.actions == ()
    tomorrow = decide_schedule(observe(make_spec(), state=resumed.verdict.state), NIGHT + DAY)
    assert tomorrow.actions == (StartJob(scheduled_at=NIGHT + DAY),)


def test_a_clock_set_back_makes_nothing_twice() -> None:
    state = ScheduleState(last_at=NIGHT + DAY, known="30 2 * * * Etc/UTC")
    decision = decide_schedule(observe(make_spec(), state=state), NIGHT + HOUR)
    assert decision.actions == ()
    assert decision.verdict.next_at == NIGHT + 2 * DAY


def test_an_invalid_schedule_is_told_and_old_jobs_are_still_removed() -> None:
    jobs = [make_job(NIGHT + day * DAY, "Complete") for day in range(5)]
    decision = decide_schedule(observe(make_spec(schedule="61 * * * *"), *jobs), NIGHT + 9 * DAY)
    assert decision.verdict.is_stalled
    assert "bad minute" in decision.verdict.message
    assert {action.name for action in decision.actions if isinstance(action, DeleteJobOf)} == {
        job.name for job in jobs[:2]
    }


def test_ended_jobs_beyond_the_limits_are_removed_the_oldest_first() -> None:
    complete = [make_job(NIGHT - day * DAY, "Complete") for day in range(5)]
    failed = [make_job(NIGHT - HOUR - day * DAY, "Failed") for day in range(3)]
    running = make_job(NIGHT - 9 * DAY)
    decision = decide_schedule(observe(make_spec(suspend=True), running, *failed, *complete), NIGHT)
    removed = {action.name for action in decision.actions if isinstance(action, DeleteJobOf)}
    assert removed == {job.name for job in [*complete[3:], *failed[1:]]}


def test_a_refused_job_is_told_and_tried_again() -> None:
    fault = Fault(reason="JobRefused", message="spec.map: no", permanent=True)
    decision = decide_schedule(observe(make_spec(), faults=(fault,)), NIGHT + 5)
    assert (decision.verdict.reason, decision.verdict.is_stalled) == ("JobRefused", True)
    assert decision.wake_after == 10
    assert decision.verdict.state.last_at is None
    assert told(observe(make_spec()), NIGHT + 15).startswith("start")


# Random worlds


class CrashError(Exception):
    """The operator ends between two actions."""


@dataclass
class World:
    """A schedule, the jobs that exist, and an operator whose list of them may be old."""

    chance: random.Random
    spec: ScheduleSpec
    now: float = CREATED
    state: ScheduleState = field(default_factory=ScheduleState)
    jobs: dict[str, ScheduledJob] = field(default_factory=dict)
    old_list: tuple[ScheduledJob, ...] = ()
    started: list[float] = field(default_factory=list)
    not_before: float = CREATED
    edited_at: float | None = None
    calm: bool = False

    def pass_once(self) -> str:
        """One pass of the operator; it may crash after any action and before the status write."""
        if self.edited_at is not None:
            self.edited_at = min(self.edited_at, self.now)
        listed = self.old_list if self.chance.random() < 0.7 else tuple(self.jobs.values())
        decision = decide_schedule(self.observed(listed, is_current=False), self.now)
        if decision.needs_current:
            listed = tuple(self.jobs.values())
            decision = decide_schedule(self.observed(listed, is_current=True), self.now)
        for action in decision.actions:
            self.apply(action)
            self.may_crash()
        self.may_crash()
        self.state = decision.verdict.state
        self.not_before, self.edited_at = self.earliest, None
        return str(decision)

    @property
    def earliest(self) -> float:
        """No time up to this one is due: so says the creation, or the last edit. The clock may have been set back."""
        return self.not_before if self.edited_at is None else max(CREATED, self.edited_at)

    def observed(self, jobs: tuple[ScheduledJob, ...], *, is_current: bool) -> ScheduleObserved:
        return replace(observe(self.spec, state=self.state), jobs=jobs, is_current=is_current)

    def may_crash(self) -> None:
        if not self.calm and self.chance.random() < 0.1:
            raise CrashError

    def apply(self, action: StartJob | DeleteJobOf) -> None:
        if isinstance(action, DeleteJobOf):
            self.delete(action)
            return
        job = make_job(action.scheduled_at, noun=self.spec.noun)
        if place_of(job) in self.jobs:
            return
        assert action.scheduled_at not in self.started, "a time is made twice"
        assert self.earliest < action.scheduled_at <= self.now, "a time that is not due"
        running = [each for each in self.jobs.values() if each.ended is None]
        assert self.spec.concurrency_policy == "Allow" or not running, "two jobs at a time"
        self.started.append(action.scheduled_at)
        self.jobs[place_of(job)] = job

    def delete(self, action: DeleteJobOf) -> None:
        job = self.jobs.get(place_of(action))
        if job is None or job.uid != action.uid:
            return
        if job.ended is None:
            assert action.why == "replaced"
            assert self.spec.concurrency_policy == "Replace"
            self.jobs[place_of(job)] = replace(job, deleting=True)
            return
        limit = {"Complete": self.spec.successful_jobs_history_limit, "Failed": self.spec.failed_jobs_history_limit}
        newer = [
            each for each in self.jobs.values() if each.ended == job.ended and each.scheduled_at > job.scheduled_at
        ]
        assert len(newer) >= limit[job.ended] >= 1, "a job within the limits is removed"
        del self.jobs[place_of(job)]

    def disturb(self) -> None:
        """Something happens: time, a job's end, a user's edit, an old list."""
        self.chance.choice([self.wait, self.wait, self.wait, self.end_job, self.end_job, self.edit, self.look])()

    def wait(self) -> None:
        self.now += self.chance.choice([30, 60, 900, HOUR, HOUR, DAY, 7 * DAY, 300 * DAY, -120, -HOUR])

    def end_job(self) -> None:
        running = [job for job in self.jobs.values() if job.ended is None]
        if not running:
            return
        job = self.chance.choice(running)
        if job.deleting:
            del self.jobs[place_of(job)]
        else:
            self.jobs[place_of(job)] = replace(job, ended=self.chance.choice(["Complete", "Failed"]))

    def edit(self) -> None:
        """A user's edit, which the operator has seen by its next pass."""
        change: dict[str, Any] = self.chance.choice(
            [
                {"suspend": not self.spec.suspend},
                {"schedule": self.chance.choice(["30 2 * * *", "*/10 * * * *", "0 0 1 * *"])},
                {"time_zone": self.chance.choice(["Etc/UTC", "Europe/Berlin", "Australia/Lord_Howe"])},
                {"concurrency_policy": self.chance.choice(["Forbid", "Replace", "Allow"])},
                {"starting_deadline_seconds": self.chance.choice([None, 10, 4000])},
                {"successful_jobs_history_limit": self.chance.randrange(1, 4)},
                MAKES[self.chance.choice(["job", "pipeline"])],
            ]
        )
        self.spec = replace_fields(self.spec, change)
        has_resumed = self.state.was_suspended and not self.spec.suspend
        is_changed = self.state.known not in {"", f"{self.spec.schedule} {self.spec.time_zone}"}
        self.edited_at = self.now if has_resumed or is_changed else None

    def look(self) -> None:
        self.old_list = tuple(self.jobs.values())


def place_of(job: ScheduledJob | DeleteJobOf) -> str:
    """A job and a pipeline may have one name."""
    return f"{job.noun}/{job.name}"


def replace_fields(spec: ScheduleSpec, change: dict[str, Any]) -> ScheduleSpec:
    fields = {name: getattr(spec, name) for name in spec.__struct_fields__}
    return ScheduleSpec(**fields | change)


def play(seed: int) -> Iterator[World]:
    chance = random.Random(seed)  # noqa: S311 - to be drawn again from its seed
    policy = chance.choice(["Forbid", "Replace", "Allow"])
    world = World(
        chance=chance, spec=make_spec(schedule=chance.choice(["*/10 * * * *", "30 2 * * *"]), concurrency_policy=policy)
    )
    for _ in range(60):
        world.disturb()
        try:
            world.pass_once()
        except CrashError:
            world.look()
        yield world


@pytest.mark.parametrize("seed", range(150))
def test_a_schedule_in_a_world_that_goes_wrong(seed: int) -> None:
    for world in play(seed):
        last = world
    settle(last)


def settle(world: World) -> None:
    """Without more trouble the latest due time is dealt with, and one job at most is made for all that was missed."""
    world.calm, world.now = True, max(world.now, *world.started, CREATED) + 200 * DAY
    world.spec = replace_fields(world.spec, {"suspend": False, "starting_deadline_seconds": None})
    world.look()
    world.pass_once()
    for job in list(world.jobs.values()):
        if job.deleting:
            del world.jobs[place_of(job)]
        else:
            world.jobs[place_of(job)] = replace(job, ended=job.ended or "Complete")
    world.now += 60 * DAY
    made = len(world.started)
    for _ in range(3):
        world.look()
        world.pass_once()
    assert len(world.started) == made + 1
    due = parse_cron(world.spec.schedule, world.spec.time_zone).latest(0, world.now)
    assert world.state.last_at == world.started[-1] == due
