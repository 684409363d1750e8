"""What the cluster says of a pod that says nothing itself: its newest Warning event.

A pod whose volume cannot be mounted, or whose sandbox cannot be made, stays `ContainerCreating`; only events tell why.
Rule: what cannot be read is not known. The API server keeps no events at hand, but reads all of a namespace to find
those of one pod: so one pod is asked for at a time, of whatever job, and for no more than a tenth of the time. Where
nodes are slow to start thousands of pods, they would otherwise be slower still for being asked about.
"""

import math
import time
from collections.abc import Callable

import structlog

from podreduce_operator.cluster.interface import Warned
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, core_path
from podreduce_operator.read_budget import ReadingPace

__all__ = ["PodEvents"]

FRESH_SECONDS = 15.0
MAX_REMEMBERED = 1000
READING_SHARE = 0.1
"""The part of the time that asking for events may take."""

log = structlog.get_logger(__name__)


class PodEvents:
    """The newest warning about each pod that was asked for, some `FRESH_SECONDS` old; more while others are asked for.

    Args:
        clock: seconds; monotonic.
    """

    def __init__(self, api: ApiServer, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._known: dict[str, tuple[float, Warned | None]] = {}
        self._pace = ReadingPace(READING_SHARE, clock)

    async def last_warning(self, namespace: str, uid: str) -> Warned | None:
        """Return the newest warning about the pod with that UID; None if there is none, or it is not its turn."""
        now = self._clock()
        at, known = self._known.get(uid, (-math.inf, None))
        if now - at < FRESH_SECONDS or not self._pace.is_due():
            return known
        with self._pace.measured():
            warned = await self._read(namespace, uid)
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[uid] = (now, warned)
        return warned

    async def _read(self, namespace: str, uid: str) -> Warned | None:
        query = {"fieldSelector": f"involvedObject.uid={uid},type=Warning"}
        try:
            found = (await self._api.get(core_path("events", namespace), query)).get("items") or []
        except ApiError as error:
            log.info("events not read", namespace=namespace, pod_uid=uid, error=str(error))
            return None
        newest = max(found, key=last_seen, default=None)
        return newest and Warned(reason=newest.get("reason") or "", message=newest.get("message") or "")


def last_seen(event: Json) -> str:
    """Return when the event was last seen; the times of RFC 3339 sort as text."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return max((str(time)[:19] for time in times if time), default="")
