"""The words of the command line as they were typed, for the commands that want to remember them."""

from typing import Any

import typer
from typer.core import TyperGroup

from podreduce_operator.cli.help_page import hide_type, tidy

__all__ = ["CommandLine", "words_of"]

WORDS = "podreduce.words"


class CommandLine(TyperGroup):
    """A command line that keeps its words for its commands."""

    def __init__(self, **extra: Any) -> None:  # noqa: ANN401 - typer's own arguments
        """Take typer's arguments, and make the help read well."""
        super().__init__(**extra)
        tidy(self)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:  # noqa: ANN401 - typer's own context
        """Parse the words, and keep them."""
        words = tuple(args)
        for each in self.params:
            hide_type(each)  # those that typer has added since, such as --install-completion
        context = super().make_context(info_name, args, parent, **extra)
        context.meta[WORDS] = words
        return context


def words_of(context: typer.Context) -> tuple[str, ...]:
    """Return the words of the command line after the program's name."""
    words: tuple[str, ...] = context.meta.get(WORDS, ())
    return words
