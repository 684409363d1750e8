from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random

import pytest

from podreduce_operator.cluster.kubernetes.pod_index import PodIndex
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pods import PodPhase, PodView
from podreduce_operator.pods.pod_view import OwnedPod
from podreduce_operator.policy.stuck_pods import name_wait
from tests.support.builders.pods import make_pod
from tests.support.builders.tasks import map_task

NAMESPACES, OWNERS, PODS = ("victim", "attacker"), ("job-1", "job-2"), ("a", "b", "c", "d")


def own(namespace: str, owner_uid: str, uid: str, tasks: int = 0) -> OwnedPod:
    view = make_pod(uid=uid, tasks=tuple(map(map_task, range(tasks))))
    return OwnedPod(job=JobKey(namespace=namespace, name="wordcount"), owner_uid=owner_uid, view=view)


@dataclass
class World:
    """The pods that exist, the index that was told of them, and what the index called."""

    pods: dict[str, OwnedPod] = field(default_factory=dict)
    index: PodIndex = field(default_factory=PodIndex)
    woken: list[JobKey] = field(default_factory=list)
    reported: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.index.call_on_change(self.woken.append)
        self.index.call_when_gone(self.reported.discard)

    def change(self, random: Random) -> None:
        """Create, change or delete a pod. The owner that a pod names may be any, and so may its tasks."""
        namespace = random.choice(NAMESPACES)
        uid = f"{namespace}-{random.choice(PODS)}"
        old = self.pods.pop(uid, None)
        new = own(namespace, random.choice(OWNERS), uid, random.choice((0, 2, 5))) if random.random() < 0.7 else None
        if new is not None:
            self.pods[uid] = new
            self.reported.update(new.view.attempt_ids)
        self.index.update(old, new)

    def of_owner(self, namespace: str, uid: str) -> set[PodView]:
        return {pod.view for pod in self.pods.values() if pod.job.namespace == namespace and pod.owner_uid == uid}


@pytest.mark.parametrize("seed", range(20))
def test_a_job_has_the_pods_of_its_namespace_that_name_it(seed: int) -> None:
    world, random = World(), Random(seed)  # noqa: S311 - not a secret
    for _ in range(200):
        world.change(random)
        for namespace in NAMESPACES:
            for uid in OWNERS:
                found = world.index.of_owner(namespace, uid)
                assert len(found) == len(set(found))
                assert set(found) == world.of_owner(namespace, uid)


@pytest.mark.parametrize("seed", range(20))
def test_no_attempt_is_remembered_that_its_pod_does_not_have_any_more(seed: int) -> None:
    world, random = World(), Random(seed)  # noqa: S311 - not a secret
    for _ in range(200):
        world.change(random)
        assert world.reported == {one for pod in world.pods.values() for one in pod.view.attempt_ids}


def test_a_pod_wakes_the_job_of_its_own_namespace() -> None:
    world = World()
    world.index.update(None, own("attacker", "job-1", "a"))
    assert world.woken == [JobKey(namespace="attacker", name="wordcount")]


@pytest.mark.parametrize("seed", range(5))
def test_pending_pods_are_counted_by_what_keeps_them(seed: int) -> None:
    index, random = PodIndex(), Random(seed)  # noqa: S311 - not a secret
    pods: dict[str, OwnedPod] = {}
    phases = (PodPhase.PENDING, PodPhase.PENDING, PodPhase.RUNNING, PodPhase.FAILED)
    for _ in range(300):
        uid = random.choice(PODS)
        old = pods.pop(uid, None)
        if random.random() < 0.7:
            reason, deleting = random.choice(("", "Unschedulable", "Odd")), random.random() < 0.2
            pod = own("victim", "job-1", uid)
            pods[uid] = replace(
                pod, view=replace(pod.view, phase=random.choice(phases), reason=reason, deleting=deleting)
            )
        index.update(old, pods.get(uid))
        waits = Counter(wait for pod in pods.values() if (wait := name_wait(pod.view)) is not None)
        assert +index.pending == waits
