"""Sends progress reports to the operator: a thread of its own, best effort, never in the task's way.

Every address of the operator's name gets each report, so that a standby knows as much as the leader. What cannot be
sent is dropped; the next report says it all.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from random import uniform
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from podreduce.contract.progress import ProgressReport
from podreduce.contract.wire import encode
from podreduce.watching.logs import get_logger

__all__ = ["REPORT_SECONDS", "ProgressReporter"]

REPORT_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 60.0
"""While nobody answers; ten thousand tasks must not hammer an operator that has just come back."""

REQUEST_SECONDS: Final = 2.0
DEFAULT_PORT: Final = 80


class ProgressReporter:
    """Reports until its `with` ends.

    Args:
        url: `http://host:port/path`; `token` tells whose reports these are.
        report: returns the report of this moment.
    """

    def __init__(
        self, url: str, token: str, report: Callable[[], ProgressReport], *, interval_seconds: float = REPORT_SECONDS
    ) -> None:
        place = urlsplit(url)
        self._host, self._port, self._path = place.hostname or "", place.port or DEFAULT_PORT, place.path or "/"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._report = report
        self._interval_seconds = interval_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress-report", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()  # the thread may be within a request: nobody waits for it

    def _run(self) -> None:
        for pause in self._pauses():
            if self._stopped.wait(pause):
                return

    def _pauses(self) -> Iterator[float]:
        """Send a report before each pause; yield how long it is to be."""
        longest = self._interval_seconds
        while True:
            try:
                self._send()
                longest = self._interval_seconds
            except Exception as error:  # noqa: BLE001 - whatever it is: a task without reports counts as stuck
                longest = min(longest * 2, max(LONGEST_PAUSE_SECONDS, self._interval_seconds))
                get_logger().debug("progress not reported", error=str(error))
            yield longest * uniform(0.7, 1.0)  # noqa: S311 - no secret

    def _send(self) -> None:
        """Send one report to each address; raise what the last of them raised if none took it."""
        body = encode(self._report())
        addresses = {found[4][0] for found in socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)}
        failure: OSError | HTTPException | None = None
        taken = 0
        for address in sorted(map(str, addresses)):
            connection = HTTPConnection(address, self._port, timeout=REQUEST_SECONDS)
            try:
                connection.request("POST", self._path, body, self._headers)
                connection.getresponse().read()
                taken += 1
            except (OSError, HTTPException) as error:
                failure = error
            finally:
                connection.close()
        if failure is not None and not taken:
            raise failure
