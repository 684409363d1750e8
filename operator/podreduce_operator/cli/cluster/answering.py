"""From a name on the command line to an exit code: whom a command asks, a cluster, this machine, or a place.

Rule: what is slow to import is imported when it is needed, because help and completion need none of it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeVar

import typer

from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.local_runs.names import is_local

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from podreduce_operator.cli.cluster.asking import Question
    from podreduce_operator.cli.cluster.connection import Connection
    from podreduce_operator.cli.cluster.errors import CommandExit
    from podreduce_operator.cli.cluster.kinds import Reference

    Words = TypeVar("Words")
    QuestionAbout: TypeAlias = Callable[[Connection, Reference], Awaitable[CommandExit]]

__all__ = [
    "answer",
    "answer_here",
    "ask_about",
    "find_directory",
    "find_uri",
    "is_place",
    "read",
    "refuse_local",
    "with_step",
]


def is_place(name: str) -> bool:
    """Tell whether a name is a path or a URI, and no resource."""
    return "://" in name or name.startswith((".", "/", "~")) or name.endswith("/")


def with_step(name: str, step: str | None) -> str:
    """Return the name of a step of a local run, `local/web/sum`, if a step is given; otherwise the name.

    Raises:
        CommandError: it is the name of no run.
    """
    from podreduce_operator.cli.cluster.errors import CommandError, CommandExit  # noqa: PLC0415 - as below

    if step is None:
        return name
    if not is_local(name):
        raise CommandError(f"{name}: --step: name a pipeline, mrp/NAME or local/NAME", CommandExit.INVALID)
    return f"{name}/{step}"


def find_uri(name: str) -> str:
    """Return the URI of an output that is named by its place, or by its local run."""
    from podreduce_operator.cli.local_runs.showing import find_output  # noqa: PLC0415 - other commands need none of it
    from podreduce_operator.cli.overrides import resolve_uri  # noqa: PLC0415

    return find_output(name) if is_local(name) else resolve_uri(name)


def find_directory(name: str) -> Path:
    """Return the directory of a run that is named by its place, or by its local run."""
    from podreduce_operator.cli.local_runs.showing import find_records  # noqa: PLC0415 - other commands need none of it

    return find_records(name) if is_local(name) else Path(name).expanduser()


def answer_here(command: "Callable[[], CommandExit]") -> NoReturn:
    """Run a command that asks no cluster, and end with the exit code."""
    from podreduce_operator.cli.cluster.asking import run_quietly  # noqa: PLC0415 - help and completion need none of it

    raise typer.Exit(run_quietly(command))


def refuse_local(name: str, word: str) -> None:
    """Refuse a change that only a cluster can make, if the name is that of a run of this machine."""
    if is_local(name):
        from podreduce_operator.cli.local_runs.running_again import refuse_control  # noqa: PLC0415 - only for these

        answer_here(lambda: refuse_control(name, word))


def ask_about(place: Place, name: str, question: "QuestionAbout") -> NoReturn:
    """Ask the cluster about one resource, and end with the exit code."""
    from podreduce_operator.cli.cluster.kinds import parse_reference  # noqa: PLC0415 - help and completion need none

    reference = read(lambda: parse_reference(name))
    answer(place, lambda connection: question(connection, reference), name)


def read(words: "Callable[[], Words]") -> "Words":
    """Return what words of the command line mean, before a cluster is asked; or end if they mean nothing."""
    from podreduce_operator.cli.cluster.errors import CommandError  # noqa: PLC0415 - help and completion need none
    from podreduce_operator.cli.terminal import complain  # noqa: PLC0415 - as above

    try:
        return words()
    except CommandError as error:
        complain(str(error))
        raise typer.Exit(error.exit_code) from None


def answer(place: Place, question: "Question", name: str = "") -> NoReturn:
    """Ask the cluster, and end with the exit code. If there is no answer, what is on this machine is offered."""
    from podreduce_operator.cli.cluster.asking import ask  # noqa: PLC0415 - help and completion need none of it
    from podreduce_operator.cli.cluster.errors import CommandExit  # noqa: PLC0415 - as above

    exit_code = ask(place, question)
    if exit_code is CommandExit.NOT_ANSWERED:
        from podreduce_operator.cli.local_runs.namesakes import offer_local  # noqa: PLC0415 - only after an error

        offer_local(name)
    raise typer.Exit(exit_code)
