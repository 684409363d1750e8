import pytest

from podreduce.contract.plan import JobIdentity
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.observed import RunState
from podreduce_operator.policy.run_state import (
    is_over,
    may_start_over,
    read_plan_digest,
    read_run_of,
    read_run_state,
)
from tests.support.builders.jobs import make_job

CONDITIONS = [
    {"type": "Complete", "status": "False", "reason": "Running", "message": "not yet"},
    {"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "ran longer than 60 s"},
]
STATUS = {
    "runId": "2",
    "planDigest": "abc",
    "startTime": "1970-01-01T00:01:00Z",
    "completionTime": "1970-01-01T00:02:00Z",
    "conditions": CONDITIONS,
}
RUN = JobIdentity(namespace="default", name="wordcount", uid=make_job().uid, run_id="2")


def test_the_status_remembers_how_its_run_ended() -> None:
    assert read_run_state(STATUS, "2") == RunState(
        run_id="2",
        started_at=60.0,
        terminal="Failed",
        reason="DeadlineExceeded",
        message="ran longer than 60 s",
        completed_at=120.0,
    )


def test_the_status_remembers_nothing_of_another_run() -> None:
    assert read_run_state(STATUS, "1") == RunState(run_id="1")
    assert read_run_state({}, "1") == RunState(run_id="1")


def test_a_run_whose_conditions_do_not_hold_has_not_ended() -> None:
    running = {**STATUS, "conditions": CONDITIONS[:1], "completionTime": None}
    assert read_run_state(running, "2") == RunState(run_id="2", started_at=60.0)
    assert read_run_state({"runId": "2"}, "2") == RunState(run_id="2")


def test_the_digest_is_that_of_the_runs_own_plan() -> None:
    assert read_plan_digest(STATUS, "2") == "abc"
    assert read_plan_digest(STATUS, "1") is None


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (None, True),
        (make_job(status={"runId": "2"}, uid="another"), True),
        (make_job(status={"runId": "3"}), True),
        (make_job(status=STATUS), True),
        (make_job(status={"runId": "2"}), False),
    ],
    ids=["job is gone", "another job of the name", "replaced", "ended", "goes on"],
)
def test_a_run_is_over_once_it_can_no_longer_write(job: JobView | None, expected: bool) -> None:
    assert is_over(job, RUN, is_unread=False) is expected


def test_a_run_whose_job_is_not_understood_is_not_over() -> None:
    assert not is_over(None, RUN, is_unread=True)


UNPLANNED = {name: value for name, value in STATUS.items() if name != "planDigest"} | {"observedGeneration": 1}
COMPLETE_ONE = [{"type": "Complete", "status": "True", "reason": "OutputCommitted", "message": ""}]


@pytest.mark.parametrize(
    ("status", "generation", "expected"),
    [
        (UNPLANNED, 2, True),
        (UNPLANNED, 1, False),
        (UNPLANNED | {"planDigest": "abc"}, 2, False),
        (UNPLANNED | {"conditions": CONDITIONS[:1]}, 2, False),
        (UNPLANNED | {"conditions": COMPLETE_ONE}, 2, False),
        (UNPLANNED | {"runId": "1"}, 2, False),
        ({}, 2, False),
    ],
    ids=["edited", "unchanged", "planned", "goes-on", "complete", "other-run", "new"],
)
def test_only_an_edited_run_that_failed_without_a_plan_may_start_over(
    status: dict[str, object], generation: int, expected: bool
) -> None:
    assert may_start_over(make_job(status=status, generation=generation), "2") is expected


def test_a_job_that_is_being_deleted_does_not_start_over() -> None:
    assert not may_start_over(make_job(status=UNPLANNED, generation=2, deleting=True), "2")


@pytest.mark.parametrize(("started_over", "is_fresh"), [(0, False), (1, False), (2, True)])
def test_a_status_that_is_older_than_the_new_start_says_nothing_of_the_run(started_over: int, is_fresh: bool) -> None:
    found = read_run_of(make_job(status=UNPLANNED, generation=2), "2", started_over)
    assert found == (RunState(run_id="2") if is_fresh else read_run_state(UNPLANNED, "2"))
