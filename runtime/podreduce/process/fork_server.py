"""`python -m podreduce.process.fork_server`: forks a local run's tasks, each with everything imported.

Importing what a task needs takes a third of a second of CPU time, and twice that with pandas; forking a process with
these imports takes some hundredths. For each task the engine sends its environment and three descriptors (output, error
output, lifeline) through the socket. It gets back the process's number, and later how it ended. Rule: one thread, no
event loop, no open store, no user code: a forked copy could not use them.
"""

import gc
import json
import os
import selectors
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from podreduce.contract.environment import TASK
from podreduce.contract.importing import without
from podreduce.contract.process_variables import FORK_CHANNEL_VARIABLE, LIFELINE_VARIABLE
from podreduce.process.forking import import_batches, import_columns, import_tasks, reseed

__all__ = ["import_all", "main"]

MAX_REQUEST_BYTES: Final = 256 * 1024
DESCRIPTORS: Final = 3


def main() -> None:
    """Serve until the engine closes its end."""
    channel = socket.socket(fileno=int(os.environ.pop(FORK_CHANNEL_VARIABLE)))
    channel.set_inheritable(False)
    gc.disable()  # what is imported is not garbage: to look for some takes a tenth of the time
    import_all()
    gc.freeze()  # the collector of a copy would touch, and so copy, every object
    gc.enable()
    serve(channel)


def import_all() -> None:
    """Import what any task needs."""
    with without("rich"):  # structlog would import it, for tracebacks that no task prints
        import structlog  # noqa: F401, PLC0415
    import podreduce.process.entry  # noqa: F401, PLC0415 - every task starts with it

    import_columns()
    import_tasks()
    import_batches()


def serve(channel: socket.socket) -> None:
    """Fork for each request; report each end."""
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not channel:
                    selector.unregister(key.fileobj)
                    report_end(channel, key.data, int(key.fd))
                    continue
                request, descriptors, _, _ = socket.recv_fds(channel, MAX_REQUEST_BYTES, DESCRIPTORS)
                if not request:
                    return
                pid = fork_task(channel, json.loads(request), descriptors)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)


def report_end(channel: socket.socket, pid: int, pidfd: int) -> None:
    """Wait for a process that has ended and report how."""
    os.close(pidfd)
    _, status = os.waitpid(pid, 0)
    with suppress(OSError):  # the engine is gone: the next receive shows it
        channel.send(json.dumps({"ended": pid, "code": os.waitstatus_to_exitcode(status)}).encode())


def fork_task(channel: socket.socket, environ: dict[str, str], descriptors: list[int]) -> int:
    """Fork a task; return and send its process's number, once that leads a group and has its own descriptors."""
    waiting, ready = os.pipe()
    pid = os.fork()
    if not pid:
        os.setsid()
        os.close(waiting)
        become_task(channel, environ, descriptors, ready)
    for descriptor in (ready, *descriptors):
        os.close(descriptor)
    os.read(waiting, 1)  # ends when the child closes its end
    os.close(waiting)
    with suppress(OSError):
        channel.send(json.dumps({"started": pid}).encode())
    return pid


def become_task(channel: socket.socket, environ: dict[str, str], descriptors: list[int], ready: int) -> NoReturn:
    """Be a process like one that was started for the task alone; close `ready` once its descriptors are in place."""
    channel.close()
    output, error, lifeline = descriptors
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (error, 2)):
        os.dup2(source, target)
        os.close(source)
    os.close(ready)
    os.set_inheritable(lifeline, True)  # noqa: FBT003 - whatever the program starts ends with the engine as well
    os.environ.clear()
    os.environ.update({**environ, LIFELINE_VARIABLE: str(lifeline)})
    show_name(environ)
    time.tzset()
    reseed()
    signal.set_wakeup_fd(-1)

    from podreduce.process.entry import start  # noqa: PLC0415 - it is imported already

    start()


def show_name(environ: dict[str, str]) -> None:
    """Let ps and top show which task the process runs; its command line is the server's."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(f"task {environ.get(TASK, '')}", encoding="ascii")


if __name__ == "__main__":
    main()
