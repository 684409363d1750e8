"""The worked example: a job of two maps and a reduce, from its first pod to its verdict."""

from podreduce_operator.model.pods import PodPhase
from tests.support.builders.observed import make_observed, make_published
from tests.support.builders.plans import make_shuffle
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import ALL, BOTH, COMPLETE, M0, M1, ONE, PUBLISHING

__all__ = ["WORKED_EXAMPLE"]

WORKED_EXAMPLE = (
    Example(name="nothing has started", observed=make_observed(spec=ONE), now=90.0, expected="Mapping: create(m-0#1)"),
    Example(
        name="a pod fails",
        observed=make_observed(spec=ONE, pods=(make_failed_pod(M0),)),
        now=100.0,
        expected="Mapping: record(m-0 ProgramError) create(m-1#1)",
    ),
    Example(
        name="the record of the failure is visible",
        observed=make_observed(spec=ONE, pods=(make_failed_pod(M0), make_pod(M1)), failures=(make_failure(M0),)),
        now=101.0,
        expected="Mapping: -; wake 4.0s",
    ),
    Example(
        name="the delay of the failed map is over but there is no room",
        observed=make_observed(spec=ONE, pods=(make_failed_pod(M0), make_pod(M1)), failures=(make_failure(M0),)),
        now=105.0,
        expected="Mapping: -",
    ),
    Example(
        name="the other map is done",
        observed=make_observed(
            spec=ONE,
            pods=(make_failed_pod(M0), make_pod(M1, phase=PodPhase.SUCCEEDED, finished_at=110.0, exit_code=0)),
            failures=(make_failure(M0),),
            commits=(make_commit(M1),),
        ),
        now=110.0,
        expected="Mapping: keep(1) create(m-0#2) delete(m-1 committed)",
    ),
    Example(
        name="both maps are committed",
        observed=make_observed(spec=ONE, commits=BOTH),
        now=120.0,
        expected="Mapping: freeze(0)",
    ),
    Example(
        name="the shuffle is frozen",
        observed=make_observed(spec=ONE, commits=BOTH, shuffle=make_shuffle()),
        now=130.0,
        expected="Reducing: create(r-0#1)",
    ),
    Example(
        name="the reduce is committed, and the status must say first that the run publishes",
        observed=make_observed(spec=ONE, commits=ALL, shuffle=make_shuffle()),
        now=139.0,
        expected="Committing: -; wake 0.0s",
    ),
    Example(
        name="the status says that the run publishes",
        observed=make_observed(spec=ONE, run=PUBLISHING, commits=ALL, shuffle=make_shuffle()),
        now=140.0,
        expected="Committing: commit",
    ),
    Example(
        name="the output is published",
        observed=make_observed(
            spec=ONE, commits=ALL, shuffle=make_shuffle(), has_intent=True, published=make_published()
        ),
        now=150.0,
        expected="Complete/OutputCommitted: -",
    ),
    Example(
        name="the verdict is written",
        observed=make_observed(run=COMPLETE, has_intermediates=True, has_records=True, post_mortem=None),
        now=300.0,
        expected="Complete/OutputCommitted: clean post-mortem; wake 86400.0s",
    ),
)
