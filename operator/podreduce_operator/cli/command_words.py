"""The words of the command line as they were typed, for the commands that want to remember them."""

from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["CommandLine", "words_of"]

WORDS = "podreduce.words"


class CommandLine(TyperGroup):
    """A command line that keeps its words for its commands."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401 - typer's own context
        """Parse the words, and keep them."""
        words = tuple(args)
        context = super().make_context(info_name, args, parent, **extra)
        context.meta[WORDS] = words
        return context


def words_of(context: typer.Context) -> tuple[str, ...]:
    """Return the words of the command line after the program's name."""
    words: tuple[str, ...] = context.meta.get(WORDS, ())
    return words
