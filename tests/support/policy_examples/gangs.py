"""Pods that are admitted together."""

from podreduce.contract.task import TaskRef
from podreduce_operator.model.limits import Limits
from podreduce_operator.model.pods import Gang, PodPhase, PodView
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_shuffle
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_commit, make_failure
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import M0, M1, SIXTY_SECONDS

__all__ = ["GANGS"]


def make_gated(task: TaskRef) -> PodView:
    """A pod that waits to be admitted with another one."""
    return make_pod(task, phase=PodPhase.PENDING, reason="SchedulingGated", gang=Gang(name="g", size=2))


GANGS = (
    Example(
        name="pods that start from nothing are a gang",
        observed=make_observed(spec={"admission": "Gang"}),
        now=0.0,
        expected="Mapping: create(m-0#1 of 2) create(m-1#1 of 2)",
    ),
    Example(
        name="a gang that lost a pod while it waited gets another",
        observed=make_observed(
            spec={"admission": "Gang"},
            pods=(make_gated(M0),),
        ),
        now=0.0,
        expected="Mapping: create(m-1#1 of 2); wake 5.0s",
    ),
    Example(
        name="a gang that can never be whole is dissolved",
        observed=make_observed(
            spec={"admission": "Gang"},
            commits=(make_commit(M1),),
            pods=(make_gated(M0),),
        ),
        now=0.0,
        expected="Mapping: keep(1) delete(m-0 gang is broken); wake 5.0s",
    ),
    Example(
        name="a gang that is larger than the parallelism has become is dissolved",
        observed=make_observed(
            spec={"admission": "Gang", "parallelism": 1},
            pods=(make_gated(M0), make_gated(M1)),
        ),
        now=0.0,
        expected="Mapping: keep(2) delete(m-0 gang is broken) delete(m-1 gang is broken); wake 5.0s",
    ),
    Example(
        name="a new gang waits for the room of pods that have done their work",
        observed=make_observed(
            spec={"admission": "Gang", "parallelism": 2},
            commits=(make_commit(M0), make_commit(M1)),
            shuffle=make_shuffle(partitions=3),
            pods=(make_pod(M1),),
        ),
        now=0.0,
        expected="Reducing: -; wake 80.0s",
    ),
    Example(
        name="a new gang waits for what is due a moment later",
        observed=make_observed(
            spec={"admission": "Gang"},
            failures=(make_failure(M0, counted=False, reason="StorageUnavailable", finished_at=97.0),),
        ),
        now=100.0,
        expected="Mapping: -; wake 2.0s",
    ),
    Example(
        name="nothing starts where a pod of a gang was taken until no other has followed it for a while",
        observed=make_observed(
            spec={"admission": "Gang"},
            failures=(make_failure(M0, counted=False, reason="Disrupted", finished_at=98.0),),
        ),
        now=100.0,
        expected="Mapping: -; wake 3.0s",
    ),
    Example(
        name="no twin starts where a pod of a gang was taken",
        observed=make_observed(
            spec={"admission": "Gang"},
            pods=(make_pod(M1, ordinal=2),),
            commits=(SIXTY_SECONDS,),
            failures=(make_failure(M1, counted=False, reason="Disrupted", finished_at=997.0),),
            limits=Limits(),
        ),
        now=1000.0,
        expected="Mapping: -; wake 2.0s",
    ),
    Example(
        name="the wait after a gang's pod was taken begins with the pass that sees it go",
        observed=make_observed(spec={"admission": "Gang"}, pods=(make_pod(M0, deleting=True),)),
        now=100.0,
        expected="Mapping: record(m-0 PodDeleted, free); wake 5.0s",
    ),
)
