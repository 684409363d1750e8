"""Runs several tasks in one pod, one after another: each in a process forked from one that has done the imports.

A pod costs scheduler, kubelet and interpreter seconds; a fork costs a hundredth of one. Each task has its own process,
so it finds modules in their original state, and its memory ends with it. The next task starts only if the task before
reported that its own commit counts. Anything else ends the pod, and the commits tell the operator which tasks are done.

Rule: the sequencer opens no store, starts no thread and calls no program: its copies could not use them.
"""

import gc
import os
import signal
import sys
import threading
from collections.abc import MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NoReturn

from podreduce.contract.environment import MORE_TASKS, SEQUENCE, TASK, TERMINATION_LOG, TaskEnvironment
from podreduce.contract.exit_codes import ExitCode
from podreduce.contract.task import CommitRecord, TaskType
from podreduce.process.forking import import_batches, import_columns, import_tasks, reseed

__all__ = ["Turn", "take_turn"]

LINGER_SECONDS = 30.0
"""How long a task may take to exit after its commit. If it is alone in its pod, the pod is deleted then."""

BATCH_TASKS = frozenset({"podreduce.task.map_batches", "podreduce.task.reduce_batches"})
SIGTERM_ONLY = frozenset({signal.SIGTERM})


class Word(Enum):
    """How a task reports that the next one may start, and what that one is likely to need."""

    NEXT = b"n"
    NEXT_WITH_COLUMNS = b"c"
    NEXT_WITH_BATCHES = b"b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A task's place in the sequence. `channel` is where it reports; None if it is alone in its pod."""

    channel: int | None = None

    def end(self, environment: TaskEnvironment, commit: CommitRecord | None) -> None:
        """Let the next task start, if `commit` is this attempt's.

        The next task does not start if another attempt was faster, if there is no commit (and nothing to do), or if
        the program turned out to be map-only and only reduce tasks would follow.
        """
        if self.channel is None or commit is None or commit.attempt_id != environment.attempt_id:
            return
        followers = {task.type for task in environment.more_tasks}
        if commit.task.type is TaskType.MAP and commit.part is not None and TaskType.MAP not in followers:
            return
        os.write(self.channel, choose_word().value)
        exit_soon()


def choose_word() -> Word:
    """Return what the next task is likely to need: what this one has imported."""
    if not sys.modules.keys().isdisjoint(BATCH_TASKS):
        return Word.NEXT_WITH_BATCHES
    return Word.NEXT_WITH_COLUMNS if "pyarrow" in sys.modules else Word.NEXT


def exit_soon() -> None:
    """End this process if it does not exit soon: nobody else would notice that the next task does not start."""
    timer = threading.Timer(LINGER_SECONDS, os._exit, args=(ExitCode.OK,))
    timer.daemon = True
    timer.start()


class Sequencer:
    """The process that waits for each task in turn. It is the pod's main process: SIGTERM ends it and the task."""

    def __init__(self) -> None:
        self.running: int | None = None
        self.channel = -1

    def stop(self, *_: object) -> NoReturn:
        """End the task and this process at once; the handler of SIGTERM."""
        if self.running is not None:
            with suppress(ProcessLookupError):
                os.kill(self.running, signal.SIGKILL)
        os._exit(ExitCode.TERMINATED)

    def fork(self) -> Turn | None:
        """Fork a process for a task; return the turn in the task's process, and None in this one."""
        gc.freeze()  # the collector of the copy would touch, and so copy, every object
        self.channel, writing = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGTERM_ONLY)
        pid = os.fork()
        if not pid:
            os.close(self.channel)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)  # still blocked: the task handles it in its own way
            reseed()
            return Turn(channel=writing)
        self.running = pid
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGTERM_ONLY)
        os.close(writing)
        return None

    def wait(self) -> tuple[Word | None, int]:
        """Wait for the task to end; return its report, if any, and its exit code in the shell's convention."""
        ended = None
        while ended != self.running:
            ended, status = os.wait()  # as process 1 of a container it also reaps orphans
        self.running = None
        os.set_blocking(self.channel, False)  # processes that the program started may hold the other end
        said = b""
        with suppress(BlockingIOError):
            said = os.read(self.channel, 1)
        os.close(self.channel)
        code = os.waitstatus_to_exitcode(status)
        return Word(said) if said else None, 128 - code if code < 0 else code


def take_turn(environ: MutableMapping[str, str]) -> Turn:
    """Return the turn of this process's task; `environ` is then that task's.

    In a pod of several tasks the calling process never returns from it: only the processes forked for tasks do.
    """
    more = environ.get(MORE_TASKS, "").split()
    return run_in_turn(environ, [environ.get(TASK, ""), *more]) if more else Turn()


def run_in_turn(environ: MutableMapping[str, str], tasks: Sequence[str]) -> Turn:
    """Fork a process for each task, and exit like the last task that ran."""
    sequencer = Sequencer()
    signal.signal(signal.SIGTERM, sequencer.stop)
    import_tasks()
    code = int(ExitCode.OK)
    for sequence, task in enumerate(tasks):
        turn = sequencer.fork()
        if turn is not None:
            environ.update({TASK: task, SEQUENCE: str(sequence), MORE_TASKS: " ".join(tasks[sequence + 1 :])})
            return turn
        word, code = sequencer.wait()
        if word is None:
            break
        if word is not Word.NEXT:
            import_columns()
        if word is Word.NEXT_WITH_BATCHES:
            import_batches()
        if code:
            clear_outcome(environ)
    os._exit(code)


def clear_outcome(environ: MutableMapping[str, str]) -> None:
    """Clear the termination message of a task that is committed but reported an error afterwards."""
    with suppress(OSError, KeyError):
        Path(environ[TERMINATION_LOG]).write_bytes(b"")
