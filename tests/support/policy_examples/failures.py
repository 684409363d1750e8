"""Failed attempts: what they cost, and when the next one starts."""

from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import M0, M1, ONE

__all__ = ["FAILURES"]

IGNORE_ERRORS = {"rules": [{"action": "Ignore", "onReasons": ["ProgramError"]}]}


FAILURES = (
    Example(
        name="the seventh counted failure waits for the longest delay",
        observed=make_observed(
            spec={"backoffLimitPerTask": 9},
            pods=(make_pod(M1),),
            failures=[make_failure(M0, ordinal=ordinal, attempt_id=f"a{ordinal}") for ordinal in range(1, 8)],
        ),
        now=100.0,
        expected="Mapping: -; wake 300.0s",
    ),
    Example(
        name="a setup that raised once is tried again",
        observed=make_observed(
            spec=ONE,
            pods=(make_failed_pod(M0, reason="SetupFailed"),),
            failures=(make_failure(M0, reason="SetupFailed"),),
        ),
        now=105.0,
        expected="Mapping: create(m-0#2)",
    ),
    Example(
        name="a setup that raised the same twice ends the job without further delays",
        observed=make_observed(
            spec=ONE,
            failures=(
                make_failure(M0, reason="SetupFailed"),
                make_failure(M0, reason="SetupFailed", ordinal=2, ends_job=True),
            ),
        ),
        now=105.0,
        expected="Failed/SetupFailed: -",
    ),
    Example(
        name="a program that is no job fails at the first attempt that says so",
        observed=make_observed(failures=(make_failure(M0, reason="ProgramInvalid", ends_job=True),)),
        now=100.0,
        expected="Failed/ProgramInvalid: -",
    ),
    Example(
        name="a disrupted attempt is made again after a second",
        observed=make_observed(pods=(make_pod(M1),), failures=(make_failure(M0, counted=False, reason="Disrupted"),)),
        now=100.5,
        expected="Mapping: -; wake 0.5s",
    ),
    Example(
        name="ordinals count records as well as pods",
        observed=make_observed(
            spec=ONE,
            pods=(make_failed_pod(M0, ordinal=2),),
            failures=(
                make_failure(M0, ordinal=2),
                make_failure(M0, ordinal=6, attempt_id="gone", finished_at=90.0),
            ),
        ),
        now=200.0,
        expected="Mapping: create(m-0#7)",
    ),
    Example(
        name="a terminating pod counts for ordinals and has failed",
        observed=make_observed(pods=(make_pod(M0, ordinal=3, deleting=True), make_pod(M1))),
        now=100.0,
        expected="Mapping: record(m-0 PodDeleted, free)",
    ),
    Example(
        name="of twelve failed pods the last ten stay",
        observed=make_observed(
            spec=ONE,
            plan=make_plan_summary(shards=12),
            pods=tuple(make_failed_pod(map_task(index), finished_at=100.0 - index) for index in range(12)),
            failures=[make_failure(map_task(index), finished_at=100.0 - index) for index in range(12)],
        ),
        now=101.0,
        expected=(
            "Mapping: keep(2) create(m-4#2) delete(m-10 failure recorded) delete(m-11 failure recorded); wake 1.0s"
        ),
    ),
    Example(
        name="a failed attempt of a committed task is no failure",
        observed=make_observed(pods=(make_failed_pod(M0), make_pod(M1)), commits=(make_commit(M0),)),
        now=100.0,
        expected="Mapping: keep(1) delete(m-0 committed)",
    ),
    Example(
        name="the first lack of memory gets more of it",
        observed=make_observed(pods=(make_pod(M1),), failures=(make_failure(M0, reason="OutOfMemory", counted=False),)),
        now=101.0,
        expected="Mapping: create(m-0#2 memory x1.5)",
    ),
    Example(
        name="the first lack of memory costs no attempt",
        observed=make_observed(pods=(make_failed_pod(M0, reason="OutOfMemory"), make_pod(M1))),
        now=100.0,
        expected="Mapping: record(m-0 OutOfMemory, free)",
    ),
    Example(
        name="the second lack of memory costs an attempt",
        observed=make_observed(
            pods=(make_failed_pod(M0, ordinal=2, reason="OutOfMemory"), make_pod(M1)),
            failures=(make_failure(M0, reason="OutOfMemory", counted=False),),
        ),
        now=200.0,
        expected="Mapping: record(m-0 OutOfMemory)",
    ),
    Example(
        name="a failure that the job's policy ignores costs no attempt",
        observed=make_observed(spec={"failurePolicy": IGNORE_ERRORS}, pods=(make_failed_pod(M0), make_pod(M1))),
        now=100.0,
        expected="Mapping: record(m-0 ProgramError, free)",
    ),
    Example(
        name="the twentieth outage of the store fails the run",
        observed=make_observed(
            pods=(make_pod(M1),),
            failures=[
                make_failure(M0, reason="StorageUnavailable", counted=False, attempt_id=str(n)) for n in range(20)
            ],
        ),
        now=101.0,
        expected="Failed/StorageUnavailable: keep(1) delete(m-1 job failed)",
    ),
    Example(
        name="a task that the store refuses is tried again later",
        observed=make_observed(
            pods=(make_failed_pod(M0, reason="StorageDenied"), make_pod(M1)),
        ),
        now=100.0,
        expected="Mapping: record(m-0 StorageDenied, free)",
    ),
)
