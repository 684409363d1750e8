"""Starts the process of the fork server, as the first thing that a command does: both import at the same time then.

Rule: imports nothing that is slow.
"""

import os
import socket
import subprocess
import sys

from podreduce.contract.process_variables import FORK_CHANNEL_VARIABLE, FORK_SERVER_VARIABLES, INTERPRETER_VARIABLES

__all__ = ["start_process"]


def start_process() -> "tuple[subprocess.Popen[bytes], socket.socket] | None":
    """Start the process; return it and the engine's end of the socket, or None if this system does not support it."""
    if not hasattr(os, "pidfd_open"):  # only Linux has it
        return None
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with other:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "podreduce.process.fork_server"],
            env={
                **FORK_SERVER_VARIABLES,
                **os.environ,
                **INTERPRETER_VARIABLES,
                "PYTHONUNBUFFERED": "1",
                FORK_CHANNEL_VARIABLE: str(other.fileno()),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(other.fileno(),),
            start_new_session=True,
        )
    own.setblocking(False)  # noqa: FBT003 - as socket has it
    return process, own
