"""Sends progress reports to the operator: in a separate thread, best effort, without delaying the task.

Every address of the operator's name gets each report, so that a standby knows as much as the leader. A report that
cannot be sent is dropped; the next one has all the counts again.
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
"""For when nobody answers: ten thousand tasks must not overload an operator that has just restarted."""

REQUEST_SECONDS: Final = 2.0
DEFAULT_PORT: Final = 80


class ProgressReporter:
    """Reports until its `with` ends.

    Args:
        url: `http://host:port/path`; `token` identifies the attempt.
        report: returns the current report.
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
        self._stopped.set()  # do not wait for the thread: it may be in a request

    def _run(self) -> None:
        for pause in self._pauses():
            if self._stopped.wait(pause):
                return

    def _pauses(self) -> Iterator[float]:
        """Send a report before each pause; yield the length of the pause in seconds."""
        longest = self._interval_seconds
        while True:
            try:
                self._send()
                longest = self._interval_seconds
            except Exception as error:  # noqa: BLE001 - any error: without reports the task would count as stuck
                longest = min(longest * 2, max(LONGEST_PAUSE_SECONDS, self._interval_seconds))
                get_logger().debug("progress not reported", error=str(error))
            yield longest * uniform(0.7, 1.0)  # noqa: S311 - not a secret

    def _send(self) -> None:
        """Send one report to each address; if none accepts it, raise the last error."""
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
