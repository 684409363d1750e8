"""How a label keeps a fixed set of values, whatever a program, a store or the API server says."""

from collections.abc import Collection

__all__ = ["OTHER", "bound"]

OTHER = "Other"


def bound(value: str, known: Collection[str]) -> str:
    """Return the value if it is known, and `Other` if not."""
    return value if value in known else OTHER
