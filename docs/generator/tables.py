"""Tables, and texts as they stand in their cells."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def table(*rows_: tuple[str, ...]) -> str:
    """Return a table; the first row is its head."""
    head, *body = rows_
    lines = [head, ("---",) * len(head), *body]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def clean(text: str) -> str:
    """Return a text as it stands in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
