"""Times as Kubernetes writes them: RFC 3339, UTC, whole seconds. Rule: pure."""

from datetime import UTC, datetime
from typing import Any

__all__ = ["parse_time", "render_time"]


def parse_time(text: Any) -> float | None:  # noqa: ANN401 - the field may hold any value
    """Return a time in seconds since the epoch, or None if `text` is not a time."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None


def render_time(seconds: float) -> str:
    """Return `seconds` since the epoch as text."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
