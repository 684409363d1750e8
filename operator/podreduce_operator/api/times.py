"""Times as Kubernetes writes them: RFC 3339, UTC, whole seconds. Rule: pure."""

from datetime import UTC, datetime
from typing import Any

__all__ = ["parse_time", "render_duration", "render_time"]


MINUTE, HOUR, DAY = 60, 3600, 86_400


def parse_time(text: Any) -> float | None:  # noqa: ANN401 - the field may hold any value
    """Return a time in seconds since the epoch, or None if `text` is not a time."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None


def render_time(seconds: float) -> str:
    """Return `seconds` since the epoch as text."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def render_duration(seconds: float) -> str:
    """Return a duration as kubectl's tables have it, from two units at most: `7s`, `2m10s`, `3h5m`, `2d4h`."""
    whole = max(0, int(seconds))
    units = [("d", whole // DAY), ("h", whole % DAY // HOUR), ("m", whole % HOUR // MINUTE), ("s", whole % MINUTE)]
    first = next((number for number, (_, amount) in enumerate(units) if amount), len(units) - 1)
    shown = units[first : first + 2]
    return "".join(f"{amount}{unit}" for number, (unit, amount) in enumerate(shown) if amount or not number)
