"""Pods that do not end, and attempts that do not move."""

from tests.support.builders.observed import make_observed
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.records import make_failure
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import COMPLETE, M0, M1, moved_at

__all__ = ["STUCK_PODS"]

GONE = make_failure(M0, counted=False, reason="Disrupted", finished_at=60.0)


STUCK_PODS = (
    Example(
        name="a pod that does not end in its grace is waited for",
        observed=make_observed(pods=(make_pod(M0, deleting=True, vanishes_at=70.0), make_pod(M1)), failures=(GONE,)),
        now=99.0,
        expected="Mapping: create(m-0#2); wake 1.0s",
    ),
    Example(
        name="a pod that has not ended long after its grace is let go of",
        observed=make_observed(
            pods=(make_pod(M0, deleting=True, vanishes_at=70.0), make_pod(M0, ordinal=2), make_pod(M1)),
            failures=(GONE,),
        ),
        now=100.0,
        expected="Mapping: delete(m-0 lost with its node)",
    ),
    Example(
        name="a pod that has not ended long after its grace is let go of after the run's end as well",
        observed=make_observed(run=COMPLETE, pods=(make_pod(M0, deleting=True, vanishes_at=280.0),)),
        now=310.0,
        expected="Complete/OutputCommitted: delete(m-0 lost with its node)",
    ),
    Example(
        name="a pod that has ended is not let go of with its node",
        observed=make_observed(
            pods=(make_failed_pod(M0, deleting=True, vanishes_at=70.0), make_pod(M0, ordinal=2), make_pod(M1)),
            failures=(make_failure(M0, attempt_id=make_pod(M0).attempt_id),),
        ),
        now=1000.0,
        expected="Mapping: -",
    ),
    Example(
        name="an attempt that does not move is given up",
        observed=make_observed(pods=(make_pod(M0), make_pod(M1)), progress=moved_at({M0: 0.0, M1: 1790.0})),
        now=1800.0,
        expected="Mapping: record(m-0 NoProgress); wake 1790.0s",
    ),
    Example(
        name="an attempt that does not move is not given up before its time",
        observed=make_observed(pods=(make_pod(M0), make_pod(M1)), progress=moved_at({M0: 0.0, M1: 1790.0})),
        now=1799.0,
        expected="Mapping: -; wake 1.0s",
    ),
    Example(
        name="the pod of an attempt that did not move goes once that is recorded",
        observed=make_observed(
            pods=(make_pod(M0), make_pod(M1)), failures=(make_failure(M0, reason="NoProgress", finished_at=1800.0),)
        ),
        now=1801.0,
        expected="Mapping: keep(1) delete(m-0 failure recorded); wake 4.0s",
    ),
)
