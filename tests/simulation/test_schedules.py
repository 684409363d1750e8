"""Schedules in worlds that go wrong, and wrong policies that these worlds find."""

import pytest

from tests.simulation.mutation import in_order_of_imports
from tests.simulation.schedule_world import play_schedule
from tests.simulation.wrong_rules import Wrong, is_found

WORLDS = 150

MODULES = in_order_of_imports("podreduce_operator.schedules", "podreduce_operator.policy.decide_schedule")


DECIDE = "policy.decide_schedule"
MUTANTS = [
    Wrong(
        module=DECIDE,
        old="dealt_with = [job.scheduled_at for job in observed.jobs] + (",
        new="dealt_with = list[float]() + (",
        breaks="a time is made twice",
    ),
    Wrong(
        module=DECIDE,
        old="bounds = [observed.schedule.created_at, state.last_at, state.since]",
        new="bounds = [0.0, state.last_at, state.since]",
        breaks="a time that is not due",
    ),
    Wrong(
        module=DECIDE,
        old="since=now if starts_anew else state.since,",
        new="since=state.since,",
        breaks="a time that is not due",
    ),
    Wrong(
        module=DECIDE,
        old="(state.was_suspended and not spec.suspend)",
        new="False",
        breaks="a time that is not due",
    ),
    Wrong(
        module=DECIDE,
        old="if not observed.is_current:",
        new="if False:",
        breaks="two jobs at a time",
    ),
    Wrong(
        module=DECIDE,
        old='if running and policy == "Forbid":',
        new='if running and policy == "Forbid" and not running[0].deleting:',
        breaks="two jobs at a time",
    ),
    Wrong(
        module=DECIDE,
        old='if running and policy == "Replace":',
        new='if running and policy == "Replace" and not running[0].deleting:',
        breaks="two jobs at a time",
    ),
    Wrong(
        module=DECIDE,
        old='yield from (delete(job, "history") for job in ended[limit:] if not job.deleting)',
        new='yield from (delete(job, "history") for job in ended[:-limit] if not job.deleting)',
        breaks="a job within the limits is removed",
    ),
    Wrong(
        module=DECIDE,
        old="(job for job in observed.jobs if job.ended == kind)",
        new="(job for job in observed.jobs if job.ended in (kind, None))",
        breaks="a job that has not ended is removed",
    ),
    Wrong(
        module=DECIDE,
        old="due = cron.latest(max(at for at in bounds if at is not None), now)",
        new="due = next((at for at in [cron.next(max(b for b in bounds if b is not None))] if at and at <= now), None)",
        breaks="not one job is made for all that was missed",
    ),
]


@pytest.mark.parametrize("seed", range(WORLDS))
def test_schedules_in_worlds_that_go_wrong(seed: int) -> None:
    play_schedule(seed)


@pytest.mark.parametrize("wrong", MUTANTS, ids=lambda wrong: wrong.new)
def test_a_wrong_rule_is_found(wrong: Wrong) -> None:
    found, heard = is_found(wrong, MODULES, "decide_schedule", play_schedule, WORLDS)
    assert found, heard
