"""Sends alerts to a webhook or to Alertmanager: `python -m podreduce_apps.risk.deliver --help`.

It runs after the pipeline, as one process: a job's tasks may run twice, so they must not send anything. Every alert is
sent at least once. What the receiver has taken is in the outbox, and is not sent again.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from podreduce_apps.counted_nouns import count_of
from podreduce_apps.risk.outbox import Outbox, OutboxBusyError, open_outbox
from podreduce_apps.risk.receivers import Kind, Post, build_post

__all__ = ["Delivery", "deliver", "main"]

SIGNING_VARIABLE = "RISK_WEBHOOK_SECRET"
BATCH_SIZES: dict[Kind, int] = {"webhook": 1, "batch": 100, "alertmanager": 100}
TIMEOUT_SECONDS = 30.0
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 60.0
TOO_MANY_REQUESTS, SERVER_ERROR, OK = 429, 500, range(200, 300)
ABOUT_THE_ALERT = frozenset({400, 409, 413, 422})
"""Only these refuse an alert for good. Others, such as 401 and 404, are about the address or the secret."""


class NotDeliveredError(Exception):
    """The receiver cannot be reached, or cannot take anything now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """Where alerts go.

    Attributes:
        url: of the receiver.
        kind: what it expects.
        attempts: how often a request is tried before the rest is left for the next time.
        active: for how long Alertmanager shows an alert.
        secret: signs the requests; empty: they are not signed.
        sleep: waits so many seconds.
    """

    url: str
    kind: Kind
    attempts: int
    active: timedelta
    secret: bytes
    sleep: Callable[[float], None]


def deliver(events: Sequence[dict[str, Any]], outbox: Outbox, delivery: Delivery) -> int:
    """Send what has not been sent, and return how many alerts the receiver has refused.

    Raises:
        NotDeliveredError: the receiver does not answer, or does not take anything now. Nothing is lost: try later.
    """
    waiting = [event for event in once_each(events) if outbox.is_open(event["id"])]
    refused = 0
    for start in range(0, len(waiting), BATCH_SIZES[delivery.kind]):
        refused += send_group(waiting[start : start + BATCH_SIZES[delivery.kind]], outbox, delivery)
    return refused


def send_group(group: Sequence[dict[str, Any]], outbox: Outbox, delivery: Delivery) -> int:
    """Send a group. If the receiver refuses it, send each of its alerts alone, so that one bad alert stops no other."""
    status = send(group, delivery)
    if status in OK:
        outbox.delivered([event["id"] for event in group])
        return 0
    if len(group) == 1:
        outbox.refused(group[0], f"{delivery.url} answered {status}")
        return 1
    return sum(send_group([event], outbox, delivery) for event in group)


def send(group: Sequence[dict[str, Any]], delivery: Delivery) -> int:
    """Post a group until the receiver has answered whether it takes it; return the status.

    Raises:
        NotDeliveredError: it has not, after all attempts, or its answer is not about the alerts.
    """
    reason = ""
    for attempt in range(delivery.attempts):
        if attempt:
            delivery.sleep(min(FIRST_DELAY_SECONDS * 2 ** (attempt - 1), LONGEST_DELAY_SECONDS))
        request = build_post(
            delivery.kind, group, secret=delivery.secret, now=datetime.now(UTC), active=delivery.active
        )
        try:
            status = post(delivery.url, request)
        except (OSError, HTTPException) as error:
            reason = f"{type(error).__name__}: {error}"
            continue
        if status in OK or status in ABOUT_THE_ALERT:
            return status
        if status != TOO_MANY_REQUESTS and status < SERVER_ERROR:
            raise NotDeliveredError(f"{delivery.url} answered {status}: check the address, --kind and the secret")
        reason = f"it answered {status}"
    raise NotDeliveredError(f"{delivery.url}: not delivered after {count_of(delivery.attempts, 'attempt')}: {reason}")


def post(url: str, request: Post) -> int:
    """Post a request, and return the status of the answer."""
    parts = urlsplit(url)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        path = parts.path or "/"
        connection.request(
            "POST", f"{path}?{parts.query}" if parts.query else path, request.body, dict(request.headers)
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def once_each(events: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield events, each id once."""
    yield from {event["id"]: event for event in events}.values()


def read_events(path: Path) -> list[dict[str, Any]]:
    """Return the events of a file of the step `alerts`.

    Raises:
        ValueError: a line is no CloudEvent; the message has its place.
    """
    events = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            event = json.loads(line)
            identity, version = str(event["id"]), event["specversion"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}:{number}: no CloudEvent: {error!r}") from error
        if version != "1.0":
            raise ValueError(f"{path}:{number}: a CloudEvent of version {version}: only 1.0 can be sent")
        events.append({**event, "id": identity})
    return events


def parse_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="python -m podreduce_apps.risk.deliver", description=__doc__)
    parser.add_argument("alerts", type=Path, help="the file alerts.jsonl of the step alerts")
    parser.add_argument("--to", required=True, metavar="URL", help="the receiver; of Alertmanager …/api/v2/alerts")
    parser.add_argument("--kind", choices=sorted(BATCH_SIZES), default="webhook", help="what the receiver expects")
    parser.add_argument("--outbox", type=Path, required=True, help="a directory that stays, one for each receiver")
    parser.add_argument("--attempts", type=int, default=8, help="tries of a request before the rest waits (8)")
    parser.add_argument("--active-hours", type=float, default=24, help="how long Alertmanager shows an alert (24)")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line: 0 all delivered, 1 some refused or not delivered, 2 it cannot begin."""
    arguments = parse_arguments(words)
    if urlsplit(arguments.to).scheme not in ("http", "https"):
        return complain(f"--to {arguments.to}: it must begin with http:// or https://", 2)
    delivery = Delivery(
        url=arguments.to,
        kind=arguments.kind,
        attempts=max(arguments.attempts, 1),
        active=timedelta(hours=arguments.active_hours),
        secret=os.environ.get(SIGNING_VARIABLE, "").encode(),
        sleep=time.sleep,
    )
    try:
        events = read_events(arguments.alerts)
        with open_outbox(arguments.outbox) as outbox:
            refused = deliver(events, outbox, delivery)
    except NotDeliveredError as error:
        return complain(f"{error}. Start it again: what was delivered is not sent again", 1)
    except (OSError, ValueError, OutboxBusyError) as error:
        return complain(str(error), 2)
    if refused:
        return complain(f"{count_of(refused, 'alert')} refused: see dead-letters.jsonl in {arguments.outbox}", 1)
    return 0


def complain(message: str, status: int) -> int:
    """Print an error, and return the status."""
    sys.stderr.write(f"deliver: {message}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
