"""Cuts a text that must fit into a limit: in the middle, because a message ends with what to do."""

__all__ = ["cut_middle"]

DOTS = "…"


def cut_middle(text: str, limit_bytes: int) -> str:
    """Return the beginning and the end of `text`, at most `limit_bytes` (12 or more) of UTF-8; unchanged if it fits."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit_bytes:
        return text
    room = limit_bytes - len(DOTS.encode())
    tail = room // 2
    return f"{data[: room - tail].decode('utf-8', 'ignore')}{DOTS}{data[-tail:].decode('utf-8', 'ignore')}"
