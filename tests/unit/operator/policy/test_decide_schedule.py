"""Schedules: examples of each rule. The worlds of tests/simulation search for what the examples miss."""

from dataclasses import replace
from typing import Any

import pytest

from podreduce_operator.model.observed import Fault
from podreduce_operator.model.schedules import DeleteJobOf, ScheduleObserved, ScheduleState, StartJob
from podreduce_operator.policy.decide_schedule import decide_schedule
from tests.support.builders.observed_schedules import DAY, HOUR, MAKES, NIGHT, make_job, make_spec, observe


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
