"""When the post-mortem is written."""

from podreduce_operator.model.limits import Limits
from tests.support.builders.observed import make_fault, make_observed
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import COMPLETE, FAILED, M0

__all__ = ["POST_MORTEM"]

POST_MORTEM = (
    Example(
        name="the post-mortem tells of pods that stay",
        observed=make_observed(run=FAILED, pods=(make_failed_pod(M0),), has_records=True, post_mortem=None),
        now=310.0,
        expected="Failed/DeadlineExceeded: post-mortem; wake 86390.0s",
    ),
    Example(
        name="the post-mortem waits for pods that run",
        observed=make_observed(run=FAILED, pods=(make_pod(M0, deleting=True),), post_mortem=None),
        now=310.0,
        expected="Failed/DeadlineExceeded: -",
    ),
    Example(
        name="the post-mortem is not written while the store has a fault",
        observed=make_observed(run=FAILED, has_intermediates=True, post_mortem=None, faults=(make_fault(),)),
        now=310.0,
        expected="Failed/DeadlineExceeded: -; wake 10.0s",
    ),
    Example(
        name="the post-mortem is not written after the ttl",
        observed=make_observed(
            run=FAILED,
            pods=(make_failed_pod(M0),),
            has_records=True,
            post_mortem=None,
            spec={"ttlSecondsAfterFinished": 10},
        ),
        now=310.0,
        expected="Failed/DeadlineExceeded: delete(m-0 job ended) remove",
    ),
    Example(
        name="a run that was never planned has no post-mortem",
        observed=make_observed(run=FAILED, plan=None, post_mortem=None),
        now=310.0,
        expected="Failed/DeadlineExceeded: -",
    ),
    Example(
        name="a run whose end nobody asks about has no post-mortem",
        observed=make_observed(run=COMPLETE, post_mortem=None, limits=Limits(post_mortem_of=frozenset({"Failed"}))),
        now=310.0,
        expected="Complete/OutputCommitted: -",
    ),
)
