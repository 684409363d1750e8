import pytest

from podreduce.contract.attempts import AttemptRecord
from podreduce.contract.wire import decode, encode
from podreduce_operator.model.pods import PodPhase, PodView, Requests, Stage
from podreduce_operator.policy.attempt_record import (
    JOB_FAILED,
    SUSPENDED,
    describe_attempt,
    is_stopped,
    kept_stage,
    past_attempts,
    stage_of,
)
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_outcome
from tests.support.builders.tasks import map_task

STAGES: dict[str, tuple[PodView, Stage]] = {
    "pending": (make_pod(phase=PodPhase.PENDING), Stage.CREATED),
    "running": (make_pod(), Stage.STARTED),
    "on a node that does not answer": (make_pod(phase=PodPhase.UNKNOWN), Stage.STARTED),
    "ended": (make_pod(phase=PodPhase.FAILED), Stage.STARTED),
    "being deleted before it ran": (make_pod(phase=PodPhase.PENDING, deleting=True), Stage.GONE),
    "being deleted": (make_pod(deleting=True), Stage.GONE),
}


@pytest.mark.parametrize(("pod", "stage"), STAGES.values(), ids=STAGES.keys())
def test_what_is_kept_of_an_attempt_says_how_far_it_had_come(pod: PodView, stage: Stage) -> None:
    assert stage_of(pod) == kept_stage(describe_attempt(pod, 100.0)) == stage


def test_an_attempt_about_to_be_deleted_is_as_good_as_gone() -> None:
    record = describe_attempt(make_pod(), 100.0, "committed")
    assert (kept_stage(record), record.deleted_at, record.why_deleted) == (Stage.GONE, 100.0, "committed")


def test_all_that_a_pod_knows_is_kept() -> None:
    pod = make_pod(
        map_task(3),
        ordinal=2,
        generation=1,
        phase=PodPhase.FAILED,
        node="node-1",
        created_at=1.0,
        scheduled_at=2.0,
        started_at=3.0,
        finished_at=4.0,
        exit_code=137,
        reason="OOMKilled",
        message="at its limit",
        requests=Requests(250, 1024),
    )
    record = describe_attempt(pod, 5.0)
    assert record == AttemptRecord(
        task=map_task(3),
        generation=1,
        ordinal=2,
        attempt_id=pod.attempt_id,
        pod_name=pod.name,
        kept_at=5.0,
        phase="Failed",
        node="node-1",
        created_at=1.0,
        scheduled_at=2.0,
        started_at=3.0,
        finished_at=4.0,
        exit_code=137,
        reason="OOMKilled",
        message="at its limit",
        cpu_millis=250,
        memory_bytes=1024,
    )
    assert decode(encode(record), AttemptRecord) == record


def test_the_tasks_own_words_go_before_the_kubelets_and_are_cut() -> None:
    outcome = make_outcome("ProgramError", f"{'x' * 5000}: do this")
    record = describe_attempt(make_pod(phase=PodPhase.FAILED, reason="Error", outcome=outcome), 5.0)
    assert (record.reason, len(record.message.encode())) == ("ProgramError", 1000)
    assert record.message.endswith(": do this")


def test_an_attempt_that_waited_only_for_its_turn_was_created_when_it_started() -> None:
    tasks = (map_task(0), map_task(1))
    pod = make_pod(map_task(1), tasks=tasks, sequence=1, created_at=1.0, scheduled_at=2.0, started_at=30.0)
    record = describe_attempt(pod, 40.0)
    assert (record.created_at, record.scheduled_at, record.started_at) == (30.0, 30.0, 30.0)


def test_a_turn_that_is_over_has_the_times_of_its_commit_and_nothing_of_its_pods_end() -> None:
    tasks = tuple(map(map_task, range(3)))
    pod = make_pod(
        map_task(2),
        uid="u",
        tasks=tasks,
        sequence=2,
        phase=PodPhase.FAILED,
        created_at=1.0,
        finished_at=50.0,
        exit_code=64,
        deleting=True,
        reason="Error",
        outcome=make_outcome(),
    )
    commit = make_commit(map_task(1), attempt_id="u-1", started_at=20.0, finished_at=30.0)
    first, second = (describe_attempt(turn, 60.0) for turn in past_attempts(pod, {commit.task: commit}))
    assert (str(first.task), first.attempt_id, first.created_at, first.finished_at) == ("m-0", "u-0", 1.0, None)
    assert (str(second.task), second.attempt_id, second.started_at, second.finished_at) == ("m-1", "u-1", 20.0, 30.0)
    for record in (first, second):
        assert kept_stage(record) == Stage.DONE
        assert (record.exit_code, record.reason, record.message, record.deleted_at) == (None, "", "", None)


def test_a_turn_that_a_twin_has_committed_has_no_times_of_its_own() -> None:
    pod = make_pod(map_task(1), uid="u", tasks=(map_task(0), map_task(1)), sequence=1, message="of the last turn")
    twin = make_commit(map_task(0), attempt_id="twin-0", finished_at=30.0)
    (turn,) = past_attempts(pod, {twin.task: twin})
    assert (turn.finished_at, turn.message) == (None, "")


@pytest.mark.parametrize(
    ("why", "expected"), [(JOB_FAILED, True), (SUSPENDED, True), ("beaten by a twin", False), ("", False)]
)
def test_an_attempt_that_the_operator_stopped_has_not_failed(why: str, expected: bool) -> None:
    assert is_stopped(describe_attempt(make_pod(), 100.0, why)) is expected
