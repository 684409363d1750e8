"""Transcripts: what a person types, and all that is printed then, as files that people read.

A line `$ podreduce status web` is a command. Below it stand its result, then each line of standard error after `! `,
and `[1]` if that is its exit code. Blank lines before a command belong to nothing.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence

__all__ = ["play", "read_commands"]

PROMPT = "$ podreduce "

TypeIn = Callable[[Sequence[str]], tuple[int, str, str]]
"""Runs a command and returns its exit code, its result, and what is on standard error."""


def read_commands(transcript: str) -> list[str]:
    """Return the commands of a transcript."""
    return [line.removeprefix(PROMPT) for line in transcript.splitlines() if line.startswith(PROMPT)]


def play(transcript: str, type_in: TypeIn) -> str:
    """Type the commands of a transcript, and return the transcript of what is printed now."""
    return "\n".join(block for command in read_commands(transcript) for block in describe(command, type_in))


def describe(command: str, type_in: TypeIn) -> Iterator[str]:
    """Yield the lines about one command."""
    exit_code, result, told = type_in(shlex.split(command))
    yield f"{PROMPT}{command}"
    yield from result.splitlines()
    yield from (f"! {line}".rstrip() for line in told.splitlines())
    if exit_code:
        yield f"[{exit_code}]"
    yield ""
