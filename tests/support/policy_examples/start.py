"""How a run begins, and whom it finds there."""

from podreduce_operator.model.limits import Limits
from podreduce_operator.model.observed import RunState
from tests.support.builders.observed import make_observed
from tests.support.builders.pods import make_pod
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import M0, ONE

__all__ = ["START"]

START = (
    Example(
        name="a run without a plan is planned", observed=make_observed(plan=None), now=0.0, expected="Planning: plan"
    ),
    Example(
        name="a run is named in the status before anything is done for it",
        observed=make_observed(plan=None, run=RunState(run_id="1")),
        now=0.0,
        expected="Planning: -; wake 0.0s",
    ),
    Example(
        name="a job that asks for chaos is refused where chaos is not allowed",
        observed=make_observed(plan=None, spec={"chaos": {"killPercent": 11}}),
        now=0.0,
        expected="Failed/ChaosNotAllowed: -",
    ),
    Example(
        name="a job that asks for chaos is planned where chaos is allowed",
        observed=make_observed(plan=None, spec={"chaos": {"killPercent": 11}}, limits=Limits(chaos=True)),
        now=0.0,
        expected="Planning: plan",
    ),
    Example(
        name="pods of other runs go",
        observed=make_observed(spec=ONE, pods=(make_pod(M0, run_id="0"),)),
        now=0.0,
        expected="Mapping: delete(m-0 other run) create(m-0#1)",
    ),
)
