"""Ends a task's process within moments of SIGTERM, and leaves alone what the program starts."""

import os
import signal
import threading
from typing import NoReturn

from podreduce.contract.exit_codes import ExitCode

__all__ = ["exit_on_sigterm"]


def exit_on_sigterm() -> None:
    """End the process within moments of SIGTERM, whatever it is doing. Call it once, in the main thread.

    A handler in Python would run only once the main thread is back from obstore or another C call; so the system's own
    part of it writes into a pipe, and a thread waits at the other end (a call that keeps the interpreter locked delays
    this, too). The signal is not blocked, as it would be in all that the program starts, which nobody could end then.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, end)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    os.register_at_fork(after_in_child=let_go)
    threading.Thread(target=wait, args=(reading,), name="sigterm", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # it may be held back until here


def end(*_: object) -> NoReturn:
    """End this process; also the handler of SIGTERM."""
    os._exit(ExitCode.TERMINATED)


def let_go() -> None:
    """Let SIGTERM end a process that the program has forked, and that one alone: the pipe is the task's."""
    signal.set_wakeup_fd(-1)
    if signal.getsignal(signal.SIGTERM) is end:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def wait(reading: int) -> None:
    """Read the numbers of the signals that come, until one is SIGTERM."""
    while signal.SIGTERM not in os.read(reading, 64):
        pass
    end()
