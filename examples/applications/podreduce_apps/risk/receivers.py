"""What is posted to each kind of receiver: a webhook, a batch of CloudEvents, or Alertmanager. Pure."""

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal

__all__ = ["Kind", "Post", "build_post"]

Kind = Literal["webhook", "batch", "alertmanager"]
Event = Mapping[str, Any]

SIGNATURE_HEADER = "X-Risk-Signature"


@dataclass(frozen=True, slots=True)
class Post:
    """A request: its headers and its body."""

    headers: Mapping[str, str]
    body: bytes


def build_post(kind: Kind, events: Sequence[Event], *, secret: bytes, now: datetime, active: timedelta) -> Post:
    """Return the request for some events; of a webhook one.

    With a secret its HMAC-SHA256 over the body is in a header, so that the receiver knows who has sent it.
    """
    if kind == "webhook":
        (event,) = events
        headers = {"Content-Type": "application/cloudevents+json", "Idempotency-Key": event["id"]}
        body = encode(event)
    elif kind == "batch":
        headers = {"Content-Type": "application/cloudevents-batch+json"}
        body = encode(events)
    else:
        headers = {"Content-Type": "application/json"}
        body = encode([alertmanager_alert(event, now, active) for event in events])
    if secret:
        headers[SIGNATURE_HEADER] = "sha256=" + hmac.new(secret, body, sha256).hexdigest()
    return Post(headers, body)


def encode(value: object) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value, sort_keys=True).encode()


def alertmanager_alert(event: Event, now: datetime, active: timedelta) -> dict[str, Any]:
    """Return an event as an alert of Alertmanager's API, version 2.

    The labels are an alert's identity there: they have nothing that may change when it is sent again.
    """
    data = event["data"]
    return {
        "labels": {"alertname": "CardFraudRisk", "card": data["card"], "day": data["day"], "model": data["model"]},
        "annotations": {
            "summary": f"{data['card']}: {data['expectedLoss']:.2f} expected to be lost",
            "description": f"transaction {data['transaction']} of {data['amount']:.2f} at {data['merchant']}, "
            f"probability {data['probability']:.3f}; {', '.join(data['reasons'])}",
            "event": event["id"],
        },
        "startsAt": event["time"],
        "endsAt": (now + active).astimezone(UTC).isoformat(),
    }
