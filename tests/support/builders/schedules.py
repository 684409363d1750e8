"""Schedules for tests, with a default for everything."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from podreduce_operator.api.crd import API_VERSION, SCHEDULES
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.resource_kinds import parse_schedule
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.schedules import ScheduleView
from tests.support.builders.jobs import make_raw_spec

__all__ = ["make_schedule", "make_schedule_manifest", "read_no_storage"]

CREATED = "2026-05-01T00:00:00Z"


def make_schedule_manifest(
    name: str = "nightly",
    *,
    uid: str = "uid-nightly",
    version: int = 1,
    status: Mapping[str, Any] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    """A schedule as the API server has it. A field of the spec that is None is left out."""
    metadata = {
        "namespace": "team",
        "name": name,
        "uid": uid,
        "resourceVersion": str(version),
        "generation": 1,
        "creationTimestamp": CREATED,
    }
    template: dict[str, Any] = {"spec": deepcopy(dict(make_raw_spec()))}
    return {
        "apiVersion": API_VERSION,
        "kind": SCHEDULES.kind,
        "metadata": metadata,
        "spec": {
            name: value
            for name, value in {"schedule": "30 2 * * *", "jobTemplate": template, **spec}.items()
            if value is not None
        },
        "status": dict(status or {}),
    }


def make_schedule(name: str = "nightly", **fields: Any) -> ScheduleView:
    """A schedule as the operator sees it; `fields` as in `make_schedule_manifest`."""
    return parse_schedule(make_schedule_manifest(name, **fields), JobKey(namespace="team", name=name))


async def read_no_storage(namespace: str, name: str) -> JobStorage:
    """The storage of a schedule whose Secret is gone."""
    raise ActionError("SecretNotFound", f"there is no Secret {namespace}/{name}", permanent=True)
