"""How a text is cut that has to fit somewhere: in the middle, since a message ends with what to do."""

__all__ = ["cut_middle"]

DOTS = "…"


def cut_middle(text: str, limit_bytes: int) -> str:
    """Return the beginning and the end of `text`, at most so many bytes (12 or more) of UTF-8; a short one as it is."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit_bytes:
        return text
    room = limit_bytes - len(DOTS.encode())
    tail = room // 2
    return f"{data[: room - tail].decode('utf-8', 'ignore')}{DOTS}{data[-tail:].decode('utf-8', 'ignore')}"
