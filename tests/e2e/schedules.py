"""Schedules of every minute, and what has become of their minutes: jobs, outputs, status."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import obstore

from podreduce_operator.api.crd import API_VERSION, SCHEDULES
from podreduce_operator.api.times import parse_time
from podreduce_operator.schedules.job_of_schedule import SCHEDULE_LABEL
from tests.e2e.jobs import WORD_COUNT, JobWorld, make_manifest

__all__ = ["LONG", "MINUTE", "Resumed", "ScheduleWorld"]

MINUTE = 60
LONG = 400
"""Seconds in which some minutes begin, and their jobs end."""

FORMAT = "%Y%m%dT%H%M"
TEXT = "one two two three three three\n" * 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleWorld:
    """A namespace with schedules of small jobs."""

    jobs: JobWorld

    @classmethod
    def create(cls, jobs: JobWorld) -> "ScheduleWorld":
        """Put the input of the jobs."""
        obstore.put(jobs.minio.store(jobs.corpus_bucket), f"{jobs.namespace}/minutes.txt", TEXT.encode())
        return cls(jobs=jobs)

    def apply(self, name: str, **spec: Any) -> None:
        """Apply a schedule of every minute that counts words into a place of that minute."""
        job = make_manifest(
            "template",
            WORD_COUNT,
            input_uri=f"s3://{self.jobs.corpus_bucket}/{self.jobs.namespace}/",
            output_uri=f"{self.jobs.output_uri(name)}$(parameters.minute)/",
            map={"shards": 1},
            reduce={"partitions": 1},
        )
        defaults = {
            "schedule": "* * * * *",
            "parameters": [{"name": "minute", "format": FORMAT}],
            "jobTemplate": {"spec": job["spec"]},
        }
        manifest = {"apiVersion": API_VERSION, "kind": SCHEDULES.kind, "metadata": {"name": name}}
        self.jobs.cluster.apply({**manifest, "spec": {**defaults, **spec}}, namespace=self.jobs.namespace)

    def patch(self, name: str, **spec: Any) -> None:
        """Change a schedule's spec."""
        change = ("--type=merge", "--patch", json.dumps({"spec": spec}))
        self.jobs.cluster.kubectl("patch", "mrs", name, *change, "--namespace", self.jobs.namespace)

    def end(self) -> None:
        """Delete the schedules, and wait until their jobs are gone."""
        cluster, namespace = self.jobs.cluster, self.jobs.namespace
        cluster.kubectl("delete", "mrs", "--all", "--namespace", namespace)
        cluster.wait_for(lambda: not cluster.list("mrj", namespace), "the end of all jobs", LONG)

    def jobs_of(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the jobs of a schedule by their names."""
        found = self.jobs.cluster.list("mrj", self.jobs.namespace, f"{SCHEDULE_LABEL}={name}")
        return {job["metadata"]["name"]: job for job in found}

    def complete(self, name: str) -> list[str]:
        """Return the names of the complete jobs, the oldest first."""
        return sorted(job for job, each in self.jobs_of(name).items() if phase_of(each) == "Complete")

    def status(self, name: str) -> dict[str, Any]:
        """Return a schedule's status."""
        schedule = self.jobs.cluster.get("mrs", name, self.jobs.namespace)
        assert schedule is not None
        status: dict[str, Any] = schedule.get("status", {})
        return status

    def published(self, name: str) -> dict[int, str]:
        """Return the URIs of the complete outputs, by the minute that each is of."""
        bucket, _, prefix = self.jobs.output_uri(name).removeprefix("s3://").partition("/")
        keys = [key.removeprefix(prefix).split("/") for key in self.jobs.keys(bucket, prefix)]
        minutes = sorted(key[0] for key in keys if key[1:] == ["_SUCCESS"])
        return {minute_of(each): f"s3://{bucket}/{prefix}{each}/" for each in minutes}

    @property
    def words(self) -> Counter[str]:
        """What each job must give."""
        return Counter(TEXT.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A schedule that was suspended from its beginning and while minutes began, and has been resumed."""

    world: ScheduleWorld
    name: str
    began: float
    jobs_before: frozenset[str]


def minute_of(written: str) -> int:
    """Return the minute that a name of an output is of, since 1970."""
    return int(datetime.strptime(written, FORMAT).replace(tzinfo=UTC).timestamp()) // MINUTE


def phase_of(job: dict[str, Any]) -> str:
    """Return a job's phase; empty before it has one."""
    return str(job.get("status", {}).get("phase", ""))


def seconds(text: str) -> float:
    """Return a time of the API."""
    at = parse_time(text)
    assert at is not None
    return at
