"""Writes Events on a resource, which `kubectl describe` shows.

Rule: best effort. An Event's name is a digest of its content, so a repeated message only raises its count. An Event
that cannot be written is dropped; the status has the same information.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

import structlog

from podreduce.contract.texts import cut_middle
from podreduce_operator.api.crd import API_VERSION, JOBS, ResourceNames
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, core_path
from podreduce_operator.model.resources import ResourceView

__all__ = ["EventRecorder"]

COMPONENT = "podreduce-operator"
MAX_MESSAGE_BYTES = 1024
"""The API's limit for an Event's message."""

log = structlog.get_logger(__name__)


class EventRecorder:
    """Writes Events on the resources of one kind."""

    def __init__(self, api: ApiServer, clock: Callable[[], float] = time.time, *, names: ResourceNames = JOBS) -> None:
        self._api = api
        self._names = names
        self._clock = clock

    async def record(self, view: ResourceView, kind: str, reason: str, message: str) -> None:
        """Write the Event, or raise its count."""
        event = build_event(refer_to(self._names, view), kind, reason, message, self._clock())
        namespace, name = view.key.namespace, event["metadata"]["name"]
        try:
            await self._api.create(core_path("events", namespace), event)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                log.info("event dropped", involved=f"{self._names.kind} {view.key}", reason=reason, error=str(error))
                return
            await self._count(core_path("events", namespace, name), event)

    async def _count(self, path: str, event: Json) -> None:
        try:
            known = await self._api.get(path)
            count = int(known.get("count") or 1) + 1
            await self._api.patch(path, {"count": count, "lastTimestamp": event["lastTimestamp"]})
        except ApiError as error:
            log.info("event not counted", event=event["metadata"]["name"], error=str(error))


def refer_to(names: ResourceNames, view: ResourceView) -> Json:
    """Return the reference to a resource."""
    return {
        "apiVersion": API_VERSION,
        "kind": names.kind,
        "namespace": view.key.namespace,
        "name": view.key.name,
        "uid": view.uid,
    }


def build_event(involved: Json, kind: str, reason: str, message: str, now: float) -> Json:
    """Return the Event on a resource; `kind` is `Normal` or `Warning`."""
    digest = sha256(f"{involved['uid']}\0{kind}\0{reason}\0{message}".encode()).hexdigest()[:16]
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{involved['name'][:200]}.{digest}", "namespace": involved["namespace"]},
        "involvedObject": involved,
        "type": kind,
        "reason": reason,
        "message": cut_middle(message, MAX_MESSAGE_BYTES),
        "count": 1,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
    }
