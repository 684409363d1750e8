"""Alerts delivered to a real Alertmanager, which has each once, whatever happened to the process that sent them."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from podreduce_apps.risk.deliver import main
from tests.applications.risk.card_alerts import EVENTS, IDS
from tests.cluster.alertmanager import Alertmanager, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    server = Alertmanager(tmp_path_factory.mktemp("alertmanager"))
    yield server
    server.close()


def words(server: Alertmanager, directory: Path, outbox: str) -> list[str]:
    """Return what the command is called with."""
    alerts = directory / "alerts.jsonl"
    alerts.write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    address = f"{server.address}/api/v2/alerts"
    return [str(alerts), "--kind", "alertmanager", "--to", address, "--outbox", str(directory / outbox)]


def test_each_alert_is_there_once_though_the_sender_is_killed_twice_and_forgets(
    alertmanager: Alertmanager, tmp_path: Path
) -> None:
    command = words(alertmanager, tmp_path, "outbox")
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-m", "podreduce_apps.risk.deliver", *command])
        while not (tmp_path / "outbox").exists() and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert main(command) == 0
    assert main(words(alertmanager, tmp_path, "an outbox that has lost its journal")) == 0

    found = alertmanager.alerts()
    assert sorted(alert["annotations"]["event"] for alert in found) == sorted(IDS)
    assert {alert["status"]["state"] for alert in found} == {"active"}


def test_an_alert_comes_back_as_it_was_sent(alertmanager: Alertmanager, tmp_path: Path) -> None:
    assert main(words(alertmanager, tmp_path, "outbox")) == 0

    event = EVENTS[0]
    (alert,) = (each for each in alertmanager.alerts() if each["annotations"]["event"] == event["id"])
    assert alert["labels"] == {
        "alertname": "CardFraudRisk",
        "card": event["data"]["card"],
        "day": event["data"]["day"],
        "model": event["data"]["model"],
    }
    assert "12.50 expected to be lost" in alert["annotations"]["summary"]
    assert alert["startsAt"].startswith("2016-07-18T23:59:59")
    assert alert["endsAt"] > alert["updatedAt"]
