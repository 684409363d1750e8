"""Texts with others below them, drawn as a tree. Rule: pure."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Branch", "draw"]

MIN_WIDTH = 20
"""Narrower texts are not read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A text, and what belongs to it."""

    text: str
    below: tuple["Branch", ...] = ()


def draw(branch: Branch, width: int | None, *, lead: str = "", under: str = "") -> Iterator[str]:
    """Yield the lines of a tree, wrapped at `width` columns; None: whole.

    Args:
        branch: the root.
        width: the columns of the terminal.
        lead: what stands before the root's first line.
        under: what stands before everything below that line.
    """
    for number, line in enumerate(wrap(branch.text, width, len(lead))):
        yield f"{under}{'│ ' if branch.below else '  '}{line}" if number else f"{lead}{line}"
    for child in branch.below:
        is_last = child is branch.below[-1]
        corner, side = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
        yield from draw(child, width, lead=under + corner, under=under + side)


def wrap(text: str, width: int | None, indent: int) -> list[str]:
    """Return a text as lines that fit."""
    if width is None:
        return [text]
    room = max(MIN_WIDTH, width - indent - 2)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
