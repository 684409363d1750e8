"""What every pod and every local task process runs: one attempt, then an exit code.

In a pod of several tasks each task is a forked process, which continues as if it had been started for it: `sequence`.

Standard output carries only the log: output of the program goes to standard error, even from C code. A failure is
reported twice: as the termination message (a TaskOutcome) and as the exit code.
"""

import gc
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from podreduce.contract.environment import StorageSettings, TaskEnvironment
from podreduce.contract.errors import PodreduceError, StorageDeniedError, StorageUnavailableError
from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.task import CommitRecord, TaskType
from podreduce.process.sequence import Turn, take_turn
from podreduce.process.stopping import exit_on_sigterm
from podreduce.program.own_directories import find_own_directories
from podreduce.watching.logs import configure_logs, get_logger
from podreduce.watching.outcome import outcome_of, write_outcome
from podreduce.watching.printed import Printed, copy_stream

__all__ = ["add_directories", "main", "report", "reserve_stdout", "run_task", "start"]

GC_THRESHOLD = 100_000
"""Records are rarely cyclic; and all objects that exist at the start are frozen."""


UNKEPT = (StorageDeniedError, StorageUnavailableError, MemoryError, KeyboardInterrupt)
"""Errors after which nothing is stored."""


def main(environ: Mapping[str, str], turn: Turn, printed: Printed) -> ExitCode:
    """Run the attempt that `environ` describes and return how it ended. `printed`: what this process writes."""
    logger = get_logger()
    try:
        environment = TaskEnvironment.from_environ(environ)
    except (KeyError, ValueError) as error:
        hint = "podreduce starts this command itself; to run a job: podreduce run job.yaml"
        logger.error("no task", error=f"{type(error).__name__} {error}: {hint}")  # noqa: TRY400 - no traceback needed
        return ExitCode.INTERNAL_ERROR
    logger = get_logger(task=str(environment.task), attempt=environment.attempt_id)
    try:
        commit = run_task(environment, StorageSettings.from_environ(environ), turn, printed)
    except BaseException as error:  # noqa: BLE001 - every failure ends as an outcome and an exit code
        code = report(error, environment)
        keep_failed_log(error, environment, environ, printed)
        return code
    logger.info("nothing to do" if commit is None else "task committed")
    return ExitCode.OK


def run_task(
    environment: TaskEnvironment, settings: StorageSettings, turn: Turn, printed: Printed
) -> CommitRecord | None:
    """Run the attempt and commit it; return the task's commit (possibly another attempt's), or None if not needed.

    The next task of the pod may start once this task has committed, even if something fails afterwards.

    Raises:
        PodreduceError: the attempt has failed.
    """
    # Imported here, so that a task with an invalid environment reports it at once.
    from podreduce.task.attempt import open_attempt  # noqa: PLC0415
    from podreduce.task.map_task import run_map_task  # noqa: PLC0415
    from podreduce.task.reduce_task import run_reduce_task  # noqa: PLC0415

    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 10, 10)
    attempt = open_attempt(environment, settings, printed)
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


def keep_failed_log(
    error: BaseException, environment: TaskEnvironment, environ: Mapping[str, str], printed: Printed
) -> None:
    """Store what a failed attempt has printed, unless it failed by its store or by a lack of memory."""
    if isinstance(error, UNKEPT):
        return
    from podreduce.storage import open_store  # noqa: PLC0415 - as in run_task
    from podreduce.task.kept_log import keep_log  # noqa: PLC0415

    with suppress(PodreduceError, ValueError):
        store = open_store(environment.run_uri, StorageSettings.from_environ(environ))
        keep_log(store, environment, printed, has_failed=True)


def add_directories() -> None:
    """Let the program import from its file's directory and from the current one, after everything else.

    A script there may be called random.py or numpy.py. `-P` keeps it from replacing the modules that podreduce and the
    libraries import.
    """
    sys.path.extend(each for each in find_own_directories() if each not in sys.path)


def reserve_stdout(printed: Printed | None = None) -> None:
    """Reserve standard output for the log, and send everything else that writes there to standard error.

    What is printed and logged from here on is copied to `printed`, if it is given.
    """
    log = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", errors="replace", buffering=1)
    configure_logs(log, printed)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if printed is not None:
        sys.stdout, sys.stderr = copy_stream(sys.stdout, printed), copy_stream(sys.stderr, printed)


def start() -> NoReturn:
    """Run a task as this process, and exit."""
    turn = take_turn(os.environ)
    exit_on_sigterm()
    printed = Printed()
    reserve_stdout(printed)
    add_directories()
    sys.set_int_max_str_digits(0)  # ints of any size are supported, in the output too
    code = main(os.environ, turn, printed)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # threads that the program left must not keep the pod alive
