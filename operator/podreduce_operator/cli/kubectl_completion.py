"""`kubectl_complete-podreduce`: completes what stands after `kubectl podreduce`. kubectl calls it, not people.

kubectl passes the words after the plugin's name; the last one is to be completed, and may be empty. It reads a proposal
a line, and at the end `:` and a number: what the shell is to do if there are none (kubectl's plugin completion, which
is cobra's). Rule: typer knows the answers; here only the question and the answer change their form.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from io import StringIO

__all__ = ["complete", "main"]

PROGRAM = "podreduce"
FILES, NO_FILES = 0, 4
"""The shell completes names of files, or nothing."""


def main() -> None:
    """Print the proposals for the words of the command line."""
    proposals = complete(sys.argv[1:])
    for each in proposals:
        print(each)  # noqa: T201 - the command's output
    print(f":{NO_FILES if proposals else FILES}")  # noqa: T201


def complete(words: Sequence[str]) -> list[str]:
    """Return the proposals for the last word. Without the command line's packages there are none."""
    *before, incomplete = words or [""]
    given = [PROGRAM, *before, *([incomplete] if incomplete else [])]
    os.environ |= {
        f"_{PROGRAM.upper()}_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(given),
        "COMP_CWORD": str(len(before) + 1),
    }
    printed = StringIO()
    with redirect_stdout(printed), suppress(SystemExit, ModuleNotFoundError):
        from podreduce_operator.cli.commands import app  # noqa: PLC0415 - a task's image has no typer

        app(prog_name=PROGRAM)
    return [line for line in printed.getvalue().split("\n") if line]
