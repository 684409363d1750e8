"""The commands' exit codes, and the error that ends a command with a message."""

from enum import IntEnum

__all__ = ["CommandError", "CommandExit"]


class CommandExit(IntEnum):
    """The exit codes of the commands for a cluster. docs/cli.md has them."""

    DONE = 0
    """The command did what it says; for `wait`, the run is complete."""
    FAILED = 1
    """`wait`: the run failed. Others: there is no such thing, such as an output or a log."""
    INVALID = 2
    """The command line is invalid."""
    SUSPENDED = 3
    """`wait`: the run is suspended."""
    TIMED_OUT = 4
    """`wait`: the time given by `--timeout` is over."""
    NOT_ANSWERED = 5
    """The cluster or the store gave no answer: it is not reached, refuses, or knows no such job."""


class CommandError(Exception):
    """Ends a command. The message names the thing, its place and the remedy.

    Attributes:
        is_passing: whether the same question may get an answer later, because the server is down or overloaded.
    """

    def __init__(
        self, message: str, exit_code: CommandExit = CommandExit.NOT_ANSWERED, *, is_passing: bool = False
    ) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.is_passing = is_passing
