"""What every pod and every local task process runs: one attempt, then an exit code.

A pod of several tasks forks a process for each, which goes on from there as if it had been started for it: `sequence`.

Standard output carries the log and nothing else: what the program prints goes to standard error, from C code as well.
A failure is told twice: as the termination message (a TaskOutcome) and by the exit code.
"""

import gc
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from podreduce.contract.environment import StorageSettings, TaskEnvironment
from podreduce.contract.errors import PodreduceError
from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.task import CommitRecord, TaskType
from podreduce.process.sequence import Turn, take_turn
from podreduce.process.stopping import exit_on_sigterm
from podreduce.watching.logs import configure_logs, get_logger
from podreduce.watching.outcome import outcome_of, write_outcome

__all__ = ["main", "run_task", "start"]

GC_THRESHOLD = 100_000
"""Records are rarely cyclic; what exists at the start is frozen besides."""


def main(environ: Mapping[str, str], turn: Turn) -> ExitCode:
    """Run the attempt that `environ` describes and return how it ended."""
    logger = get_logger()
    try:
        environment = TaskEnvironment.from_environ(environ)
    except (KeyError, ValueError) as error:
        hint = "tasks are started by podreduce; to run a job: podreduce run job.yaml"
        logger.error("no task", error=f"{type(error).__name__} {error}: {hint}")  # noqa: TRY400 - no use of a traceback
        return ExitCode.INTERNAL_ERROR
    logger = get_logger(task=str(environment.task), attempt=environment.attempt_id)
    try:
        commit = run_task(environment, StorageSettings.from_environ(environ), turn)
    except BaseException as error:  # noqa: BLE001 - every way to fail ends as an outcome and an exit code
        return report(error, environment)
    logger.info("nothing to do" if commit is None else "task committed")
    return ExitCode.OK


def run_task(environment: TaskEnvironment, settings: StorageSettings, turn: Turn) -> CommitRecord | None:
    """Run the attempt and commit it; return the task's commit, which may be a twin's, or None if it is not needed.

    The task's turn ends with its commit, whatever may yet go wrong on the way out.

    Raises:
        PodreduceError: it has failed.
    """
    # Imported here: a task that has no sound environment should say so at once.
    from podreduce.task.attempt import open_attempt  # noqa: PLC0415
    from podreduce.task.map_task import run_map_task  # noqa: PLC0415
    from podreduce.task.reduce_task import run_reduce_task  # noqa: PLC0415

    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 10, 10)
    attempt = open_attempt(environment, settings)
    run = run_map_task if environment.task.type is TaskType.MAP else run_reduce_task
    with attempt.working():
        commit = run(attempt)
        turn.end(environment, commit)
    return commit


def report(error: BaseException, environment: TaskEnvironment) -> ExitCode:
    """Write the failed attempt's outcome and return its exit code."""
    outcome = outcome_of(error)
    logger = get_logger(task=str(environment.task), attempt=environment.attempt_id)
    logger.error("task failed", reason=outcome.reason, error=outcome.message, traceback=outcome.traceback)
    write_outcome(outcome, Path(environment.termination_log))
    if isinstance(error, MemoryError):
        return ExitCode.OUT_OF_MEMORY
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.TERMINATED
    return error.exit_code if isinstance(error, PodreduceError) else ExitCode.INTERNAL_ERROR


def add_current_directory() -> None:
    """Let the program import from the current directory, after all else.

    A script there may be called random.py or numpy.py; `-P` keeps it from taking the place of what podreduce and the
    libraries import.
    """
    with suppress(FileNotFoundError):  # it has been removed
        here = os.getcwd()  # noqa: PTH109 - sys.path holds strings
        if here not in sys.path:
            sys.path.append(here)


def claim_stdout() -> None:
    """Keep standard output for the log alone and point everything else that writes there to standard error."""
    log = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="replace", buffering=1)
    configure_logs(log)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def start() -> NoReturn:
    """Be the process."""
    turn = take_turn(os.environ)
    exit_on_sigterm()
    claim_stdout()
    add_current_directory()
    sys.set_int_max_str_digits(0)  # ints of any size are promised, in the output too
    code = main(os.environ, turn)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads the program left behind must not keep the pod alive
