"""Stragglers and their twins."""

from podreduce_operator.model.limits import Limits
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.builders.tasks import map_task
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import M0, M1, SIXTY_SECONDS, moved_at

__all__ = ["SPECULATION"]

SPECULATION = (
    Example(
        name="a twin that was slower goes",
        observed=make_observed(
            pods=(make_pod(M0, ordinal=2), make_pod(M1)), commits=(make_commit(M0, finished_at=50.0),)
        ),
        now=50.0,
        expected="Mapping: keep(1) delete(m-0 beaten by a twin); wake 30.0s",
    ),
    Example(
        name="a straggler gets a twin",
        observed=make_observed(
            pods=(make_pod(M1),), commits=(SIXTY_SECONDS,), progress=moved_at({M1: 90.0}), limits=Limits()
        ),
        now=90.0,
        expected="Mapping: create(m-1#2 twin); wake 15.0s",
    ),
    Example(
        name="a straggler that will end before a twin could gets none",
        observed=make_observed(
            pods=(make_pod(M1),), commits=(SIXTY_SECONDS,), progress=moved_at({M1: 90.0}, 0.9), limits=Limits()
        ),
        now=90.0,
        expected="Mapping: -; wake 15.0s",
    ),
    Example(
        name="one of two stragglers gets a twin where only one is allowed",
        observed=make_observed(
            plan=make_plan_summary(shards=3),
            pods=(make_pod(M1), make_pod(map_task(2))),
            commits=(SIXTY_SECONDS,),
            limits=Limits(),
        ),
        now=1000.0,
        expected="Mapping: create(m-1#2 twin); wake 15.0s",
    ),
    Example(
        name="no straggler gets a twin while tasks wait for room",
        observed=make_observed(
            plan=make_plan_summary(shards=3),
            pods=(make_pod(M1),),
            commits=(SIXTY_SECONDS,),
            limits=Limits(parallelism=2),
        ),
        now=1000.0,
        expected="Mapping: create(m-2#1); wake 15.0s",
    ),
    Example(
        name="a twin waits for the delay of its task",
        observed=make_observed(
            pods=(make_pod(M1, ordinal=2),),
            commits=(SIXTY_SECONDS,),
            failures=(make_failure(M1, finished_at=997.0),),
            limits=Limits(),
        ),
        now=1000.0,
        expected="Mapping: -; wake 15.0s",
    ),
)
