"""Jobs that are admitted as a whole, on a real API server and kubelet; the test is the queue, and lifts the gates."""

from typing import Any

import pytest

from tests.e2e.jobs import GATED, WORD_COUNT, JobWorld
from tests.e2e.kueue import GROUP_LABEL, GROUP_SIZE
from tests.e2e.oracle import count_words, read_words

pytestmark = pytest.mark.e2e


def groups(world: JobWorld, name: str, kind: str) -> dict[str, list[dict[str, Any]]]:
    """Return the gated pods of a kind (`map`, `reduce`), by the group they name; `` is none."""
    found: dict[str, list[dict[str, Any]]] = {}
    for pod in world.pods(name):
        labels = pod["metadata"]["labels"]
        if labels["podreduce.dev/task-type"] == kind and pod["spec"].get("schedulingGates"):
            found.setdefault(labels.get(GROUP_LABEL, ""), []).append(pod)
    return found


def wait_for_gang(world: JobWorld, name: str, kind: str, size: int) -> list[dict[str, Any]]:
    """Wait until so many gated pods are all there is of a group, and say themselves that it has so many."""

    def whole() -> list[dict[str, Any]] | None:
        found = groups(world, name, kind)
        return next((pods for group, pods in found.items() if group and len(pods) == size), None)

    pods: list[dict[str, Any]] = world.cluster.wait_for(whole, f"a gang of {size} {kind} pods", 60)
    assert {pod["metadata"]["annotations"][GROUP_SIZE] for pod in pods} == {str(size)}
    return pods


def admit(world: JobWorld, pods: list[dict[str, Any]]) -> None:
    """Lift the gates of these pods."""
    for pod in pods:
        name = pod["metadata"]["name"]
        world.open_gate(name)


def admit_the_rest(world: JobWorld, name: str, kind: str) -> bool:
    """Lift the gates of what waits by itself, and of whole gangs; tell whether the job has gone on to its reduces."""
    for group, pods in groups(world, name, kind).items():
        if not group or len(pods) == int(pods[0]["metadata"]["annotations"][GROUP_SIZE]):
            admit(world, pods)
    return world.job(name)["status"]["phase"] not in ("Planning", "Mapping")


def test_what_starts_from_nothing_waits_as_one_gang(world: JobWorld) -> None:
    world.start("gang", WORD_COUNT, admission="Gang", parallelism=3, podTemplate=GATED, speculation="Never")
    first = wait_for_gang(world, "gang", "map", 3)
    world.cluster.wait_for(
        lambda: world.condition("gang", "Reconciling").get("reason") == "AwaitingAdmission",
        "the job to say what it waits for",
    )
    assert world.commits("gang") == []

    lost = first[0]["metadata"]
    world.cluster.kubectl("delete", "pod", lost["name"], "--namespace", world.namespace)
    second = wait_for_gang(world, "gang", "map", 3)
    before, after = ({pod["metadata"]["uid"] for pod in pods} for pods in (first, second))
    assert before - after == {lost["uid"]}

    admit(world, second)
    world.cluster.wait_for(lambda: admit_the_rest(world, "gang", "map"), "the other maps to end", 120)
    admit(world, wait_for_gang(world, "gang", "reduce", 3))
    world.wait("gang", "Complete")
    assert read_words(world.parts("gang")) == count_words()


def test_a_gang_that_is_larger_than_the_parallelism_has_become_is_dissolved(world: JobWorld) -> None:
    world.start("smaller", WORD_COUNT, admission="Gang", parallelism=4, podTemplate=GATED, speculation="Never")
    wait_for_gang(world, "smaller", "map", 4)
    world.patch("smaller", parallelism=2)
    wait_for_gang(world, "smaller", "map", 2)
