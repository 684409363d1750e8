"""What is kept of attempts before their pods go."""

from podreduce_operator.model.pods import Stage
from tests.support.builders.observed import make_fault, make_observed
from tests.support.builders.pods import make_pod
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import M0, M1

__all__ = ["KEPT_ATTEMPTS"]

KEPT_ATTEMPTS = (
    Example(
        name="what is known of new attempts is kept",
        observed=make_observed(pods=(make_pod(M0), make_pod(M1)), kept={}),
        now=0.0,
        expected="Mapping: keep(2)",
    ),
    Example(
        name="what is known of an attempt is kept again when it has come further",
        observed=make_observed(
            pods=(make_pod(M0), make_pod(M1)),
            kept={make_pod(M0).attempt_id: Stage.CREATED, make_pod(M1).attempt_id: Stage.STARTED},
        ),
        now=0.0,
        expected="Mapping: keep(1)",
    ),
    Example(
        name="what is known of a pod that somebody else deletes is kept",
        observed=make_observed(
            pods=(make_pod(M0, deleting=True), make_pod(M1)),
            kept={make_pod(task).attempt_id: Stage.STARTED for task in (M0, M1)},
        ),
        now=0.0,
        expected="Mapping: record(m-0 PodDeleted, free) keep(1)",
    ),
    Example(
        name="the pods of a suspended job stop though nothing can be kept",
        observed=make_observed(spec={"suspend": True}, pods=(make_pod(M0),), faults=(make_fault(),)),
        now=0.0,
        expected="Suspended/StorageUnavailable: delete(m-0 suspended); wake 5.0s",
    ),
    Example(
        name="the pods of a failed job stop though nothing can be kept",
        observed=make_observed(spec={"activeDeadlineSeconds": 60}, pods=(make_pod(M0),), faults=(make_fault(),)),
        now=60.0,
        expected="Failed/DeadlineExceeded: delete(m-0 job failed)",
    ),
)
