"""A number with its noun, as a message or a report says it. Pure."""

__all__ = ["count_of"]


def count_of(number: float, noun: str, plural: str = "") -> str:
    """Return `1 row`, `2,000 rows`, `3 vertices`; `plural` is for a noun that takes more than an `s`."""
    return f"{number:,.0f} {noun if number == 1 else plural or f'{noun}s'}"
