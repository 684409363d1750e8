"""Delivery to a real HTTP server: once each, whatever fails and whenever the process is killed."""

import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from podreduce_apps.risk.deliver import main
from podreduce_apps.risk.outbox import OutboxBusyError, open_outbox
from podreduce_apps.risk.receivers import build_post
from tests.applications.risk.card_alerts import EVENTS, IDS


@dataclass
class Receiver:
    """What a server has got, and what it answers: a status by turns, then 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    seconds: float = 0.0

    def answer(self, headers: dict[str, str], body: bytes) -> int:
        time.sleep(self.seconds)
        self.requests.append((headers, body))
        if self.answers:
            return self.answers.pop(0)
        return 400 if any(identity in body.decode() for identity in self.refuses) else 200

    def identities(self) -> list[str]:
        bodies = [json.loads(body) for _, body in self.requests]
        return [event["id"] for body in bodies for event in (body if isinstance(body, list) else [body])]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(found.answer(dict(self.headers), body))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def alerts(tmp_path: Path) -> Path:
    path = tmp_path / "alerts.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    return path


def words(receiver: Receiver, alerts: Path, *more: str) -> list[str]:
    return [str(alerts), "--to", receiver.url, "--outbox", str(alerts.parent / "outbox"), *more]


def test_each_alert_is_sent_once_and_not_again(receiver: Receiver, alerts: Path) -> None:
    assert [main(words(receiver, alerts)) for _ in range(2)] == [0, 0]

    assert receiver.identities() == IDS
    headers, _ = receiver.requests[0]
    assert (headers["Content-Type"], headers["Idempotency-Key"]) == ("application/cloudevents+json", IDS[0])


def test_a_batch_is_one_request(receiver: Receiver, alerts: Path) -> None:
    assert main(words(receiver, alerts, "--kind", "batch")) == 0

    assert [headers["Content-Type"] for headers, _ in receiver.requests] == ["application/cloudevents-batch+json"]
    assert receiver.identities() == IDS


def test_what_the_receiver_cannot_take_now_is_sent_next_time(
    receiver: Receiver, alerts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.answers = [200, 503]

    assert main(words(receiver, alerts, "--attempts", "1")) == 1
    assert "answered 503" in capsys.readouterr().err
    assert main(words(receiver, alerts)) == 0

    assert receiver.identities() == [IDS[0], IDS[1], *IDS[1:]]


def test_a_refused_alert_becomes_a_dead_letter_and_stops_no_other(receiver: Receiver, alerts: Path) -> None:
    receiver.refuses = {IDS[2]}

    assert main(words(receiver, alerts, "--kind", "batch")) == 1
    assert main(words(receiver, alerts, "--kind", "batch")) == 0

    letters = (alerts.parent / "outbox" / "dead-letters.jsonl").read_text().splitlines()
    assert [json.loads(letter)["event"]["id"] for letter in letters] == [IDS[2]]
    assert len(receiver.requests) == 1 + len(IDS)


@pytest.mark.parametrize("status", [301, 401, 403, 404, 405, 415])
@pytest.mark.parametrize("kind", ["webhook", "batch"])
def test_a_wrong_address_or_secret_gives_no_alert_up(
    receiver: Receiver, alerts: Path, kind: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.answers = [status]

    assert main(words(receiver, alerts, "--kind", kind)) == 1
    assert f"answered {status}" in capsys.readouterr().err
    assert len(receiver.requests) == 1
    assert main(words(receiver, alerts, "--kind", kind)) == 0

    assert set(receiver.identities()) == set(IDS)
    assert not (alerts.parent / "outbox" / "dead-letters.jsonl").exists()


def test_a_receiver_that_is_not_there_is_an_error(alerts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words(Receiver(url="http://127.0.0.1:9/hook"), alerts, "--attempts", "1")) == 1
    assert "Start it again" in capsys.readouterr().err
    assert main(words(Receiver(url="ftp://x"), alerts)) == 2


def test_a_signature_is_over_the_body(receiver: Receiver, alerts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RISK_WEBHOOK_SECRET", "shared")

    main(words(receiver, alerts))

    headers, body = receiver.requests[0]
    assert headers["X-Risk-Signature"] == "sha256=" + hmac.new(b"shared", body, sha256).hexdigest()


def test_a_process_that_is_killed_twice_leaves_nothing_out_and_sends_at_most_one_again_each_time(
    receiver: Receiver, alerts: Path
) -> None:
    receiver.seconds = 0.2
    command = [sys.executable, "-m", "podreduce_apps.risk.deliver", *words(receiver, alerts)]
    for sent in (2, 3):
        process = subprocess.Popen(command)
        while len(receiver.requests) < sent:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    receiver.seconds = 0

    assert main(words(receiver, alerts)) == 0

    found = receiver.identities()
    assert list(dict.fromkeys(found)) == IDS
    assert len(found) <= len(IDS) + 2


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_journal_whose_last_line_is_unfinished_is_mended(cut: int, tmp_path: Path) -> None:
    with open_outbox(tmp_path) as outbox:
        outbox.delivered(["a", "b"])
    path = tmp_path / "journal.jsonl"
    os.truncate(path, path.stat().st_size - cut)

    with open_outbox(tmp_path) as outbox:
        assert [outbox.is_open(each) for each in ("a", "b", "c")] == [False, True, True]
        outbox.delivered(["c"])
    with open_outbox(tmp_path) as outbox:
        assert outbox.states == {"a": "delivered", "c": "delivered"}


def test_two_processes_do_not_send_from_one_outbox(tmp_path: Path) -> None:
    with open_outbox(tmp_path), pytest.raises(OutboxBusyError, match="another process"), open_outbox(tmp_path):
        pass


def test_a_line_that_is_no_event_is_named(receiver: Receiver, alerts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alerts.write_text(alerts.read_text() + '{"id": "x"}\n')

    assert main(words(receiver, alerts)) == 2
    assert "alerts.jsonl:6" in capsys.readouterr().err
    assert receiver.requests == []


def test_an_alert_of_alertmanager_is_known_by_labels_that_never_change() -> None:
    def build(event: dict[str, Any], hour: int) -> dict[str, Any]:
        now = datetime(2018, 8, 9, hour, tzinfo=UTC)
        post = build_post("alertmanager", [event], secret=b"", now=now, active=timedelta(hours=24))
        return json.loads(post.body)[0]

    first, again = build(EVENTS[0], 1), build({**EVENTS[0], "data": {**EVENTS[0]["data"], "expectedLoss": 99.0}}, 2)

    assert first["labels"] == again["labels"]
    assert (first["startsAt"], first["endsAt"]) == ("2016-07-18T23:59:59Z", "2018-08-10T01:00:00+00:00")
    assert "99.00" in again["annotations"]["summary"]
    assert all(isinstance(value, str) for value in (*first["labels"].values(), *first["annotations"].values()))
