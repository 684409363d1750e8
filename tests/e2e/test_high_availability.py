"""Several operators of one installation: one acts and the others take over; and if all of them act, it does no harm."""

import time
from collections.abc import Iterator

import pytest

from tests.e2e.jobs import WORD_COUNT, JobWorld, slow_attempt
from tests.e2e.oracle import count_words, read_words

pytestmark = pytest.mark.e2e

FAILS_ONCE = """\
import os

class WordCount:
    def setup(self, context):
        if os.environ["PODREDUCE_POD_NAME"].endswith(("-m-1-1", "-r-0-1")):
            raise RuntimeError("the first attempt fails")

    def map_func(self, key, value):
        for word in value.split():
            yield word, 1

    def reduce_func(self, key, values):
        yield key, sum(values)
"""


@pytest.fixture
def pair(world: JobWorld) -> Iterator[JobWorld]:
    """Two operators."""
    world.installation.scale(2)
    yield world
    world.installation.scale(1)


@pytest.fixture
def double_leaders(world: JobWorld) -> Iterator[JobWorld]:
    """Two operators without an election: both do everything."""
    world.installation.patch_container(environment={"PODREDUCE_OPERATOR_LEASE": ""})
    world.installation.scale(2)
    yield world
    world.installation.scale(1)
    world.installation.restore()


def test_both_of_two_are_ready_and_one_acts(pair: JobWorld) -> None:
    leader = pair.cluster.wait_for(pair.installation.leader, "a leader")
    (standby,) = set(pair.installation.pods()) - {leader}
    pair.run("calm", WORD_COUNT)
    assert read_words(pair.parts("calm")) == count_words()
    decisions = {pod: decided(pair, pod, "calm") for pod in (leader, standby)}
    assert decisions[leader]
    assert not decisions[standby]


def test_a_job_goes_on_when_its_operator_is_lost(pair: JobWorld) -> None:
    leader = pair.cluster.wait_for(pair.installation.leader, "a leader")
    pair.start("orphan", slow_attempt(WORD_COUNT, "m-2-1"))
    pod = pair.wait_for_progress("orphan", "m-2-1")
    place = ("--namespace", pair.installation.namespace)
    pair.cluster.kubectl("delete", "pod", leader, "--grace-period=0", "--force", *place)
    pair.cluster.wait_for(lambda: pair.installation.leader() not in {"", leader}, "another leader", timeout=40)
    pair.go_on(pod)
    job = pair.wait("orphan", "Complete")
    assert read_words(pair.parts("orphan")) == count_words()
    assert job["status"]["map"]["failed"] == 0


def test_an_upgrade_hands_over_within_two_seconds_and_jobs_go_on(world: JobWorld) -> None:
    before = world.cluster.wait_for(world.installation.leader, "a leader")
    world.start("upgraded", slow_attempt(WORD_COUNT, "m-2-1"))
    pod = world.wait_for_progress("upgraded", "m-2-1")
    world.cluster.kubectl("rollout", "restart", *world.installation.place)
    gone_at, led_at = 0.0, 0.0
    deadline = time.monotonic() + 90
    while not led_at and time.monotonic() < deadline:
        leader = world.installation.leader()
        time.sleep(0.05)
        gone_at = gone_at or (time.monotonic() if leader != before else 0.0)
        led_at = time.monotonic() if leader not in {"", before} else 0.0
    assert led_at, "nobody else leads"
    assert led_at - gone_at < 3.5, "two seconds between tries, and a busy machine"
    world.installation.await_rollout()
    world.go_on(pod)
    job = world.wait("upgraded", "Complete")
    assert read_words(world.parts("upgraded")) == count_words()
    assert job["status"]["map"]["failed"] == 0


def test_double_leaders_do_no_harm(double_leaders: JobWorld) -> None:
    world = double_leaders
    job = world.run("twice", FAILS_ONCE)
    operators = world.installation.pods()
    assert len(operators) == 2
    assert all(decided(world, pod, "twice") for pod in operators), "each of them ran the job"
    assert read_words(world.parts("twice")) == count_words()
    for task in [f"m-{index}" for index in range(8)] + [f"r-{index}" for index in range(3)]:
        world.commit("twice", task)
    status = job["status"]
    assert (status["map"]["failed"], status["reduce"]["failed"]) == (1, 1)
    assert sorted(failure["task"] for failure in status["failures"]) == ["m-1", "r-0"]
    ordinals = [key.rpartition("/")[2] for key in world.work_keys("twice") if "/failures/" in key]
    assert len(ordinals) == 2, ordinals


def decided(world: JobWorld, operator: str, job: str) -> list[str]:
    """Return the decisions that an operator has made on a job."""
    lines = world.installation.read_log(operator)
    name = f"{world.namespace}/{job}"
    return [line["decision"] for line in lines if line["message"] == "decided" and line.get("job") == name]
