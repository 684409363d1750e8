"""Jobs in a real Kueue's queue: admitted as gangs, preempted, and done all the same."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.e2e.jobs import WORD_COUNT, JobWorld
from tests.e2e.kueue import GROUP_SIZE, QUEUE, Kueue, is_built
from tests.e2e.oracle import count_words, read_words

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.kueue,
    pytest.mark.skipif(not is_built(), reason="Kueue is not built on this machine: `make kueue` builds it, once"),
]

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
REQUESTS = {"spec": {"containers": [{"name": "task", "resources": {"requests": {"cpu": "100m"}}}]}}
SLOW_MAPS = f"""\
import time

{WORD_COUNT}

map_func = WordCount.map_func

def slow(self, key, value):
    time.sleep(0.0001)
    yield from map_func(self, key, value)

WordCount.map_func = slow
"""


@pytest.fixture(scope="module")
def kueue(cluster: Cluster) -> Iterator[Kueue]:
    installed = Kueue.install(cluster)
    yield installed
    installed.uninstall()


@pytest.fixture
def queued(world: JobWorld, kueue: Kueue) -> JobWorld:
    """A namespace with a queue for three tasks at a time."""
    kueue.serve(world.namespace, "300m")
    return world


def start(world: JobWorld, source: str, *, parallelism: int = 3, **spec: Any) -> None:
    """Apply a suspended job, put it into the queue, and let it go."""
    fields = {"admission": "Gang", "parallelism": parallelism, "podTemplate": REQUESTS, "speculation": "Never"}
    world.start("job", source, suspend=True, **(fields | spec))
    world.cluster.kubectl("label", "mrj", "job", f"{QUEUE_LABEL}={QUEUE}", "--namespace", world.namespace)
    world.patch("job", suspend=False)


def occupy(world: JobWorld, name: str, cpu: str, *, priority: str = "") -> None:
    """Have somebody else's pod in the same queue."""
    labels = {QUEUE_LABEL: QUEUE, **({"kueue.x-k8s.io/priority-class": priority} if priority else {})}
    container = {
        "name": "sleep",
        "image": "localhost/podreduce-runtime:test",
        "imagePullPolicy": "Never",
        "command": ["sleep", "600"],
        "resources": {"requests": {"cpu": cpu}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "restartPolicy": "Never"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}
    world.cluster.apply(pod, namespace=world.namespace)
    place = ("--namespace", world.namespace, "--timeout=60s")
    world.cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", *place, timeout=70)


def leave(world: JobWorld, name: str) -> None:
    """Take that pod away again."""
    world.cluster.kubectl("delete", "pod", name, "--namespace", world.namespace, "--wait=false")


def wait_until_gated(world: JobWorld, count: int) -> None:
    """Wait until so many pods wait for their admission as one group, the job says so, and nothing of it runs."""

    def is_gated() -> bool:
        gated = [pod for pod in world.pods("job") if pod["spec"].get("schedulingGates")]
        sizes = [pod["metadata"]["annotations"].get(GROUP_SIZE) for pod in gated]
        told = world.condition("job", "Reconciling").get("reason") == "AwaitingAdmission"
        return sizes == [str(count)] * count and len(world.running_pods("job")) == count and told

    world.cluster.wait_for(is_gated, f"a group of {count} pods to wait", 90)


def wait_for_the_end(world: JobWorld, kueue: Kueue) -> None:
    """Wait until the job is complete and right, and neither it nor Kueue has left anything."""
    world.wait("job", "Complete")
    assert read_words(world.parts("job")) == count_words()
    world.cluster.wait_for(lambda: not world.pods("job"), "the pods to go", 60)
    left = {name: told for name, told in kueue.workloads(world.namespace).items() if told.get("Finished") != "True"}
    assert not {name for name in left if "job" in name}, left


def test_a_job_waits_as_a_whole_for_its_quota(queued: JobWorld, kueue: Kueue) -> None:
    occupy(queued, "other", "100m")
    start(queued, WORD_COUNT)
    wait_until_gated(queued, 3)
    assert queued.commits("job") == []
    leave(queued, "other")
    wait_for_the_end(queued, kueue)


def test_a_preempted_job_starts_again_as_a_whole_once_there_is_room(queued: JobWorld, kueue: Kueue) -> None:
    start(queued, SLOW_MAPS)
    queued.wait_for_progress("job", "m-0-1")
    occupy(queued, "urgent", "300m", priority="urgent")
    wait_until_gated(queued, 3)
    leave(queued, "urgent")
    wait_for_the_end(queued, kueue)
    failures = queued.job("job")["status"]["failures"]
    assert all(not failure["counted"] for failure in failures), failures


def test_a_job_that_asks_for_more_than_there_is_may_be_made_smaller(queued: JobWorld, kueue: Kueue) -> None:
    start(queued, WORD_COUNT, parallelism=4)
    wait_until_gated(queued, 4)
    queued.patch("job", parallelism=3)
    wait_for_the_end(queued, kueue)
