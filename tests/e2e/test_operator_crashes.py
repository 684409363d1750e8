"""The operator dies before and after every kind of action, each once, and the outputs are what they should be.

One installation dies around the actions of a job and of a schedule, so that the schedule's minutes pass while the job
is looked at.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, get_args

import pytest

from podreduce_operator.model import actions
from podreduce_operator.model.schedules import ScheduleAction
from tests.cluster.cluster import Cluster
from tests.cluster.object_store import ClusterMinio
from tests.cluster.processes import ClusterError
from tests.e2e.installation import Installation
from tests.e2e.jobs import WORD_COUNT, JobWorld
from tests.e2e.oracle import count_words, read_words
from tests.e2e.schedules import LONG, ScheduleWorld, phase_of

pytestmark = pytest.mark.e2e


def points_of(some_actions: Any) -> list[str]:
    """Return the moments before and after each action of a union."""
    return [f"{moment}:{action.__name__}" for action in get_args(some_actions) for moment in ("before", "after")]


POINTS = points_of(actions.Action)
SCHEDULE_POINTS = points_of(ScheduleAction)
LAST_POINT = "after:DeleteJob"
MOST_LIVES = 3
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


@pytest.fixture(scope="module")
def crashing(cluster: Cluster, cluster_minio: ClusterMinio, installation: Installation) -> Iterator[JobWorld]:
    """The installed operator, which dies at each point once and is started again by a loop in its own container."""
    variables = {
        "PODREDUCE_OPERATOR_FAULTS": ",".join([*POINTS, *SCHEDULE_POINTS]),
        "PODREDUCE_OPERATOR_FAULTS_STATE": STATE,
    }
    installation.patch_container(command=RESTARTED_FOR_EVER, environment=variables)
    yield JobWorld.create(cluster, cluster_minio, installation)
    installation.restore()


@pytest.fixture(scope="module")
def scheduled(crashing: JobWorld) -> Iterator[ScheduleWorld]:
    """A schedule of every minute that keeps one job, from the first crash on."""
    world = ScheduleWorld.create(JobWorld.create(crashing.cluster, crashing.minio, crashing.installation))
    world.apply("crashed", successfulJobsHistoryLimit=1)
    yield world
    world.end()


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("scheduled")
def test_every_crash_of_the_operator_is_survived(crashing: JobWorld) -> None:
    for number in range(MOST_LIVES):
        live_through_crashes(crashing, f"crashed-{number}")
        if set(read_deaths(crashing)) >= {*POINTS} - {LAST_POINT}:
            break
    assert die_after_a_deletion(crashing)
    assert set(read_deaths(crashing)) >= set(POINTS)


@pytest.mark.timeout(900)
def test_a_schedule_makes_each_job_once_though_its_operator_dies_around_each_action(scheduled: ScheduleWorld) -> None:
    world, cluster = scheduled, scheduled.jobs.cluster
    seen: dict[str, set[str]] = {}

    def died_everywhere() -> bool:
        jobs = world.jobs_of("crashed")
        for name, job in jobs.items():
            seen.setdefault(name, set()).add(job["metadata"]["uid"])
        assert sum(phase_of(job) != "Complete" for job in jobs.values()) <= 1, "concurrencyPolicy: Forbid"
        return len(world.published("crashed")) > 1 and set(read_deaths(world.jobs)) >= set(SCHEDULE_POINTS)

    cluster.wait_for(died_everywhere, "all crashes", LONG)
    world.patch("crashed", suspend=True)
    assert {name: len(uids) for name, uids in seen.items()} == dict.fromkeys(seen, 1), "a name comes once"
    assert not [job for job in world.jobs_of("crashed").values() if phase_of(job) == "Failed"], "each output is new"
    assert sorted(read_deaths(world.jobs)) == sorted({*POINTS, *SCHEDULE_POINTS})
    for uri in world.published("crashed").values():
        assert read_words(world.jobs.parts("crashed", uri)) == world.words


def live_through_crashes(world: JobWorld, name: str) -> None:
    """Have a job planned, replaced, completed, tidied and deleted, and check what it gives.

    A crash around an action of the schedule can end the operator in the middle of an action of the job. The next
    process finds that action done and does not repeat it, so that nothing crashes after it. Another job has it again.
    """
    cluster = world.cluster
    output = {"uri": world.output_uri(name), "ifExists": "Replace"}
    world.start(name, FAILS_ONCE, output=output, ttlSecondsAfterFinished=20)
    cluster.wait_for(lambda: world.commits(name), "the first commit", timeout=120)
    world.patch(name, runId="2")
    cluster.wait_for(lambda: world.job(name)["status"].get("runId") == "2", "the second run", timeout=120)
    job = world.wait(name, "Complete")
    assert read_words(world.parts(name)) == count_words()
    assert {failure["task"] for failure in job["status"]["failures"]} == {"m-1"}
    cluster.wait_for(lambda: not world.work_keys(name), "the end of the records", timeout=90)
    world.patch(name, deleteAfterFinishedSeconds=1)
    cluster.wait_for(lambda: is_gone(world, name), "the end of the job", timeout=90)


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
