"""The operator dies before and after every kind of action, each once, and the outputs are what they should be."""

import json
from collections.abc import Iterator
from functools import partial
from typing import get_args

import pytest

from podreduce_operator.model import actions
from tests.cluster.processes import ClusterError
from tests.e2e.jobs import WORD_COUNT, JobWorld
from tests.e2e.oracle import count_words, read_words

pytestmark = pytest.mark.e2e

ACTIONS = [action.__name__ for action in get_args(actions.Action)]
POINTS = [f"{moment}:{action}" for action in ACTIONS for moment in ("before", "after")]
LAST_POINT = "after:DeleteJob"
MOST_DELETIONS = 5
STATE = "/tmp/faults"  # noqa: S108 - in the operator's own emptyDir

FAILS_ONCE = """\
import os

class WordCount:
    def setup(self, context):
        if os.environ["PODREDUCE_POD_NAME"].endswith("-m-1-1"):
            raise RuntimeError("the first attempt fails")

    def map_func(self, key, value):
        for word in value.split():
            yield word, 1

    def reduce_func(self, key, values):
        yield key, sum(values)
"""
RESTARTED_FOR_EVER = ["sh", "-c", "trap 'kill $!; exit' TERM; while true; do python -m podreduce_operator & wait; done"]


@pytest.fixture
def crashing(world: JobWorld) -> Iterator[JobWorld]:
    """The installed operator, which dies at each point once and is started again by a loop in its own container."""
    variables = {"PODREDUCE_OPERATOR_FAULTS": ",".join(POINTS), "PODREDUCE_OPERATOR_FAULTS_STATE": STATE}
    world.installation.patch_container(command=RESTARTED_FOR_EVER, environment=variables)
    yield world
    world.installation.restore()


def test_every_crash_of_the_operator_is_survived(crashing: JobWorld) -> None:
    world, cluster = crashing, crashing.cluster
    output = {"uri": world.output_uri("crashed"), "ifExists": "Replace"}
    world.start("crashed", FAILS_ONCE, output=output, ttlSecondsAfterFinished=20)
    cluster.wait_for(lambda: world.commits("crashed"), "the first commit", timeout=120)
    patch = json.dumps({"spec": {"runId": "2"}})
    cluster.kubectl("patch", "mrj", "crashed", "--type=merge", "-p", patch, "--namespace", world.namespace)
    cluster.wait_for(lambda: world.job("crashed")["status"].get("runId") == "2", "the second run", timeout=120)
    job = world.wait("crashed", "Complete")
    assert read_words(world.parts("crashed")) == count_words()
    assert {failure["task"] for failure in job["status"]["failures"]} == {"m-1"}
    cluster.wait_for(lambda: not world.work_keys("crashed"), "the end of the records", timeout=90)
    patch = json.dumps({"spec": {"deleteAfterFinishedSeconds": 1}})
    cluster.kubectl("patch", "mrj", "crashed", "--type=merge", "-p", patch, "--namespace", world.namespace)
    cluster.wait_for(lambda: is_gone(world, "crashed"), "the end of the job", timeout=90)
    assert die_after_a_deletion(world)
    assert read_deaths(world) == sorted(POINTS)


def die_after_a_deletion(world: JobWorld) -> bool:
    """Have jobs deleted until the operator has died after a deletion.

    The news that a job is gone stops its loop. Where it comes before the answer to the request, nothing follows the
    request, and so no crash.
    """
    for number in range(MOST_DELETIONS):
        try:
            world.cluster.wait_for(lambda: LAST_POINT in read_deaths(world), "the last crash", timeout=20)
        except ClusterError:
            name = f"deleted-{number}"
            world.start(name, WORD_COUNT, ttlSecondsAfterFinished=1, deleteAfterFinishedSeconds=1)
            gone = partial(is_gone, world, name)
            world.cluster.wait_for(gone, f"the end of {name}", timeout=240)
        else:
            return True
    return False


def is_gone(world: JobWorld, name: str) -> bool:
    """Tell whether there is no such job."""
    return world.cluster.get("mrj", name, world.namespace) is None


def read_deaths(world: JobWorld) -> list[str]:
    """Return the points where the operator has died."""
    return sorted(world.installation.read_file(STATE).split())
