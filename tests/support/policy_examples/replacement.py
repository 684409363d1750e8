"""A run that takes the place of another."""

from tests.support.builders.jobs import make_job
from tests.support.builders.observed import make_fault, make_observed
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import M0, M1

__all__ = ["REPLACEMENT"]

SECOND = make_job(spec={"runId": "2"})

REPLACEMENT = (
    Example(
        name="the pods of a replaced run go first",
        observed=make_observed(
            job=SECOND, plan=None, run_id="2", superseded="1", pods=(make_pod(M0), make_failed_pod(M1))
        ),
        now=0.0,
        expected="Planning/Superseding: delete(m-0 other run) delete(m-1 other run)",
    ),
    Example(
        name="the terminating pods of a replaced run are waited for",
        observed=make_observed(job=SECOND, plan=None, run_id="2", superseded="1", pods=(make_pod(M0, deleting=True),)),
        now=0.0,
        expected="Planning/Superseding: -",
    ),
    Example(
        name="a replaced run without pods is discarded",
        observed=make_observed(job=SECOND, plan=None, run_id="2", superseded="1"),
        now=0.0,
        expected="Planning/Superseding: discard(1)",
    ),
    Example(
        name="a run that has not begun cannot fail",
        observed=make_observed(
            job=SECOND, plan=None, run_id="2", superseded="1", faults=(make_fault("StorageDenied", permanent=True),)
        ),
        now=0.0,
        expected="Planning/StorageDenied: -; wake 5.0s",
    ),
    Example(
        name="a run that nobody has named yet removes nothing of the one before",
        observed=make_observed(plan=None, run_id="1-g2", superseded="1", pods=(make_pod(M0),)),
        now=0.0,
        expected="Planning/Superseding: -; wake 0.0s",
    ),
)
