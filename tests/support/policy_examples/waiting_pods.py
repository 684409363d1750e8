"""Pods that wait for an image or a node."""

from podreduce.contract.task import TaskRef
from podreduce_operator.model.limits import Limits, PendingDeadlines
from podreduce_operator.model.pods import PodPhase, PodView
from tests.support.builders.observed import make_observed
from tests.support.builders.pods import make_pod
from tests.support.builders.records import make_failure
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import M0, M1

__all__ = ["WAITING_PODS"]

IMPATIENT = Limits(pending=PendingDeadlines(unschedulable_seconds=60.0), speculates=False)


def make_waiting_pod(
    task: TaskRef, reason: str = "Unschedulable", message: str = "0/2 nodes fit", scheduled_at: float | None = None
) -> PodView:
    return make_pod(task, phase=PodPhase.PENDING, reason=reason, message=message, scheduled_at=scheduled_at)


WAITING_PODS = (
    Example(
        name="a record is waited for before the pod goes",
        observed=make_observed(
            pods=(make_pod(M0, phase=PodPhase.PENDING, reason="InvalidImageName"), make_pod(M1)),
        ),
        now=1.0,
        expected="Mapping: record(m-0 ImageUnavailable, if it waits); wake 4.0s",
    ),
    Example(
        name="an image has its grace",
        observed=make_observed(pods=(make_waiting_pod(M0, "ErrImagePull", "not found"), make_pod(M1))),
        now=10.0,
        expected="Mapping/ImageUnavailable: -; wake 20.0s",
    ),
    Example(
        name="an image that cannot be pulled is given up after its grace",
        observed=make_observed(pods=(make_waiting_pod(M0, "ErrImagePull", "not found"), make_pod(M1))),
        now=30.0,
        expected="Mapping/ImageUnavailable: record(m-0 ImageUnavailable, if it waits)",
    ),
    Example(
        name="nobody is told of a pod that waits for a moment only",
        observed=make_observed(pods=(make_waiting_pod(M0), make_pod(M1))),
        now=4.0,
        expected="Mapping: -; wake 1.0s",
    ),
    Example(
        name="a pod that waits for longer is told of with the scheduler's reason",
        observed=make_observed(pods=(make_waiting_pod(M0), make_pod(M1))),
        now=5.0,
        expected="Mapping/Unschedulable: -",
    ),
    Example(
        name="a pod that waits for too long is given up",
        observed=make_observed(pods=(make_waiting_pod(M0), make_pod(M1)), limits=IMPATIENT),
        now=60.0,
        expected="Mapping/Unschedulable: record(m-0 Unschedulable, if it waits)",
    ),
    Example(
        name="the record of a pod that waited for too long fails the run",
        observed=make_observed(
            pods=(make_pod(M1),), failures=(make_failure(M0, reason="Unschedulable", ends_job=True),)
        ),
        now=61.0,
        expected="Failed/Unschedulable: keep(1) delete(m-1 job failed)",
    ),
    Example(
        name="time without a node does not count against an image",
        observed=make_observed(
            pods=(make_waiting_pod(M0, "ErrImagePull", "not found", scheduled_at=90.0), make_pod(M1))
        ),
        now=100.0,
        expected="Mapping/ImageUnavailable: -; wake 20.0s",
    ),
)
