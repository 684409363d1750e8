import pytest

from podreduce.contract.task import CommitRecord, FailureRecord, LostOutput
from podreduce_operator.model.actions import DeletePod
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.policy.attempt_record import STOPPED_TOLD
from podreduce_operator.policy.failure_recording import record_failures
from podreduce_operator.policy.pod_deletion import (
    KEPT_FAILED_PODS,
    LINGER_SECONDS,
    LOGGED_TASKS,
    delete_all,
    delete_foreign,
    delete_needless,
    kept_failed_pods,
    stop_failed,
)
from tests.support.builders.observed import make_observed
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.records import make_commit, make_failure, make_outcome
from tests.support.builders.tasks import map_task, reduce_task

M0, R0 = map_task(0), reduce_task(0)

NOT_FAILED: dict[str, PodView] = {
    "running": make_pod(),
    "pending": make_pod(phase=PodPhase.PENDING),
    "pending for a reason that may pass": make_pod(phase=PodPhase.PENDING, reason="Unschedulable"),
    "disrupted but not yet gone": make_pod(disrupted=True),
    "another run's": make_failed_pod(run_id="0"),
}


@pytest.mark.parametrize("pod", NOT_FAILED.values(), ids=NOT_FAILED.keys())
def test_attempt_that_has_not_failed_is_not_recorded(pod: PodView) -> None:
    assert record_failures(make_observed(pods=(pod,)), 100.0) == ()


FAILED: dict[str, tuple[PodView, str]] = {
    "failed": (make_failed_pod(), "ProgramError"),
    "ended well, committed nothing": (make_pod(phase=PodPhase.SUCCEEDED, exit_code=0), "CommitMissing"),
    "deleted while it ran": (make_pod(deleting=True), "PodDeleted"),
    "will never start": (make_pod(phase=PodPhase.PENDING, reason="InvalidImageName"), "ImageUnavailable"),
}


@pytest.mark.parametrize(("pod", "reason"), FAILED.values(), ids=FAILED.keys())
def test_failed_attempt_is_recorded_until_the_record_is_seen(pod: PodView, reason: str) -> None:
    (action,) = record_failures(make_observed(pods=(pod,)), 100.0)
    assert (action.record.reason, action.record.attempt_id) == (reason, f"{pod.uid}-0")
    assert record_failures(make_observed(pods=(pod,), failures=[action.record]), 100.0) == ()


@pytest.mark.parametrize(
    ("committed", "expected"), [(0, 0), (1, 0), (None, 1)], ids=["its own generation", "a later one", "none"]
)
def test_attempt_whose_task_is_committed_did_not_fail(committed: int | None, expected: int) -> None:
    commits = [] if committed is None else [make_commit(M0, generation=committed, attempt_id="twin-0")]
    assert len(record_failures(make_observed(pods=(make_failed_pod(M0),), commits=commits), 100.0)) == expected


def test_failure_of_a_new_generation_is_recorded_though_the_old_one_is_committed() -> None:
    observed = make_observed(pods=(make_failed_pod(M0, generation=1),), commits=[make_commit(M0)])
    assert len(record_failures(observed, 100.0)) == 1


def test_record_keeps_how_many_bad_records_were_too_many() -> None:
    pod = make_failed_pod(outcome=make_outcome("TooManyBadRecords", bad_records=11))
    (action,) = record_failures(make_observed(pods=(pod,)), 100.0)
    assert (action.record.bad_records, action.record.counted) == (11, False)


def test_record_keeps_what_the_task_and_its_pod_said() -> None:
    lost = LostOutput(task=map_task(3), generation=1)
    outcome = make_outcome("MapOutputLost", "m-3", traceback="Traceback …", record="line 7", lost=lost)
    pod = make_pod(R0, ordinal=4, generation=2, phase=PodPhase.FAILED, finished_at=77.5, exit_code=69, outcome=outcome)
    (action,) = record_failures(make_observed(pods=(pod,)), 100.0)
    assert action.record == make_failure(
        R0,
        ordinal=4,
        generation=2,
        counted=False,
        reason="MapOutputLost",
        message="m-3",
        finished_at=77.5,
        exit_code=69,
        traceback="Traceback …",
        record="line 7",
        lost=(map_task(3), 1),
    )


def test_attempt_without_a_finish_is_dated_now() -> None:
    (action,) = record_failures(make_observed(pods=(make_pod(deleting=True),)), 123.0)
    assert action.record.finished_at == 123.0


COMMITTED_AT = 50.0
TWIN = make_commit(M0, finished_at=COMMITTED_AT, attempt_id="twin-0")
OWN = make_commit(M0, finished_at=COMMITTED_AT)
NEEDLESS: dict[str, tuple[PodView, CommitRecord | None, float, str | None]] = {
    "running, task not committed": (make_pod(M0), None, 60.0, None),
    "running, task committed by a twin": (make_pod(M0), TWIN, 60.0, "beaten by a twin"),
    "ended, task committed by a twin": (make_failed_pod(M0), TWIN, 60.0, "committed"),
    "ended after its own commit": (make_pod(M0, phase=PodPhase.SUCCEEDED), OWN, 51.0, "committed"),
    "still exiting after its own commit": (make_pod(M0), OWN, COMMITTED_AT + LINGER_SECONDS - 0.1, None),
    "not exiting after its own commit": (make_pod(M0), OWN, COMMITTED_AT + LINGER_SECONDS, "lingers after its commit"),
    "failed and not yet recorded": (make_failed_pod(M0), None, 60.0, None),
    "terminating already": (make_pod(M0, deleting=True), TWIN, 60.0, None),
    "of a later generation than the commit": (make_pod(M0, generation=1), OWN, 60.0, None),
}


@pytest.mark.parametrize(("pod", "commit", "now", "why"), NEEDLESS.values(), ids=NEEDLESS.keys())
def test_pod_goes_when_it_has_done_its_part(
    pod: PodView, commit: CommitRecord | None, now: float, why: str | None
) -> None:
    commits = [] if commit is None else [commit]
    deletes = delete_needless(make_observed(pods=(pod,), commits=commits), {}, now)
    assert [delete.why for delete in deletes] == ([] if why is None else [why])


def test_pod_of_a_lost_generation_goes() -> None:
    (delete,) = delete_needless(make_observed(pods=(make_pod(M0),)), {M0: 1}, 60.0)
    assert delete.why == "output lost"


def test_recorded_pod_goes_unless_it_is_one_of_the_last_failed() -> None:
    pods = tuple(make_failed_pod(map_task(index), finished_at=float(index)) for index in range(KEPT_FAILED_PODS + 2))
    failures = [make_failure(pod.task) for pod in pods]
    deletes = delete_needless(make_observed(pods=pods, failures=failures), {}, 60.0)
    assert [str(delete) for delete in deletes] == ["delete(m-0 failure recorded)", "delete(m-1 failure recorded)"]


def test_recorded_pod_that_waits_for_an_image_is_not_kept() -> None:
    pod = make_pod(M0, phase=PodPhase.PENDING, reason="InvalidImageName")
    (delete,) = delete_needless(make_observed(pods=(pod,), failures=[make_failure(M0)]), {}, 60.0)
    assert delete == DeletePod(name=pod.name, uid=pod.uid, task=M0, why="failure recorded", save_log=False)


@pytest.mark.parametrize(
    ("failures", "expected"), [([make_failure(M0, reason="NoProgress")], [True]), ([], [])], ids=["given up", "at work"]
)
def test_the_log_of_an_attempt_that_was_given_up_while_it_ran_is_saved(
    failures: list[FailureRecord], expected: list[bool]
) -> None:
    deletes = delete_needless(make_observed(pods=(make_pod(M0),), failures=failures), {}, 60.0)
    assert [delete.save_log for delete in deletes] == expected


@pytest.mark.parametrize(("index", "saved"), [(0, True), (LOGGED_TASKS - 1, True), (LOGGED_TASKS, False)])
def test_of_attempts_that_went_well_the_logs_of_the_first_tasks_are_saved(index: int, saved: bool) -> None:
    task = map_task(index)
    pod = make_pod(task, phase=PodPhase.SUCCEEDED, exit_code=0)
    (delete,) = delete_needless(make_observed(pods=(pod,), commits=(make_commit(task),)), {}, 60.0)
    assert delete.save_log is saved


def test_of_failed_attempts_every_log_is_saved() -> None:
    first = LOGGED_TASKS
    pods = [make_failed_pod(map_task(first + at), finished_at=float(at)) for at in range(KEPT_FAILED_PODS + 2)]
    failures = [make_failure(pod.task) for pod in pods]
    deletes = delete_needless(make_observed(pods=tuple(pods), failures=failures), {}, 60.0)
    assert [delete.save_log for delete in deletes] == [True, True]


def test_kept_pods_are_the_last_that_failed() -> None:
    failed = [make_failed_pod(map_task(index), finished_at=float(index)) for index in range(12)]
    others = [make_pod(), make_pod(phase=PodPhase.SUCCEEDED, exit_code=0), make_failed_pod(deleting=True)]
    assert kept_failed_pods([*failed, *others]) == failed[2:]


def test_evicted_pod_without_exit_code_is_kept() -> None:
    pod = make_pod(phase=PodPhase.FAILED, reason="Evicted", finished_at=1.0)
    assert kept_failed_pods([pod]) == [pod]


def test_log_is_saved_of_pods_that_have_ended() -> None:
    saved = [delete.save_log for delete in delete_all([make_pod(), make_failed_pod()], "job ended")]
    assert saved == [False, True]


def test_of_what_a_failed_run_leaves_running_those_that_run_longest_have_their_log_saved() -> None:
    running = [make_pod(map_task(index), started_at=100.0 - index) for index in range(STOPPED_TOLD + 2)]
    others = [make_pod(map_task(20), phase=PodPhase.PENDING), make_pod(map_task(21), started_at=1.0, deleting=True)]
    deletes = stop_failed(make_observed(pods=(*running, *others)))
    saved = [(str(delete.task), delete.save_log) for delete in deletes]
    assert saved == [
        ("m-0", False),
        ("m-1", False),
        ("m-20", False),
        *((f"m-{index}", True) for index in range(2, STOPPED_TOLD + 2)),
    ]


def test_foreign_pods_go_once() -> None:
    pods = (make_pod(), make_pod(run_id="0"), make_pod(map_task(1), run_id="0", deleting=True))
    deletes = delete_foreign(make_observed(pods=pods))
    assert [str(delete) for delete in deletes] == ["delete(m-0 other run)"]


def test_a_deletion_names_the_turn_that_the_pod_was_at() -> None:
    pod = make_pod(map_task(1), tasks=(M0, map_task(1)), sequence=1)
    assert [action.sequence for action in delete_all([pod], "suspended")] == [1]


def test_a_pod_that_went_well_is_not_kept_as_a_failed_one() -> None:
    well = make_pod(phase=PodPhase.SUCCEEDED, exit_code=0)
    one, unknown = make_failed_pod(exit_code=1), make_failed_pod(map_task(2), exit_code=None)
    assert set(kept_failed_pods([well, one, unknown])) == {one, unknown}


def test_a_failed_pod_without_an_end_is_as_old_as_its_creation() -> None:
    old = make_failed_pod(map_task(99), finished_at=None, created_at=1.0)
    pods = [make_failed_pod(map_task(index), finished_at=50.0) for index in range(KEPT_FAILED_PODS)]
    assert old not in kept_failed_pods([*pods, old])


def test_no_log_is_kept_of_a_pod_that_never_ran() -> None:
    waiting = make_pod(phase=PodPhase.PENDING, started_at=None)
    unsaid = make_pod(map_task(1), phase=PodPhase.UNKNOWN, started_at=5.0)
    deletes = stop_failed(make_observed(pods=(waiting, unsaid, make_pod(map_task(2), started_at=None))))
    assert [action.save_log for action in deletes] == [False, False, False]


def test_a_failed_pod_whose_sidecar_runs_is_not_kept_while_the_run_goes_on() -> None:
    pod = make_failed_pod(map_task(0), lingers=True)
    observed = make_observed(pods=(pod,), failures=(make_failure(map_task(0)),))
    (deletion,) = delete_needless(observed, {}, 200.0)
    assert (deletion.uid, deletion.save_log) == (pod.uid, True)


def test_a_failed_pod_whose_sidecar_runs_stays_until_its_failure_is_recorded() -> None:
    assert delete_needless(make_observed(pods=(make_failed_pod(map_task(0), lingers=True),)), {}, 200.0) == ()


def test_failed_pods_whose_sidecars_run_take_no_place_of_those_that_are_kept() -> None:
    ended = [make_failed_pod(map_task(index), finished_at=1.0) for index in range(KEPT_FAILED_PODS)]
    running = [make_failed_pod(map_task(100 + index), finished_at=9.0, lingers=True) for index in range(3)]
    assert set(kept_failed_pods([*ended, *running])) == set(ended)
