"""What becomes of a run that has ended."""

from tests.support.builders.observed import make_fault, make_observed
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import COMPLETE, FAILED, M0, M1

__all__ = ["CLEANUP"]

CLEANUP = (
    Example(
        name="the running pods of an ended run go",
        observed=make_observed(run=FAILED, pods=(make_pod(M0), make_pod(M1, deleting=True)), has_intermediates=True),
        now=310.0,
        expected="Failed/DeadlineExceeded: delete(m-0 job ended)",
    ),
    Example(
        name="an ended run keeps its failed pods until the ttl",
        observed=make_observed(run=FAILED, pods=(make_failed_pod(M0),), has_records=True),
        now=310.0,
        expected="Failed/DeadlineExceeded: -; wake 86390.0s",
    ),
    Example(
        name="pods and records of an ended run go after the ttl",
        observed=make_observed(
            run=FAILED, pods=(make_failed_pod(M0),), has_records=True, spec={"ttlSecondsAfterFinished": 10}
        ),
        now=310.0,
        expected="Failed/DeadlineExceeded: delete(m-0 job ended) remove",
    ),
    Example(
        name="the records of an ended run stay while a pod of its own does",
        observed=make_observed(
            run=FAILED, pods=(make_pod(M0, deleting=True),), has_records=True, spec={"ttlSecondsAfterFinished": 10}
        ),
        now=310.0,
        expected="Failed/DeadlineExceeded: -",
    ),
    Example(
        name="an ended run whose store cannot be read is tidied later, the later the longer this lasts",
        observed=make_observed(run=COMPLETE, pods=(make_pod(M0),), is_store_unreadable=True, faults=(make_fault(),)),
        now=310.0,
        expected="Complete/OutputCommitted: delete(m-0 job ended); wake 10.0s",
    ),
    Example(
        name="a verdict outlives a new deadline",
        observed=make_observed(run=COMPLETE, spec={"activeDeadlineSeconds": 1}),
        now=310.0,
        expected="Complete/OutputCommitted: -",
    ),
)
