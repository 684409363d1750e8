"""A world for `decide_schedule`: a user who edits and suspends, clocks that jump, years of downtime, lists that are
old, and an operator that dies between any two actions.

The judge's invariants: each time makes one job at most, and none that was past at the creation, at an edit or at the
end of a suspension (10); `Forbid` and `Replace` never have two jobs that have not ended, as they truly are (11); only
ended jobs beyond the limits are removed (12); after any downtime one job is made for all that was missed (13).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from podreduce_operator.api.schedule_spec import ScheduleSpec
from podreduce_operator.model.schedules import (
    DeleteJobOf,
    ScheduleDecision,
    ScheduledJob,
    ScheduleObserved,
    ScheduleState,
    StartJob,
)
from podreduce_operator.policy.decide_schedule import decide_schedule
from podreduce_operator.schedules.cron import parse_cron
from tests.support.builders.observed_schedules import CREATED, DAY, HOUR, MAKES, make_job, make_spec, observe

__all__ = ["ScheduleWorld", "play_schedule"]

STEPS = 60

Decide = Callable[[ScheduleObserved, float], ScheduleDecision]


class CrashError(Exception):
    """The operator ends between two actions."""


@dataclass
class ScheduleWorld:
    """A schedule, the jobs that exist, and an operator whose list of them may be old."""

    chance: random.Random
    spec: ScheduleSpec
    decide: Decide = decide_schedule
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
        decision = self.decide(self.observed(listed, is_current=False), self.now)
        if decision.needs_current:
            listed = tuple(self.jobs.values())
            decision = self.decide(self.observed(listed, is_current=True), self.now)
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
            is_replaced = action.why == "replaced" and self.spec.concurrency_policy == "Replace"
            assert is_replaced, "a job that has not ended is removed"
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


def play_schedule(seed: int, decide: Decide = decide_schedule) -> ScheduleWorld:
    """Play a world with troubles, and then without.

    Raises:
        AssertionError: an invariant is broken; the message says which.
    """
    chance = random.Random(seed)  # noqa: S311 - to be drawn again from its seed
    policy = chance.choice(["Forbid", "Replace", "Allow"])
    spec = make_spec(schedule=chance.choice(["*/10 * * * *", "30 2 * * *"]), concurrency_policy=policy)
    world = ScheduleWorld(chance=chance, spec=spec, decide=decide)
    for _ in range(STEPS):
        world.disturb()
        try:
            world.pass_once()
        except CrashError:
            world.look()
    settle(world)
    return world


def settle(world: ScheduleWorld) -> None:
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
    assert len(world.started) == made + 1, "not one job is made for all that was missed"
    due = parse_cron(world.spec.schedule, world.spec.time_zone).latest(0, world.now)
    assert world.state.last_at == world.started[-1] == due, "the job is not of the latest time"
