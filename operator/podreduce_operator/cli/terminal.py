"""Prints to people: texts are wrapped on a terminal, and whole in a pipe."""

import shutil
import sys
from typing import TextIO

from podreduce_operator.cli.wording import wrap

__all__ = ["complain", "fit", "say", "terminal_width"]


def say(text: str) -> None:
    """Print a result."""
    print(text, flush=True)  # noqa: T201 - the command's output


def complain(text: str) -> None:
    """Print an error: wrapped on a terminal, as it is in a pipe."""
    print(fit(text, sys.stderr), file=sys.stderr, flush=True)  # noqa: T201 - the command's output


def fit(text: str, stream: TextIO) -> str:
    """Return a text as it is printed to `stream`."""
    width = terminal_width(stream)
    return text if width is None else wrap(text, width)


def terminal_width(stream: TextIO) -> int | None:
    """Return how many columns a terminal has; None if the stream is none."""
    return shutil.get_terminal_size().columns if stream.isatty() else None
