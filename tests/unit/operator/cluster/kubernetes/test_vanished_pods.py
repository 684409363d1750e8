"""Pods that somebody else deletes as soon as they exist, and what the operator then creates."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from podreduce.contract.task import FailureRecord
from podreduce_operator.cluster.kubernetes.pod_index import VANISHED_SECONDS, PodIndex
from podreduce_operator.model.actions import CreatePod, RecordFailure
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.pods.pod_view import OwnedPod
from podreduce_operator.policy.decide import decide
from tests.support.builders.jobs import JOB_UID
from tests.support.builders.observed import make_observed
from tests.support.builders.pods import make_pod

TOUR_SECONDS = 600
PASSES_A_SECOND = 4
MOST_CREATIONS = 20
"""With delays of 1, 2, 4, ... 60 s there are some 15 in ten minutes."""


def own(view: PodView) -> OwnedPod:
    return OwnedPod(job=JobKey(namespace="default", name="wordcount"), owner_uid=JOB_UID, view=view)


def unseen(index: PodIndex, pod: PodView) -> None:
    index.update(own(pod), None)


def placed(index: PodIndex, pod: PodView) -> None:
    bound = replace(pod, node="node-1", scheduled_at=0.0)
    index.update(own(pod), own(bound))
    index.update(own(bound), None)


def started(index: PodIndex, pod: PodView) -> None:
    running = replace(pod, phase=PodPhase.RUNNING, started_at=0.0)
    index.update(own(pod), own(running))
    index.update(own(running), None)


def terminating(index: PodIndex, pod: PodView) -> None:
    ending = replace(pod, deleting=True, vanishes_at=0.0)
    index.update(own(pod), own(ending))
    index.update(own(ending), None)


def failed(index: PodIndex, pod: PodView) -> None:
    ended = replace(pod, phase=PodPhase.FAILED, reason="NodeLost", disrupted=True)
    index.update(own(pod), own(ended))
    index.update(own(ended), None)


@dataclass
class Job:
    """A job's loop over the index, with a deleter that is as fast as the watch."""

    delete: Callable[[PodIndex, PodView], None]
    now: float = 1000.0
    failures: list[FailureRecord] = field(default_factory=list)
    created: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.index = PodIndex(lambda: self.now)

    def step(self) -> None:
        pods = (*self.index.of_owner("default", JOB_UID), *self.index.vanished_of_owner("default", JOB_UID))
        for action in decide(make_observed(pods=pods, failures=self.failures), self.now).actions:
            if isinstance(action, RecordFailure):
                self.failures.append(action.record)
            if isinstance(action, CreatePod):
                self.created[str(action.task)] += 1
                uid = f"uid-{self.created.total()}"
                pod = make_pod(action.task, ordinal=action.ordinal, uid=uid, phase=PodPhase.PENDING)
                self.index.update(None, own(pod))
                self.delete(self.index, pod)


@pytest.mark.parametrize("delete", [unseen, placed, started, terminating, failed])
def test_a_task_whose_pods_vanish_waits_longer_each_time(delete: Callable[[PodIndex, PodView], None]) -> None:
    job = Job(delete)
    for _ in range(TOUR_SECONDS * PASSES_A_SECOND):
        job.step()
        job.now += 1 / PASSES_A_SECOND
    assert set(job.created) == {"m-0", "m-1"}
    assert max(job.created.values()) <= MOST_CREATIONS
    assert len(job.failures) == job.created.total()
    assert not any(failure.counted for failure in job.failures)


def test_a_pod_that_the_operator_deletes_does_not_fail() -> None:
    index, pod = PodIndex(), make_pod(phase=PodPhase.PENDING)
    index.update(None, own(pod))
    index.expect_gone(own(pod))
    index.update(own(pod), None)
    index.expect_gone(own(pod))  # it is gone already: nothing is expected any more
    assert index.vanished_of_owner("default", JOB_UID) == ()
    index.update(None, own(pod))
    index.update(own(pod), None)
    assert [one.uid for one in index.vanished_of_owner("default", JOB_UID)] == [pod.uid]


def test_vanished_pods_are_shown_for_a_while_to_their_own_job() -> None:
    now = [0.0]
    index = PodIndex(lambda: now[0])
    for number in range(3):
        pod = make_pod(uid=f"uid-{number}", phase=PodPhase.PENDING)
        index.update(None, own(pod))
        index.update(own(pod), None)
        now[0] += 1
    shown = []
    for _ in range(4):
        shown.append(len(index.vanished_of_owner("default", JOB_UID)))
        now[0] += VANISHED_SECONDS - 3 if len(shown) == 1 else 1
    assert shown == [3, 2, 1, 0]
    assert index.vanished_of_owner("another", JOB_UID) == ()
