"""A task's log for people: what the program printed as it is, podreduce's own lines in words. Rule: pure."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["render_log"]

PROGRESS = "progress"
OWN = frozenset({"event", "level", "timestamp", "task", "attempt", "logger"})


def render_log(text: str, *, is_raw: bool) -> Iterator[str]:
    """Yield the lines of a log. Reports of progress are left out, unless everything `is_raw`."""
    for line in text.splitlines():
        fields = None if is_raw else parse_own(line)
        if fields is None:
            yield line
        elif fields["event"] != PROGRESS:
            yield render_fields(fields)


def parse_own(line: str) -> dict[str, Any] | None:
    """Return the fields of a line that podreduce or the program's logger wrote; None for what the program printed."""
    try:
        fields = json.loads(line) if line.startswith("{") else None
    except ValueError:
        return None
    is_own = isinstance(fields, dict) and isinstance(fields.get("event"), str) and "level" in fields
    return fields if is_own else None


def render_fields(fields: dict[str, Any]) -> str:
    """Return `12:01:02 info   task committed records=7`."""
    time = str(fields.get("timestamp", ""))[11:19]
    words = [time, f"{fields['level']:7}", fields["event"], *render_rest(fields.items())]
    return " ".join(word for word in words if word)


def render_rest(fields: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Yield the other fields."""
    for name, value in fields:
        if name not in OWN:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"{name}={shown}"
