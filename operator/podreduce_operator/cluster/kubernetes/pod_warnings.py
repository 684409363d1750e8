"""Reads the newest Warning event of a pod that gives no reason why it does not start.

If a volume cannot be mounted or a sandbox cannot be made, the pod stays `ContainerCreating`, and only events say why.
Rule: errors are logged and count as no warning. To find the events of one pod, the API server reads all events of the
namespace. So only one pod, of any job, is asked for at a time, for at most a tenth of the time. Otherwise a cluster
that is slow to start thousands of pods would become even slower.
"""

import math
import time
from collections.abc import Callable

import structlog

from podreduce_operator.cluster.interface import PodWarning
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, core_path
from podreduce_operator.read_budget import ReadingPace

__all__ = ["PodWarnings"]

FRESH_SECONDS = 15.0
MAX_REMEMBERED = 1000
READING_SHARE = 0.1
"""The share of the time that reading events may take."""

log = structlog.get_logger(__name__)


class PodWarnings:
    """The newest warning about each pod that was asked for. It may be older than `FRESH_SECONDS` if many are asked for.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, api: ApiServer, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._known: dict[str, tuple[float, PodWarning | None]] = {}
        self._pace = ReadingPace(READING_SHARE, clock)

    async def last_warning(self, namespace: str, uid: str) -> PodWarning | None:
        """Return the newest warning about the pod with this UID; None if there is none or it was not read yet."""
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

    async def _read(self, namespace: str, uid: str) -> PodWarning | None:
        query = {"fieldSelector": f"involvedObject.uid={uid},type=Warning"}
        try:
            found = (await self._api.get(core_path("events", namespace), query)).get("items") or []
        except ApiError as error:
            log.info("events not read", namespace=namespace, pod_uid=uid, error=str(error))
            return None
        newest = max(found, key=last_seen, default=None)
        return newest and PodWarning(reason=newest.get("reason") or "", message=newest.get("message") or "")


def last_seen(event: Json) -> str:
    """Return when the event was last seen. RFC 3339 times can be compared as text."""
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    return max((str(time)[:19] for time in times if time), default="")
