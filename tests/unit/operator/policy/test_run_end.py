from typing import Any

import pytest

from podreduce_operator.model.actions import DeletePod
from podreduce_operator.model.decisions import Phase
from podreduce_operator.model.limits import Limits, PendingDeadlines
from podreduce_operator.model.observed import Observed, RunState
from podreduce_operator.policy.run_cleanup import clean_up, remove_replaced_run
from podreduce_operator.policy.run_end import deadline_at, find_run_end, newest
from tests.support.builders.jobs import make_job
from tests.support.builders.observed import make_fault, make_observed
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.records import make_commit, make_failure, make_quarantine
from tests.support.builders.tasks import map_task, reduce_task

ENDED = RunState(run_id="1", started_at=0.0, terminal="Failed", reason="InputError", message="no", completed_at=100.0)


def reason_of(observed: Observed, now: float = 0.0) -> str | None:
    verdict = find_run_end(observed, now)
    return None if verdict is None else verdict.reason


def test_run_goes_on_without_evidence_against_it() -> None:
    assert find_run_end(make_observed(), 1e9) is None


@pytest.mark.parametrize(("limit", "expected"), [(0, "BackoffLimitExceeded"), (1, "BackoffLimitExceeded"), (2, None)])
def test_limit_is_exceeded_by_one_failure_more_than_it(limit: int, expected: str | None) -> None:
    failures = [make_failure(ordinal=1), make_failure(ordinal=2)]
    assert reason_of(make_observed(spec={"backoffLimitPerTask": limit}, failures=failures)) == expected


def test_uncounted_failures_use_up_nothing() -> None:
    failures = [make_failure(ordinal=ordinal, counted=False) for ordinal in range(1, 10)]
    assert reason_of(make_observed(spec={"backoffLimitPerTask": 0}, failures=failures)) is None


def test_failures_of_different_tasks_do_not_add_up() -> None:
    failures = [make_failure(map_task(index)) for index in range(5)]
    assert reason_of(make_observed(spec={"backoffLimitPerTask": 1}, failures=failures)) is None


def test_exhausted_task_is_told_with_its_last_failure() -> None:
    failures = [
        make_failure(ordinal=2, finished_at=200.0, message="the last"),
        make_failure(ordinal=1, finished_at=100.0, message="the first"),
    ]
    verdict = find_run_end(make_observed(spec={"backoffLimitPerTask": 1}, failures=failures), 0.0)
    assert verdict is not None
    assert verdict.message.startswith("2 attempts failed; the last: m-0 (pod ")
    assert verdict.message.endswith("ProgramError: the last")


def test_first_task_in_order_gives_the_verdict() -> None:
    failures = [
        make_failure(reduce_task(0), reason="PlanMismatch", ends_job=True),
        make_failure(map_task(3), reason="InputError", ends_job=True),
    ]
    assert reason_of(make_observed(failures=failures)) == "InputError"


@pytest.mark.parametrize("reason", ["InputError", "PlanMismatch", "ImageUnavailable", "PodConfigInvalid"])
def test_failure_that_repeating_cannot_mend_ends_the_run_at_once(reason: str) -> None:
    assert reason_of(make_observed(failures=[make_failure(reason=reason, ends_job=True)])) == reason


@pytest.mark.parametrize(("now", "expected"), [(59.9, None), (60.0, "DeadlineExceeded"), (1e9, "DeadlineExceeded")])
def test_deadline_counts_from_the_start(now: float, expected: str | None) -> None:
    assert reason_of(make_observed(spec={"activeDeadlineSeconds": 60}), now) == expected


def test_run_that_has_not_started_has_no_deadline() -> None:
    observed = make_observed(spec={"activeDeadlineSeconds": 60}, run=RunState(run_id="1"))
    assert deadline_at(observed) is None
    assert reason_of(observed, 1e9) is None


@pytest.mark.parametrize("reason", ["StorageSecretNotFound", "ProgramNotFound"])
@pytest.mark.parametrize(("now", "expected"), [(29.9, False), (30.0, True)])
def test_what_is_applied_beside_the_job_has_a_grace(reason: str, now: float, expected: bool) -> None:
    observed = make_observed(plan=None, faults=(make_fault(reason, permanent=True),))
    assert (reason_of(observed, now) == reason) is expected


def test_what_is_missing_before_the_first_status_is_waited_for() -> None:
    observed = make_observed(run=RunState(run_id="1"), plan=None, faults=(make_fault("ProgramNotFound"),))
    assert reason_of(observed, 1e9) is None


EVIDENCE: dict[str, dict[str, Any]] = {
    "exhausted": {"failures": [make_failure(ordinal=n) for n in range(1, 7)]},
    "fatal": {"failures": [make_failure(reason="InputError", ends_job=True)]},
    "bad records": {"spec": {"maxBadRecords": 2}, "commits": [make_commit(quarantine=make_quarantine(3))]},
    "deadline": {"spec": {"activeDeadlineSeconds": 1}},
    "permanent fault": {"faults": (make_fault(permanent=True),)},
}


@pytest.mark.parametrize("evidence", EVIDENCE.values(), ids=EVIDENCE.keys())
def test_evidence_fails_a_run_but_not_past_its_intent_nor_before_it_has_begun(evidence: dict[str, Any]) -> None:
    assert find_run_end(make_observed(**evidence), 1e9) is not None
    assert find_run_end(make_observed(**evidence, has_intent=True), 1e9) is None
    assert find_run_end(make_observed(**evidence, superseded="0"), 1e9) is None


@pytest.mark.parametrize(
    ("status", "fails"),
    [
        ({}, True),
        ({"runId": "1"}, True),
        ({"runId": "0", "planDigest": "x"}, True),
        ({"runId": "1", "planDigest": "x"}, False),
    ],
    ids=["no status", "not planned", "another run was planned", "planned"],
)
def test_blind_run_fails_only_if_it_cannot_be_past_its_intent(status: dict[str, str], fails: bool) -> None:
    fault = make_fault("StorageDenied", permanent=True)
    observed = make_observed(job=make_job(status=status), plan=None, is_store_unreadable=True, faults=(fault,))
    assert (reason_of(observed) == "StorageDenied") is fails


def test_planned_run_waits_until_the_store_accepts_the_operator_again() -> None:
    faults = (make_fault("StorageDenied", permanent=True),)
    assert reason_of(make_observed(plan=None, faults=faults)) == "StorageDenied"
    assert reason_of(make_observed(faults=faults), 1e9) is None


@pytest.mark.parametrize(("denials", "expected"), [(11, None), (12, "StorageDenied")])
def test_task_that_the_store_refuses_has_a_budget(denials: int, expected: str | None) -> None:
    failures = [make_failure(reason="StorageDenied", counted=False, ordinal=n) for n in range(denials)]
    assert reason_of(make_observed(failures=failures), 1e9) == expected


def test_verdict_names_the_last_denial_and_how_long_denials_lasted() -> None:
    failures = [
        make_failure(reason="StorageDenied", counted=False, ordinal=n, finished_at=1000.0 + 150 * n, message=f"no {n}")
        for n in range(12)
    ]
    verdict = find_run_end(make_observed(failures=failures), 1e9)
    assert verdict is not None
    assert verdict.message.startswith("12 attempts lost within 1650 s; the last: m-0")
    assert verdict.message.endswith("StorageDenied: no 11")


def test_tidying_keeps_verdict_reason_and_message() -> None:
    verdict = clean_up(make_observed(run=ENDED), 200.0).verdict
    assert (verdict.phase, verdict.reason, verdict.message) == (Phase.FAILED, "InputError", "no")


def test_data_stays_while_a_pod_of_the_run_has_not_ended() -> None:
    pods = (make_pod(deleting=True),)
    observed = make_observed(
        run=ENDED, pods=pods, has_intermediates=True, has_records=True, spec={"ttlSecondsAfterFinished": 0}
    )
    assert clean_up(observed, 200.0).actions == ()


def test_after_the_ttl_data_goes_before_the_records_that_say_where_it_lies() -> None:
    observed = make_observed(run=ENDED, has_intermediates=True, has_records=True, spec={"ttlSecondsAfterFinished": 10})
    assert [str(action) for action in clean_up(observed, 110.0).actions] == ["clean", "remove"]


@pytest.mark.parametrize(("now", "kept"), [(109.9, 10), (110.0, 0)])
def test_last_ten_failed_pods_stay_until_the_ttl(now: float, kept: int) -> None:
    pods = tuple(make_failed_pod(map_task(index), finished_at=float(index)) for index in range(12))
    decision = clean_up(make_observed(run=ENDED, pods=pods, spec={"ttlSecondsAfterFinished": 10}), now)
    deleted = [str(action) for action in decision.actions]
    assert deleted == [f"delete(m-{index} job ended)" for index in range(12 - kept)]


def test_tidying_deletes_a_failed_pod_whose_sidecar_runs() -> None:
    ended, lingering = make_failed_pod(map_task(0)), make_failed_pod(map_task(1), lingers=True)
    observed = make_observed(run=ENDED, pods=(ended, lingering))
    deleted = [action for action in clean_up(observed, 101.0).actions if isinstance(action, DeletePod)]
    assert [(action.uid, action.save_log) for action in deleted] == [(lingering.uid, True)]


def test_tidying_deletes_pods_of_other_runs() -> None:
    observed = make_observed(run=ENDED, pods=(make_failed_pod(run_id="0"),))
    assert [str(action) for action in clean_up(observed, 101.0).actions] == ["delete(m-0 job ended)"]


def test_nothing_left_needs_no_further_look() -> None:
    assert clean_up(make_observed(run=ENDED), 101.0).wake_after is None


@pytest.mark.parametrize(("now", "expected"), [(101.0, 5.0), (130.0, 30.0), (10_000.0, 3600.0)])
def test_fault_while_tidying_is_tried_again_and_more_and_more_seldom(now: float, expected: float) -> None:
    observed = make_observed(run=ENDED, has_intermediates=True, has_records=True, faults=(make_fault(),))
    decision = clean_up(observed, now)
    assert (decision.actions, decision.wake_after) == ((), expected)


def test_replaced_run_is_discarded_once_its_pods_have_ended() -> None:
    job = make_job(spec={"runId": "2"})
    running = make_observed(job=job, run_id="2", superseded="1", pods=(make_pod(),))
    ended = make_observed(job=job, run_id="2", superseded="1", pods=(make_failed_pod(),))
    assert [str(action) for action in remove_replaced_run(running, "1").actions] == ["delete(m-0 other run)"]
    assert [str(action) for action in remove_replaced_run(ended, "1").actions] == [
        "delete(m-0 other run)",
        "discard(1)",
    ]


def test_newest_failure_is_the_one_that_finished_last() -> None:
    late = make_failure(ordinal=1, finished_at=200.0)
    assert newest([make_failure(ordinal=2, finished_at=100.0), late, make_failure(ordinal=3, finished_at=1.0)]) == late


TOLD: dict[str, tuple[dict[str, Any], str]] = {
    "fault": ({"faults": (make_fault(permanent=True),)}, "of the test's making"),
    "deadline": ({"spec": {"activeDeadlineSeconds": 60}}, "ran longer than 60 s"),
    "fatal": ({"failures": [make_failure(reason="InputError", ends_job=True, message="no such column")]}, "no such"),
    "lost": (
        {
            "failures": [
                make_failure(counted=False, ordinal=n, attempt_id=f"a{n}", message="its node") for n in range(50)
            ]
        },
        "50 attempts lost within 0 s; the last: m-0",
    ),
}


@pytest.mark.parametrize(("evidence", "expected"), TOLD.values(), ids=TOLD.keys())
def test_the_verdict_says_why(evidence: dict[str, Any], expected: str) -> None:
    verdict = find_run_end(make_observed(**evidence), 1e9)
    assert verdict is not None
    assert expected in verdict.message


def test_what_is_applied_beside_the_job_is_waited_for_where_no_grace_is_set() -> None:
    limits = Limits(pending=PendingDeadlines(absent_seconds=None))
    observed = make_observed(plan=None, limits=limits, faults=(make_fault("ProgramNotFound"),))
    assert reason_of(observed, 1e9) is None


def test_a_run_that_is_replaced_is_named() -> None:
    assert remove_replaced_run(make_observed(superseded="7"), "7").verdict.message == "run 7 is being discarded"


def test_the_deadline_of_a_run_whose_store_cannot_be_read_waits_until_it_can() -> None:
    observed = make_observed(spec={"activeDeadlineSeconds": 1}, is_store_unreadable=True, faults=(make_fault(),))
    assert find_run_end(observed, 1e9) is None


@pytest.mark.parametrize(
    "reason",
    [
        "StorageSecretNotFound",
        "ProgramNotFound",
        "ServiceAccountNotFound",
        "PriorityClassNotFound",
        "RuntimeClassNotFound",
    ],
)
def test_an_object_that_is_applied_with_the_job_has_a_grace_to_appear(reason: str) -> None:
    run = RunState(run_id="1", started_at=100.0)
    observed = make_observed(run=run, faults=(make_fault(reason, permanent=True),))
    assert reason_of(observed, 129.0) is None
    assert reason_of(observed, 130.0) == reason
