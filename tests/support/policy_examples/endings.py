"""What ends a run: deadline, failures, losses."""

from podreduce.contract.task import FailureRecord, TaskRef
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_shuffle
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_failure
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import ALL, BOTH, M0, M1, R0

__all__ = ["ENDINGS"]


def make_lost_part(task: TaskRef, number: int) -> FailureRecord:
    """The record of a committed part that the store has dropped, for the so-manyeth time."""
    return make_failure(
        task, ordinal=number, attempt_id=f"a{number}", counted=False, reason="UploadLost", lost=(task, number - 1)
    )


ENDINGS = (
    Example(
        name="the deadline ends a run",
        observed=make_observed(spec={"activeDeadlineSeconds": 60}, pods=(make_pod(M0),)),
        now=60.0,
        expected="Failed/DeadlineExceeded: keep(1) delete(m-0 job failed)",
    ),
    Example(
        name="the deadline is waited for",
        observed=make_observed(spec={"activeDeadlineSeconds": 60}, pods=(make_pod(M0), make_pod(M1))),
        now=59.0,
        expected="Mapping: -; wake 1.0s",
    ),
    Example(
        name="a deadline that passes past the intent does not stop the commit",
        observed=make_observed(spec={"activeDeadlineSeconds": 60}, commits=ALL, has_intent=True),
        now=1000.0,
        expected="Committing: commit",
    ),
    Example(
        name="one failure more than the limit fails the run",
        observed=make_observed(
            spec={"backoffLimitPerTask": 1},
            pods=(make_pod(M1),),
            failures=(make_failure(M0, attempt_id="a"), make_failure(M0, ordinal=2, attempt_id="b")),
        ),
        now=500.0,
        expected="Failed/BackoffLimitExceeded: keep(1) delete(m-1 job failed)",
    ),
    Example(
        name="as many failures as the limit leave one attempt",
        observed=make_observed(
            spec={"backoffLimitPerTask": 2},
            pods=(make_pod(M1),),
            failures=(make_failure(M0, attempt_id="a"), make_failure(M0, ordinal=2, attempt_id="b")),
        ),
        now=500.0,
        expected="Mapping: create(m-0#3)",
    ),
    Example(
        name="a limit of 0 leaves no second attempt",
        observed=make_observed(spec={"backoffLimitPerTask": 0}, failures=(make_failure(M0),)),
        now=500.0,
        expected="Failed/BackoffLimitExceeded: -",
    ),
    Example(
        name="a task that was disrupted 49 times is made again",
        observed=make_observed(
            pods=(make_pod(M1),),
            failures=[make_failure(M0, counted=False, ordinal=n, attempt_id=f"a{n}") for n in range(1, 50)],
        ),
        now=500.0,
        expected="Mapping: create(m-0#50)",
    ),
    Example(
        name="a task that was disrupted 50 times fails the run",
        observed=make_observed(
            failures=[make_failure(M0, counted=False, ordinal=n, attempt_id=f"a{n}") for n in range(1, 51)]
        ),
        now=500.0,
        expected="Failed/TooManyDisruptions: -",
    ),
    Example(
        name="a task whose output was lost 49 times is made again",
        observed=make_observed(
            commits=BOTH, shuffle=make_shuffle(), failures=[make_lost_part(R0, number) for number in range(1, 50)]
        ),
        now=5000.0,
        expected="Reducing: create(r-0#50)",
    ),
    Example(
        name="a task whose output was lost 50 times fails the run",
        observed=make_observed(commits=BOTH, failures=[make_lost_part(R0, number) for number in range(1, 51)]),
        now=5000.0,
        expected="Failed/TooManyLostOutputs: -",
    ),
    Example(
        name="losses and disruptions are not added up",
        observed=make_observed(
            commits=BOTH,
            shuffle=make_shuffle(),
            failures=[
                *(make_lost_part(R0, number) for number in range(1, 50)),
                *(
                    make_failure(R0, counted=False, reason="Disrupted", ordinal=number, attempt_id=f"d{number}")
                    for number in range(50, 99)
                ),
            ],
        ),
        now=5000.0,
        expected="Reducing: create(r-0#99)",
    ),
    Example(
        name="a failure that repeating cannot mend fails the run",
        observed=make_observed(failures=(make_failure(M0, reason="InputError", ends_job=True),)),
        now=500.0,
        expected="Failed/InputError: -",
    ),
)
