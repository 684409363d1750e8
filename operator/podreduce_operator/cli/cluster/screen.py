"""Shows a text that changes: in place on a terminal, and once for each change in a pipe."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TextIO

from podreduce_operator.cli.terminal import terminal_width

__all__ = ["Screen", "open_screen"]


class Screen(Protocol):
    """Shows the lines of a text in place of the ones before."""

    @property
    def width(self) -> int | None:
        """The columns; None: any number."""

    def show(self, lines: Sequence[str]) -> None:
        """Show the text."""


class Pipe:
    """Prints the text whenever it has changed, and a line between."""

    width: int | None = None

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.shown: list[str] = []

    def show(self, lines: Sequence[str]) -> None:
        """Print the text, if it has changed."""
        if list(lines) != self.shown:
            print(*([""] if self.shown else []), *lines, sep="\n", file=self.stream, flush=True)
            self.shown = list(lines)


class Terminal:
    """Draws the text over the one before. A text that is longer than the terminal is cut until it is the last."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415 - other commands need none of it
        from rich.live import Live  # noqa: PLC0415

        self.stream = stream
        self.live = Live(console=Console(file=stream), auto_refresh=False)

    @property
    def width(self) -> int | None:
        """The columns of the terminal, as wide as it is now."""
        return terminal_width(self.stream)

    def show(self, lines: Sequence[str]) -> None:
        """Draw the text."""
        from rich.text import Text  # noqa: PLC0415

        self.live.update(Text("\n".join(lines), no_wrap=True), refresh=True)


@contextmanager
def open_screen(stream: TextIO) -> Iterator[Screen]:
    """Return what fits the stream. The last text stays."""
    if not stream.isatty():
        yield Pipe(stream)
        return
    terminal = Terminal(stream)
    with terminal.live:
        yield terminal
