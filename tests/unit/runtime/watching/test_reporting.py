import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from podreduce.contract.progress import ProgressReport
from podreduce.watching.reporting import ProgressReporter

REPORT = ProgressReport(attempt_id="uid-0", records=1, bytes=2, reduced=3, records_out=4, beats=5, fraction=0.5)
SOON = 10.0


class Receiver(ThreadingHTTPServer):
    """Takes reports on loopback; `full` is set once there are `wanted` of them."""

    def __init__(self, status: int = 204) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.wanted = 2
        self.taken: list[tuple[str, str | None, dict[str, object]]] = []
        self.full = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1/progress"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.taken.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.server.status)
        self.end_headers()
        if len(self.server.taken) >= self.server.wanted:
            self.server.full.set()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_reports_are_sent_with_their_token_again_and_again(receiver: Receiver) -> None:
    with ProgressReporter(receiver.url, "secret", lambda: REPORT, interval_seconds=0.01):
        assert receiver.full.wait(SOON)
    path, token, body = receiver.taken[0]
    assert (path, token) == ("/v1/progress", "Bearer secret")
    assert body["attemptId"] == "uid-0"
    assert body["fraction"] == 0.5


def test_an_operator_that_refuses_does_not_end_the_reports(receiver: Receiver) -> None:
    receiver.status = 403
    with ProgressReporter(receiver.url, "old", lambda: REPORT, interval_seconds=0.01):
        assert receiver.full.wait(SOON)


def test_a_task_goes_on_when_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        tried = threading.Event()

        def report() -> ProgressReport:
            tried.set()
            return REPORT

        with ProgressReporter(url, "secret", report, interval_seconds=0.01):
            assert tried.wait(SOON)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http:///v1/progress"], ids=["nobody listens", "there is no host"]
)
def test_a_wrong_address_costs_nothing_but_the_reports(url: str) -> None:
    asked = threading.Semaphore(0)

    def report() -> ProgressReport:
        asked.release()
        return REPORT

    with ProgressReporter(url, "secret", report, interval_seconds=0.01):
        assert [asked.acquire(timeout=SOON) for _ in range(2)] == [True, True], "it is tried again"


def test_one_address_that_takes_the_report_is_enough(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    port = receiver.server_address[1]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.1", "127.0.0.2")]
    find = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: found if host == "operator" else find(host, *rest, **more)
    )
    reporter = ProgressReporter(f"http://operator:{port}/", "secret", lambda: REPORT)
    reporter._send()  # noqa: SLF001 - the thread would swallow what it raises
    assert len(receiver.taken) == 1


def test_no_address_that_takes_the_report_is_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        reporter = ProgressReporter(f"http://127.0.0.1:{taken.getsockname()[1]}/", "secret", lambda: REPORT)
        with pytest.raises(ConnectionRefusedError):
            reporter._send()  # noqa: SLF001 - likewise
