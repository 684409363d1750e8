"""MapReduceJobs and MapReduceSchedules as an API server returns them, with the status that an operator would write."""

from datetime import UTC, datetime
from typing import Any

__all__ = [
    "FAILURE",
    "GIBI",
    "JOB_UID",
    "NAMESPACE",
    "NOW",
    "PIPELINE_UID",
    "SCHEDULE_UID",
    "complete_job",
    "condition",
    "failed_job",
    "make_job",
    "make_pipeline_manifest",
    "make_schedule",
    "make_wave",
    "running_job",
    "suspended_job",
    "time_before",
]

NAMESPACE = "team-a"
JOB_UID = "6f1c2f9e-0000-4000-8000-000000000001"
SCHEDULE_UID = "6f1c2f9e-0000-4000-8000-000000000002"
PIPELINE_UID = "6f1c2f9e-0000-4000-8000-000000000003"
NOW = 1_750_000_000.0
"""The time at which the manifests are looked at."""

GIBI = 2**30

FAILURE = {
    "task": "m-3",
    "attempt": "wordcount-1f0c9a2b3d-m-3-1",
    "reason": "ProgramError",
    "message": "ValueError: invalid literal for int() with base 10: 'x'",
    "counted": True,
    "exitCode": 64,
    "traceback": 'Traceback (most recent call last):\n  File "wordcount.py", line 4, in map_func\nValueError: x\n',
    "record": "s3://corpus/books/a.txt at byte 7: 'oops'",
}

SPEC = {
    "program": {"source": "class WordCount:\n    def map_func(self, key, value):\n        yield value, 1\n"},
    "input": {"uris": ["s3://corpus/books/"]},
    "output": {"uri": "s3://corpus/counts/", "format": "Text", "ifExists": "Fail"},
    "runId": "1",
    "suspend": False,
}


def time_before(seconds: float) -> str:
    """Return the time that was so many seconds before `NOW`."""
    return datetime.fromtimestamp(NOW - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, reason: str, message: str = "", *, holds: bool = True) -> dict[str, Any]:
    """Return a condition."""
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": time_before(10),
    }


def make_job(name: str = "wordcount", *, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """Return a job; without a status nobody has taken it."""
    job: dict[str, Any] = {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReduceJob",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": JOB_UID,
            "generation": 1,
            "resourceVersion": "7",
            "creationTimestamp": time_before(200),
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": {**SPEC, **spec},
    }
    return job if status is None else job | {"status": status}


def make_status(phase: str, *conditions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return a status of run 1 that began three minutes ago."""
    return {
        "observedGeneration": 1,
        "installation": "one",
        "runId": "1",
        "phase": phase,
        "startTime": time_before(180),
        "conditions": list(conditions),
        **fields,
    }


def make_tasks(succeeded: int, total: int, *, active: int = 0, failed: int = 0) -> dict[str, Any]:
    """Return the counts of the tasks of one type."""
    return {
        "progress": f"{succeeded}/{total}",
        "active": active,
        "succeeded": succeeded,
        "failed": failed,
        "completedIndexes": f"0-{succeeded - 1}" if succeeded else "",
        "total": total,
    }


def make_wave(**fields: Any) -> dict[str, Any]:
    """Return how far a wave is: four of 16 maps are committed and four others have done a quarter."""
    return {
        "tasks": "map",
        "percent": 31,
        "bytes": 5 * GIBI // 4,
        "totalBytes": 4 * GIBI,
        "records": 11_250_000,
        "bytesPerSecond": 7_460_000.0,
        "secondsLeft": 400,
        "left": "6m40s",
        "observedAt": time_before(5),
        **fields,
    }


def running_job(reason: str = "Mapping", message: str = "4 of 16 map tasks committed", **spec: Any) -> Any:
    """Return a job with a quarter of its maps committed; another reason than the phase says why it waits."""
    status = make_status(
        "Mapping",
        condition("Ready", reason, message, holds=False),
        condition("Reconciling", reason, message),
        planDigest="0" * 64,
        plan={"objects": 3, "bytes": 4 * GIBI, "shards": 16, "imbalance": 0},
        map=make_tasks(4, 16, active=4, failed=1),
        reduce=make_tasks(0, 4),
        counters={"podreduce": {"mapBytesIn": GIBI, "mapRecordsIn": 9_000_000}},
        wave=make_wave(),
    )
    return make_job(status=status, **spec)


def complete_job(name: str = "wordcount", **fields: Any) -> dict[str, Any]:
    """Return a job that is complete after a minute and a half."""
    status = make_status(
        "Complete",
        condition("Ready", "Complete", "29,627 records in s3://corpus/counts/"),
        condition("Complete", "Complete", "29,627 records in s3://corpus/counts/"),
        completionTime=time_before(90),
        planDigest="0" * 64,
        plan={"objects": 3, "bytes": 4 * GIBI, "shards": 16, "imbalance": 0},
        map=make_tasks(16, 16),
        reduce=make_tasks(4, 4),
        counters={"podreduce": {"mapBytesIn": 4 * GIBI, "mapRecordsIn": 36_000_000}, "words": {"long": 1234}},
        output={"uri": "s3://corpus/counts/", "records": 29627, "bytes": 400_000},
    )
    return make_job(name, status=status | fields)


def failed_job(**fields: Any) -> dict[str, Any]:
    """Return a job whose program raised."""
    status = make_status(
        "Failed",
        condition("Ready", "BackoffLimitExceeded", "m-3 failed 5 times", holds=False),
        condition("Failed", "BackoffLimitExceeded", "m-3 failed 5 times"),
        completionTime=time_before(90),
        planDigest="0" * 64,
        plan={"objects": 3, "bytes": 4 * GIBI, "shards": 16, "imbalance": 0},
        map=make_tasks(3, 16, failed=5),
        reduce=make_tasks(0, 4),
        failures=[FAILURE | {"finishedAt": time_before(100)}],
    )
    return make_job(status=status | fields)


def suspended_job() -> dict[str, Any]:
    """Return a job that is suspended."""
    message = "spec.suspend is true: no pods run; what is committed stays"
    return make_job(status=make_status("Suspended", condition("Suspended", "Suspended", message)), suspend=True)


def make_schedule(**fields: Any) -> dict[str, Any]:
    """Return a schedule whose last job is active."""
    return {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReduceSchedule",
        "metadata": {
            "name": "nightly",
            "namespace": NAMESPACE,
            "uid": SCHEDULE_UID,
            "generation": 1,
            "resourceVersion": "8",
            "creationTimestamp": time_before(90_000),
        },
        "spec": {
            "schedule": "0 2 * * *",
            "timeZone": "Europe/Berlin",
            "suspend": False,
            "jobTemplate": {"spec": SPEC},
        },
        "status": {
            "observedGeneration": 1,
            "installation": "one",
            "lastScheduleTime": time_before(600),
            "nextScheduleTime": time_before(-7200),
            "active": ["nightly-29166650"],
            "conditions": [condition("Ready", "Scheduled", "jobs are made at their times")],
            **fields,
        },
    }


def make_pipeline_manifest(**status: Any) -> dict[str, Any]:
    """Return a pipeline of which a step runs, with changes to its status."""
    return {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReducePipeline",
        "metadata": {
            "name": "web",
            "namespace": NAMESPACE,
            "uid": PIPELINE_UID,
            "generation": 1,
            "resourceVersion": "9",
            "creationTimestamp": time_before(200),
        },
        "spec": {"runId": "1", "suspend": False, "steps": []},
        "status": make_pipeline_status() | status,
    }


def make_pipeline_status() -> dict[str, Any]:
    """Return the status of a pipeline in the second iteration of its loop."""
    return {
        "observedGeneration": 1,
        "installation": "one",
        "runId": "1",
        "phase": "Running",
        "startTime": time_before(130),
        "progress": "1/3",
        "loop": "rank 2/30",
        "criticalPath": {"seconds": 90, "steps": ["sum/3", "top"]},
        "steps": [
            {"name": "seed", "state": "Complete", "job": "web-seed-1", "records": 7, "bytes": 70, "seconds": 4},
            {"name": "sum", "state": "Running", "job": "web-sum-1-3", "progress": "maps 1/2"},
            {"name": "top", "state": "Waiting"},
        ],
        "loops": [
            {
                "name": "rank",
                "state": "Running",
                "iteration": 2,
                "maxIterations": 30,
                "recent": [{"iteration": 2, "values": ["0.0031"], "seconds": 3.5}],
            }
        ],
        "conditions": [condition("Reconciling", "Running", "")],
    }
