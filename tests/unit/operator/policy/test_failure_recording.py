import json
from dataclasses import replace

import pytest

from podreduce.contract.task import FailureRecord, LostOutput, TaskOutcome
from podreduce.contract.wire import decode, encode
from podreduce_operator.model.limits import Limits, PendingDeadlines
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.pods.pod_view import parse_outcome
from podreduce_operator.policy.failure_recording import record_failures
from tests.support.builders.observed import make_observed
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task, reduce_task

M0, R0 = map_task(0), reduce_task(0)


def test_all_that_an_attempt_said_of_its_failure_is_recorded() -> None:
    outcome = TaskOutcome(
        reason="InputError",
        message="no such column",
        traceback="File job.py",
        record="s3://in/a at 7",
        bad_records=3,
        lost=LostOutput(task=M0, generation=2),
    )
    pod = make_failed_pod(R0, ordinal=4, generation=1, exit_code=65, finished_at=90.0, outcome=outcome)
    (action,) = record_failures(make_observed(pods=(pod,)), 100.0)
    assert action.record == FailureRecord(
        task=R0,
        generation=1,
        attempt_id=pod.attempt_id,
        pod_name=pod.name,
        ordinal=4,
        counted=True,
        ends_job=True,
        reason="InputError",
        message="no such column",
        finished_at=90.0,
        exit_code=65,
        traceback="File job.py",
        record="s3://in/a at 7",
        bad_records=3,
        lost=LostOutput(task=M0, generation=2),
    )


def test_of_an_attempt_that_said_nothing_only_its_end_is_recorded() -> None:
    pod = make_pod(M0, phase=PodPhase.FAILED, exit_code=137, reason="OOMKilled")
    (action,) = record_failures(make_observed(pods=(pod,)), 100.0)
    record = action.record
    told = (record.finished_at, record.exit_code, record.traceback, record.record, record.bad_records, record.lost)
    assert told == (100.0, 137, "", "", 0, None)


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (make_pod(phase=PodPhase.PENDING, reason="InvalidImageName"), True),
        (make_pod(phase=PodPhase.PENDING, deleting=True), False),
        (make_failed_pod(), False),
    ],
    ids=["waits", "is being deleted", "has failed"],
)
def test_only_an_attempt_that_waits_is_recorded_on_condition_that_it_does(pod: PodView, expected: bool) -> None:
    (action,) = record_failures(make_observed(pods=(pod,)), 100.0)
    assert action.if_waiting is expected


def test_the_commit_of_an_older_generation_hides_no_failure() -> None:
    observed = make_observed(pods=(make_failed_pod(M0, generation=1),), commits=[make_commit(M0, generation=0)])
    assert len(record_failures(observed, 100.0)) == 1


def wait_for_memory(now: float, *failures: str, ordinal: int = 2, at_most: float | None = None) -> tuple[str, ...]:
    """The reasons recorded at `now` for a pod that has found no node since 100.0."""
    pod = make_pod(
        M0, ordinal=ordinal, phase=PodPhase.PENDING, reason="Unschedulable", message="0/3 nodes", created_at=100.0
    )
    records = [make_failure(M0, ordinal=1, reason=reason, counted=False) for reason in failures]
    limits = Limits(pending=PendingDeadlines(unschedulable_seconds=at_most))
    observed = make_observed(pods=(pod,), failures=records, limits=limits)
    return tuple(action.record.reason for action in record_failures(observed, now) if action.record.counted)


@pytest.mark.parametrize(
    ("at_most", "seconds"), [(None, 300.0), (60.0, 60.0), (900.0, 300.0)], ids=["for ever", "less", "more"]
)
def test_raised_memory_that_no_node_has_is_given_up_and_counted(at_most: float | None, seconds: float) -> None:
    assert wait_for_memory(99.0 + seconds, "OutOfMemory", at_most=at_most) == ()
    assert wait_for_memory(100.0 + seconds, "OutOfMemory", at_most=at_most) == ("MemoryUnavailable",)


@pytest.mark.parametrize("failures", [(), ("ProgramError",), ("OutOfMemory", "MemoryUnavailable")], ids=str)
def test_usual_memory_waits_for_a_node_for_ever(failures: tuple[str, ...]) -> None:
    assert wait_for_memory(1e9, *failures) == ()


def test_an_attempt_from_before_the_memory_was_raised_waits_for_ever() -> None:
    assert wait_for_memory(1e9, "OutOfMemory", ordinal=1) == ()


@pytest.mark.parametrize(
    "message",
    [
        {"reason": "x" * 300},
        {"badRecords": -5},
        {"badRecords": 10**18},
        {"lost": {"task": {"type": "m", "index": 0}, "generation": -1}},
        {"record": "r" * 4000, "traceback": "t" * 4000, "message": "\ud800" * 10},
    ],
)
@pytest.mark.parametrize("finished_at", [-6e10, 0.0, 50.0])
def test_whatever_an_attempt_says_its_record_can_be_read_again(message: dict[str, object], finished_at: float) -> None:
    text = json.dumps({"reason": "ProgramError", "message": "", **message})
    pod = replace(make_failed_pod(map_task(0)), outcome=parse_outcome(text), finished_at=finished_at)
    ((record,),) = [[action.record] for action in record_failures(make_observed(pods=(pod,)), 60.0)]
    assert decode(encode(record), FailureRecord) == record
