"""The operator dies before and after every kind of action, each once, and the outputs are what they should be."""

import json

import pytest

from podreduce_operator import model
from tests.cluster.cluster import Cluster
from tests.e2e.jobs import WORD_COUNT, JobWorld
from tests.e2e.oracle import count_words, read_words

pytestmark = pytest.mark.e2e

ACTIONS = [action.__name__ for action in model.Action.__args__]
POINTS = [f"{moment}:{action}" for action in ACTIONS for moment in ("before", "after")]
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
RESTARTED_FOR_EVER = ["sh", "-c", "while true; do python -m podreduce_operator; sleep 0.2; done"]


@pytest.fixture
def crashing_operator(world: JobWorld) -> JobWorld:
    """The installed operator, which dies at each point once and is started again by a loop in its own container."""
    installation = world.installation
    installation.patch_container(
        command=RESTARTED_FOR_EVER,
        env=[
            {"name": "PODREDUCE_OPERATOR_FAULTS", "value": ",".join(POINTS)},
            {"name": "PODREDUCE_OPERATOR_FAULTS_FILE", "value": STATE},
        ],
    )
    yield world
    installation.restore()


def test_every_crash_of_the_operator_is_survived(crashing_operator: JobWorld, cluster: Cluster) -> None:
    world = crashing_operator
    output = {"uri": world.output_uri("crashed"), "ifExists": "Replace"}
    world.start("crashed", FAILS_ONCE, output=output, ttlSecondsAfterFinished=20)
    cluster.wait_for(lambda: world.commits("crashed"), "the first commit", timeout=120)
    patch = json.dumps({"spec": {"runId": "2"}})
    cluster.kubectl("patch", "mrj", "crashed", "--type=merge", "-p", patch, "--namespace", world.namespace)
    job = world.wait("crashed", "Complete")
    assert job["status"]["runId"] == "2"
    assert read_words(world.parts("crashed")) == count_words()
    assert {failure["task"] for failure in job["status"]["failures"]} == {"m-1"}
    cluster.wait_for(lambda: not world.work_keys("crashed"), "the end of the records", timeout=90)
    assert world.installation.read_file(STATE).split() and set(world.installation.read_file(STATE).split()) == set(POINTS)
    world.run("after", WORD_COUNT)
