from dataclasses import replace
from typing import Any, Literal

import pytest

from podreduce_operator.model.schedules import (
    ScheduledJob,
    ScheduleObserved,
    ScheduleState,
    ScheduleVerdict,
)
from podreduce_operator.policy.schedule_status import (
    build_schedule_status,
    read_schedule_state,
    schedule_events_between,
)
from tests.support.builders.observed_schedules import MAKES, make_spec, make_view

STATE = ScheduleState(last_at=60.0, since=30.0, known="@daily Etc/UTC", missed_at=None)
COMPLETE = ScheduledJob(name="nightly-1", uid="1", scheduled_at=60.0, ended="Complete")
FAILED = ScheduledJob(name="nightly-2", uid="2", scheduled_at=120.0, ended="Failed")
RUNNING = ScheduledJob(name="nightly-3", uid="3", scheduled_at=180.0)


def observe(*jobs: ScheduledJob, suspend: bool = False, noun: str = "job", **fields: Any) -> ScheduleObserved:
    spec = make_spec(schedule="@daily", suspend=suspend, **MAKES[noun])
    schedule = make_view(spec, **{"generation": 4, "status": {"installation": "ours"}} | fields)
    return ScheduleObserved(schedule=schedule, state=STATE, jobs=jobs)


def conditions(status: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["type"]: (each["status"], each["reason"]) for each in status["conditions"]}


def test_what_the_status_says_is_read_back() -> None:
    state = replace(STATE, was_suspended=True, missed_at=20.0)
    status = build_schedule_status(observe(suspend=True), ScheduleVerdict(state=state, reason="Suspended"), 500.0)
    assert read_schedule_state(status) == state
    assert read_schedule_state({}) == ScheduleState()


def test_a_schedule_that_works_is_ready() -> None:
    status = build_schedule_status(observe(COMPLETE, RUNNING), ScheduleVerdict(state=STATE, next_at=86400.0), 500.0)
    assert conditions(status) == {
        "Ready": ("True", "Scheduled"),
        "Reconciling": ("False", "Scheduled"),
        "Stalled": ("False", "Scheduled"),
        "Suspended": ("False", "Suspended"),
        "LastRunFailed": ("False", "LastComplete"),
    }
    assert status["active"] == ["nightly-3"]
    assert status["nextScheduleTime"] == "1970-01-02T00:00:00Z"
    assert status["lastSuccessfulTime"] == "1970-01-01T00:01:00Z"
    assert status["installation"] == "ours"
    assert status["observedGeneration"] == 4


def test_a_failed_job_does_not_make_the_schedule_unready() -> None:
    found = conditions(build_schedule_status(observe(COMPLETE, FAILED), ScheduleVerdict(state=STATE), 500.0))
    assert found["LastRunFailed"] == ("True", "LastFailed")
    assert found["Ready"] == ("True", "Scheduled")


def test_the_last_success_is_remembered_when_its_job_is_removed() -> None:
    first = build_schedule_status(observe(COMPLETE), ScheduleVerdict(state=STATE), 500.0)
    later = build_schedule_status(observe(status=first), ScheduleVerdict(state=STATE), 600.0)
    assert later["lastSuccessfulTime"] == "1970-01-01T00:01:00Z"


def test_an_invalid_schedule_is_stalled() -> None:
    verdict = ScheduleVerdict(state=STATE, reason="InvalidSchedule", message="bad minute", is_stalled=True)
    found = conditions(build_schedule_status(observe(), verdict, 500.0))
    assert (found["Ready"], found["Stalled"]) == (("False", "InvalidSchedule"), ("True", "InvalidSchedule"))


def test_the_time_of_a_condition_changes_with_its_status_only() -> None:
    first = build_schedule_status(observe(), ScheduleVerdict(state=STATE), 500.0)
    again = build_schedule_status(observe(status=first), ScheduleVerdict(state=STATE), 900.0)
    assert first["conditions"] == again["conditions"]


def test_events_tell_what_changed_once() -> None:
    first = build_schedule_status(observe(), ScheduleVerdict(state=STATE), 500.0)
    assert [(event.kind, event.reason) for event in schedule_events_between({}, first, "job")] == [
        ("Normal", "JobStarted")
    ]
    assert list(schedule_events_between(first, first, "job")) == []
    waiting = ScheduleVerdict(state=STATE, reason="JobAlreadyActive", message="waits for nightly-3")
    second = build_schedule_status(observe(RUNNING), waiting, 500.0)
    assert [(event.kind, event.reason) for event in schedule_events_between(first, second, "job")] == [
        ("Normal", "JobAlreadyActive")
    ]
    missed = ScheduleVerdict(state=replace(STATE, last_at=200.0, missed_at=200.0))
    third = build_schedule_status(observe(RUNNING), missed, 500.0)
    assert [(event.kind, event.reason) for event in schedule_events_between(second, third, "job")] == [
        ("Warning", "MissedSchedule")
    ]


@pytest.mark.parametrize("noun", ["job", "pipeline"])
def test_all_that_a_schedule_tells_names_what_it_makes(noun: Literal["job", "pipeline"]) -> None:
    failed = replace(FAILED, noun=noun)
    status = build_schedule_status(observe(failed, noun=noun), ScheduleVerdict(state=STATE), 500.0)
    told = [each["message"] for each in status["conditions"]]
    told += [event.message for event in schedule_events_between({}, {**status, "lastScheduleTime": "t"}, noun)]
    told += [event.message for event in schedule_events_between({}, {**status, "lastMissedTime": "t"}, noun)]
    assert {f"the {noun} nightly-2 failed", f"made the {noun} of t", f"{noun}s are made at their times"} <= set(told)
    other = {"job": "pipeline", "pipeline": "job"}[noun]
    assert not [text for text in told if other in text]
