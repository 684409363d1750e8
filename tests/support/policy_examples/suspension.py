"""Jobs that are suspended."""

from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_shuffle
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import ALL, M0, M1

__all__ = ["SUSPENSION"]

SUSPENSION = (
    Example(
        name="a suspended job's pods go and nothing starts",
        observed=make_observed(spec={"suspend": True}, pods=(make_pod(M0), make_failed_pod(M1))),
        now=100.0,
        expected="Suspended/Suspended: keep(1) delete(m-0 suspended)",
    ),
    Example(
        name="a job that is suspended before its plan does nothing",
        observed=make_observed(spec={"suspend": True}, plan=None),
        now=100.0,
        expected="Suspended/Suspended: -",
    ),
    Example(
        name="a job that is suspended past the intent commits",
        observed=make_observed(spec={"suspend": True}, commits=ALL, shuffle=make_shuffle(), has_intent=True),
        now=100.0,
        expected="Committing: commit",
    ),
    Example(
        name="the deadline rests while the job is suspended",
        observed=make_observed(spec={"activeDeadlineSeconds": 60, "suspend": True}),
        now=1000.0,
        expected="Suspended/Suspended: -",
    ),
)
