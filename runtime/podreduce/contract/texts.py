"""Parts of messages: a text that must fit into a limit, a number with its noun. Rule: pure."""

__all__ = ["cut_middle", "render_count"]

DOTS = "…"


def cut_middle(text: str, limit_bytes: int) -> str:
    """Return the beginning and the end of `text`, at most `limit_bytes` (12 or more) of UTF-8; unchanged if it fits.

    It is cut in the middle, because a message ends with what to do.
    """
    data = text.encode("utf-8", "replace")
    if len(data) <= limit_bytes:
        return text
    room = limit_bytes - len(DOTS.encode())
    tail = room // 2
    return f"{data[: room - tail].decode('utf-8', 'ignore')}{DOTS}{data[-tail:].decode('utf-8', 'ignore')}"


def render_count(number: int, noun: str, plural: str = "") -> str:
    """Return `1 object`, `2,000 objects`, `3 processes`; `plural` is for a noun that takes more than an `s`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
