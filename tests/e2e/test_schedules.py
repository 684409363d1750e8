"""Schedules of every minute on a real cluster: their jobs, their history, and suspension."""

import json
from typing import Any

import pytest

from podreduce_operator.api.crd import API_VERSION, SCHEDULES
from podreduce_operator.api.times import parse_time
from podreduce_operator.schedules.job_of_schedule import SCHEDULE_LABEL, SCHEDULED_AT_ANNOTATION
from tests.e2e.jobs import WORD_COUNT, JobWorld, make_manifest
from tests.e2e.oracle import count_words, read_words

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MINUTE = 60
LONG = 400
"""Seconds in which some minutes begin, and their jobs end."""


def apply_schedule(world: JobWorld, name: str, **spec: Any) -> None:
    """Apply a schedule of every minute that counts the words of the corpus into a place of that minute."""
    job = make_manifest(
        "template",
        WORD_COUNT,
        input_uri=world.input_uri("words"),
        output_uri=f"{world.output_uri(name)}$(parameters.minute)/",
        map={"shards": 1},
        reduce={"partitions": 1},
    )
    defaults = {
        "schedule": "* * * * *",
        "parameters": [{"name": "minute", "format": "%Y%m%dT%H%M"}],
        "jobTemplate": {"spec": job["spec"]},
    }
    manifest = {"apiVersion": API_VERSION, "kind": SCHEDULES.kind, "metadata": {"name": name}}
    world.cluster.apply({**manifest, "spec": {**defaults, **spec}}, namespace=world.namespace)


def jobs_of(world: JobWorld, name: str) -> dict[str, dict[str, Any]]:
    """Return the jobs of a schedule by their names."""
    found = world.cluster.list("mrj", world.namespace, f"{SCHEDULE_LABEL}={name}")
    return {job["metadata"]["name"]: job for job in found}


def complete_jobs(world: JobWorld, name: str) -> list[str]:
    """Return the names of the complete jobs, the oldest first."""
    return sorted(job for job, each in jobs_of(world, name).items() if phase_of(each) == "Complete")


def phase_of(job: dict[str, Any]) -> str:
    """Return a job's phase; empty before it has one."""
    return str(job.get("status", {}).get("phase", ""))


def status_of(world: JobWorld, name: str) -> dict[str, Any]:
    """Return the schedule's status."""
    schedule = world.cluster.get("mrs", name, world.namespace)
    assert schedule is not None
    status: dict[str, Any] = schedule.get("status", {})
    return status


def patch(world: JobWorld, name: str, **spec: Any) -> None:
    """Change the schedule's spec."""
    change = ("--type=merge", "--patch", json.dumps({"spec": spec}))
    world.cluster.kubectl("patch", "mrs", name, *change, "--namespace", world.namespace)


def seconds(text: str) -> float:
    """Return a time of the API."""
    at = parse_time(text)
    assert at is not None
    return at


def test_each_minute_has_its_job_and_the_history_keeps_the_newest(world: JobWorld) -> None:
    apply_schedule(world, "minutely", successfulJobsHistoryLimit=1)
    cluster = world.cluster
    (first, *_) = cluster.wait_for(lambda: complete_jobs(world, "minutely"), "the first complete job", LONG)
    job = world.job(first)
    scheduled_at = job["metadata"]["annotations"][SCHEDULED_AT_ANNOTATION]
    assert first == f"minutely-{int(seconds(scheduled_at)) // MINUTE}"
    assert seconds(job["metadata"]["creationTimestamp"]) >= seconds(scheduled_at)
    output_uri = job["spec"]["output"]["uri"]
    assert read_words(world.parts(first, output_uri)) == count_words()
    cluster.wait_for(lambda: first not in jobs_of(world, "minutely"), "the end of the first job", LONG)
    (kept,) = complete_jobs(world, "minutely")
    assert kept > first
    assert read_words(world.parts(first, output_uri)) == count_words(), "outputs stay"

    def is_told() -> bool:
        return int(seconds(status_of(world, "minutely")["lastSuccessfulTime"])) // MINUTE >= int(
            kept.rpartition("-")[2]
        )

    cluster.wait_for(is_told, "the status of the schedule", LONG)
    cluster.kubectl("delete", "mrs", "minutely", "--namespace", world.namespace)
    cluster.wait_for(lambda: not jobs_of(world, "minutely"), "the end of all jobs", LONG)


def test_a_suspended_schedule_makes_no_jobs_and_makes_up_for_none(world: JobWorld) -> None:
    apply_schedule(world, "paused", suspend=True)
    cluster = world.cluster
    cluster.wait_for(lambda: status_of(world, "paused").get("conditions"), "its status", LONG)
    began = seconds(status_of(world, "paused")["conditions"][0]["lastTransitionTime"])
    apply_schedule(world, "clock")  # when this one makes a job, a minute has begun
    cluster.wait_for(lambda: jobs_of(world, "clock"), "the next minute", LONG)
    patch(world, "clock", suspend=True)
    assert not jobs_of(world, "paused")
    patch(world, "paused", suspend=False)
    cluster.wait_for(lambda: jobs_of(world, "paused"), "the first job", LONG)
    (name, *_) = sorted(jobs_of(world, "paused"))
    since = seconds(status_of(world, "paused")["scheduleSince"])
    assert since > began
    assert int(name.rpartition("-")[2]) * MINUTE > since - 1
    cluster.kubectl("delete", "mrs", "paused", "clock", "--namespace", world.namespace)
