"""What `podreduce replay` runs: a task as its pod runs it, on a copy of the run's records, in a process of its own.

Rule: everything that it writes goes to the copy. A reduce reads the maps' blobs where the run left them.
"""

import gc
import os
import sys
from typing import NoReturn

from podreduce.contract.environment import StorageSettings, TaskEnvironment
from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.process_variables import BLOBS_VARIABLE, DEBUG_VARIABLE
from podreduce.contract.task import CommitRecord, TaskType
from podreduce.process.entry import add_directories, report, reserve_stdout
from podreduce.storage import open_store
from podreduce.task.attempt import open_attempt
from podreduce.task.map_task import run_map_task
from podreduce.task.reduce_task import replay_reduce_task

__all__ = ["replay_task", "start"]


def replay_task(environment: TaskEnvironment, settings: StorageSettings, blobs_uri: str) -> CommitRecord:
    """Run the task and return what it would have committed.

    Raises:
        PodreduceError: it has failed.
    """
    gc.freeze()  # as in a task
    attempt = open_attempt(environment, settings)
    with attempt.working():
        if environment.task.type is TaskType.MAP:
            return run_map_task(attempt)
        return replay_reduce_task(attempt, open_store(blobs_uri, settings))


def run(environment: TaskEnvironment, settings: StorageSettings) -> ExitCode:
    """Run the task, and open the debugger if it fails and a person has asked for that."""
    try:
        replay_task(environment, settings, os.environ[BLOBS_VARIABLE])
    except BaseException as error:  # noqa: BLE001 - as in a task
        code = report(error, environment)
        if DEBUG_VARIABLE in os.environ:
            from podreduce.process.debugging import debug  # noqa: PLC0415 - rarely needed

            debug(error)
        return code
    return ExitCode.OK


def start() -> NoReturn:
    """Run a replay as this process, and exit."""
    reserve_stdout()
    add_directories()
    sys.set_int_max_str_digits(0)
    code = run(TaskEnvironment.from_environ(os.environ), StorageSettings.from_environ(os.environ))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # as in a task


if __name__ == "__main__":
    start()
