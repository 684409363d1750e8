"""Ends a task's process within moments of SIGTERM, without changing signals for processes that the program starts."""

import os
import signal
import threading
from typing import NoReturn

from podreduce.contract.exit_codes import ExitCode

__all__ = ["exit_on_sigterm"]


def exit_on_sigterm() -> None:
    """End the process within moments of SIGTERM, whatever it is doing. Call it once, in the main thread.

    A Python handler would run only when the main thread returns from obstore or another C call. Therefore the signal
    writes into a pipe (`set_wakeup_fd`), and a thread reads the other end. A call that holds the interpreter's lock
    delays this, too. The signal is not blocked: all child processes would inherit that, and nobody could end them.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGTERM, end)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    os.register_at_fork(after_in_child=restore_sigterm)
    threading.Thread(target=wait, args=(reading,), name="sigterm", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # it may be blocked until here


def end(*_: object) -> NoReturn:
    """End this process; also the handler of SIGTERM."""
    os._exit(ExitCode.TERMINATED)


def restore_sigterm() -> None:
    """Let SIGTERM end only this process, which the program has forked: the pipe belongs to the task."""
    signal.set_wakeup_fd(-1)
    if signal.getsignal(signal.SIGTERM) is end:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def wait(reading: int) -> None:
    """Read the numbers of arriving signals until one is SIGTERM."""
    while signal.SIGTERM not in os.read(reading, 64):
        pass
    end()
