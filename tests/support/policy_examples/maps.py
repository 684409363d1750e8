"""Maps: which start, how many, and when their pods go."""

from podreduce_operator.model.limits import Limits
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import M0, M1, ONE

__all__ = ["MAPS"]

MAPS = (
    Example(
        name="maps of lower indexes start first",
        observed=make_observed(spec={"parallelism": 2}, plan=make_plan_summary(shards=4)),
        now=0.0,
        expected="Mapping: create(m-0#1) create(m-1#1)",
    ),
    Example(
        name="the operator's limit holds where the job wants more",
        observed=make_observed(
            spec={"parallelism": 9}, plan=make_plan_summary(shards=4), limits=Limits(parallelism=1, speculates=False)
        ),
        now=0.0,
        expected="Mapping: create(m-0#1)",
    ),
    Example(
        name="the operator's limit holds where the job names none",
        observed=make_observed(plan=make_plan_summary(shards=4), limits=Limits(parallelism=3, speculates=False)),
        now=0.0,
        expected="Mapping: create(m-0#1) create(m-1#1) create(m-2#1)",
    ),
    Example(
        name="a lower parallelism lets running pods finish",
        observed=make_observed(
            spec=ONE, plan=make_plan_summary(shards=4), pods=tuple(make_pod(map_task(index)) for index in range(3))
        ),
        now=0.0,
        expected="Mapping: -",
    ),
    Example(
        name="a pod may take its time to exit after its commit",
        observed=make_observed(pods=(make_pod(M0), make_pod(M1)), commits=(make_commit(M0, finished_at=50.0),)),
        now=60.0,
        expected="Mapping: -; wake 20.0s",
    ),
    Example(
        name="a pod that does not exit after its commit is deleted",
        observed=make_observed(pods=(make_pod(M0), make_pod(M1)), commits=(make_commit(M0, finished_at=50.0),)),
        now=80.0,
        expected="Mapping: keep(1) delete(m-0 lingers after its commit)",
    ),
)
