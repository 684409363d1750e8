"""Writes Events on a MapReduceJob, which `kubectl describe` shows.

Rule: best effort. An Event's name is a digest of its content, so a repeated message only raises its count. An Event
that cannot be written is dropped; the status has the same information.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

import structlog

from podreduce.contract.texts import cut_middle
from podreduce_operator.api.crd import API_VERSION, KIND
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, core_path
from podreduce_operator.model.jobs import JobView

__all__ = ["EventRecorder"]

COMPONENT = "podreduce-operator"
MAX_MESSAGE_CHARACTERS = 1024
"""The API's limit for an Event's message."""

log = structlog.get_logger(__name__)


class EventRecorder:
    """Writes Events."""

    def __init__(self, api: ApiServer, clock: Callable[[], float] = time.time) -> None:
        self._api = api
        self._clock = clock

    async def record(self, job: JobView, kind: str, reason: str, message: str) -> None:
        """Write the Event, or raise its count."""
        event = build_event(job, kind, reason, message, self._clock())
        namespace, name = job.key.namespace, event["metadata"]["name"]
        try:
            await self._api.create(core_path("events", namespace), event)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                log.info("event dropped", job=str(job.key), reason=reason, error=str(error))
                return
            await self._count(core_path("events", namespace, name), event)

    async def _count(self, path: str, event: Json) -> None:
        try:
            known = await self._api.get(path)
            count = int(known.get("count") or 1) + 1
            await self._api.patch(path, {"count": count, "lastTimestamp": event["lastTimestamp"]})
        except ApiError as error:
            log.info("event not counted", event=event["metadata"]["name"], error=str(error))


def build_event(job: JobView, kind: str, reason: str, message: str, now: float) -> Json:
    """Return the Event; `kind` is `Normal` or `Warning`."""
    digest = sha256(f"{job.uid}\0{kind}\0{reason}\0{message}".encode()).hexdigest()[:16]
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{job.key.name[:200]}.{digest}", "namespace": job.key.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": job.key.namespace,
            "name": job.key.name,
            "uid": job.uid,
        },
        "type": kind,
        "reason": reason,
        "message": cut_middle(message, MAX_MESSAGE_CHARACTERS),
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
    }
