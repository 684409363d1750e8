"""Schedules of every minute on a real cluster: their jobs, their history, and suspension.

Among the last of this tier by its name, since it looks at minutes that have passed: the fixtures `schedules` and
`resumed` are asked for by earlier modules, so that nobody waits for these minutes.
"""

from collections.abc import Iterator

import pytest

from podreduce_operator.schedules.job_of_schedule import SCHEDULED_AT_ANNOTATION
from tests.e2e.oracle import read_words
from tests.e2e.schedules import LONG, MINUTE, Resumed, ScheduleWorld, seconds

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", autouse=True)
def last_minute(schedules: ScheduleWorld) -> Iterator[None]:
    """End the schedules with this module: the next one takes their operator away."""
    yield
    schedules.end()


def minute_in(job: str) -> int:
    """Return the minute, since 1970, at the end of a job's name."""
    return int(job.rpartition("-")[2])


def test_a_suspended_schedule_makes_no_jobs_and_makes_up_for_none(resumed: Resumed) -> None:
    assert not resumed.jobs_before
    world, name = resumed.world, resumed.name
    world.jobs.cluster.wait_for(lambda: world.jobs_of(name), "the first job", LONG)
    since = seconds(world.status(name)["scheduleSince"])
    assert since > resumed.began
    assert all(minute_in(job) * MINUTE > since - 1 for job in world.jobs_of(name))


def test_each_minute_has_its_job_and_the_history_keeps_the_newest(schedules: ScheduleWorld) -> None:
    world, cluster = schedules, schedules.jobs.cluster

    def newest_of_several() -> str | None:
        """Return the only complete job, when there are outputs of earlier ones."""
        complete, minutes = world.complete("minutely"), list(world.published("minutely"))
        return complete[0] if len(complete) == 1 and minutes[1:] and minutes[-1] == minute_in(complete[0]) else None

    kept = cluster.wait_for(newest_of_several, "the complete job of a later minute, alone", LONG)
    job = world.jobs.job(kept)
    scheduled_at = seconds(job["metadata"]["annotations"][SCHEDULED_AT_ANNOTATION])
    assert kept == f"minutely-{int(scheduled_at) // MINUTE}"
    assert seconds(job["metadata"]["creationTimestamp"]) >= scheduled_at
    outputs = world.published("minutely")
    assert job["spec"]["output"]["uri"] == outputs[minute_in(kept)]
    for uri in outputs.values():
        assert read_words(world.jobs.parts(kept, uri)) == world.words, "outputs stay"

    def has_post_mortem() -> bool:
        return int(seconds(world.status("minutely")["lastSuccessfulTime"])) // MINUTE >= minute_in(kept)

    cluster.wait_for(has_post_mortem, "the status of the schedule", LONG)
    cluster.kubectl("delete", "mrs", "minutely", "--namespace", world.jobs.namespace)
    cluster.wait_for(lambda: not world.jobs_of("minutely"), "the end of all jobs", LONG)
