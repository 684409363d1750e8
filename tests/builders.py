"""Values for tests: each builder has a default for everything, so that a test names only what it is about."""

from collections.abc import Mapping
from typing import Any

from podreduce_operator.model import JobKey, JobView
from podreduce_operator.spec import decode_spec

JOB_UID = "6f0c4a52-0000-4000-8000-000000000001"


def make_raw_spec(**changes: Any) -> dict[str, Any]:
    """A spec as the API server stores it: with the CRD's defaults. Keys are those of the YAML."""
    return {
        "program": {"source": "class Job:\n    def map_func(self, key, value):\n        yield value, 1\n"},
        "input": {"uris": ["s3://corpus/books/"], "format": "Text", "encodingErrors": "Strict"},
        "output": {"uri": "s3://corpus/counts/", "format": "Text", "ifExists": "Fail"},
        "backoffLimitPerTask": 4,
        "backoff": {"initialSeconds": 5, "factor": 2, "maxSeconds": 300},
        "ttlSecondsAfterFinished": 86400,
        "suspend": False,
        "runId": "1",
        "storage": {"secretRef": {"name": "podreduce-storage"}},
        **changes,
    }


def make_job(
    *,
    name: str = "wordcount",
    namespace: str = "default",
    uid: str = JOB_UID,
    generation: int = 1,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    deleting: bool = False,
) -> JobView:
    """A job; `spec` are changes to `make_raw_spec`."""
    raw_spec = make_raw_spec(**(spec or {}))
    return JobView(
        key=JobKey(namespace=namespace, name=name),
        uid=uid,
        generation=generation,
        spec=decode_spec(raw_spec),
        raw_spec=raw_spec,
        status=status or {},
        deleting=deleting,
    )
