"""`podreduce rerun local/NAME`: runs what a run of this machine ran, by the same command, in the same directory.

The command takes the place of this process, so that its terminal, its signals and its exit code are those of the run.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import NoReturn

from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.local_runs.history import PIPELINE_RUN, LocalRun
from podreduce_operator.cli.local_runs.names import LOCAL
from podreduce_operator.cli.local_runs.showing import find_phase, find_run
from podreduce_operator.cli.terminal import complain
from podreduce_operator.cli.workspace import read_lock

__all__ = ["find_command", "refuse_control", "run_again"]

MODULE = "podreduce_operator.cli.app"
REPLACE = ("--set", "spec.output.ifExists=Replace")
STANDARD_INPUT = "standard input"


def run_again(name: str, *, run_id: str | None, replace_output: bool) -> NoReturn:
    """Run again what a run ran: its file as it is now, with the words of its command line.

    Raises:
        CommandError: it cannot be run again, or not with these options.
    """
    if run_id is not None:
        raise CommandError(f"{name}: --run-id: each run of this machine has an id of its own", CommandExit.INVALID)
    run = find_run(name)
    command = find_command(run, replace_output=replace_output)
    complain(f"in {run.directory}: {shlex.join(['podreduce', *command])}")
    os.chdir(run.directory)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", MODULE, *command])  # noqa: S606 - podreduce itself


def find_command(run: LocalRun, *, replace_output: bool) -> list[str]:
    """Return the words of the command that runs it again.

    Raises:
        CommandError: it goes on, or what it needs is not known or gone.
    """
    name = f"{LOCAL}/{run.id}"
    if find_phase(run) == "Running":
        raise CommandError(f"{name}: it goes on: podreduce wait {name} waits for its end", CommandExit.INVALID)
    if replace_output and run.kind == PIPELINE_RUN:
        raise CommandError(f"{name}: --replace is for jobs: a step's output.ifExists says it", CommandExit.INVALID)
    if not run.command:
        raise CommandError(
            f"{name}: a program or an older release started it, and not podreduce run: start {run.file} again as you "
            "did then",
            CommandExit.FAILED,
        )
    if run.file == STANDARD_INPUT:
        raise CommandError(f"{name}: its file was standard input, which is not kept: run it again", CommandExit.FAILED)
    if not Path(run.directory).is_dir() or not (Path(run.directory) / run.file).is_file():
        raise CommandError(f"{name}: {run.file} in {run.directory} is not there any more", CommandExit.FAILED)
    return [*run.command, *(REPLACE if replace_output else ())]


def refuse_control(name: str, word: str) -> NoReturn:
    """Refuse to suspend, resume or cancel a run of this machine, and say what ends it.

    Raises:
        CommandError: always.
    """
    run = find_run(name)
    full = f"{LOCAL}/{run.id}"
    refused = f"{full}: only what runs on a cluster can be {word}"
    if find_phase(run) != "Running":
        raise CommandError(
            f"{refused}, and this run has ended: podreduce rerun {full} runs it again", CommandExit.INVALID
        )
    process, _ = read_lock(Path(run.workspace))
    raise CommandError(
        f"{refused}; Ctrl-C in its terminal, or kill -INT {process}, ends it and undoes what it has begun",
        CommandExit.INVALID,
    )
