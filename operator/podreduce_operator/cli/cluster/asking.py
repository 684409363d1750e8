"""Runs a command's question to a cluster, and turns every error into a message and an exit code."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from podreduce.contract.errors import PodreduceError
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.terminal import complain

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["Question", "ask", "run_quietly"]

Question = Callable[["Connection"], Awaitable[CommandExit]]


def ask(place: Place, question: Question) -> CommandExit:
    """Connect, ask, and return the exit code. Errors are printed."""
    return run_quietly(lambda: asyncio.run(connect_and_ask(place, question)))


def run_quietly(command: Callable[[], CommandExit]) -> CommandExit:
    """Run a command and return its exit code. Errors are printed."""
    try:
        return command()
    except CommandError as error:
        complain(str(error))
        return error.exit_code
    except PodreduceError as error:
        complain(f"the store: {error}")
        return CommandExit.NOT_ANSWERED
    except ModuleNotFoundError as error:
        complain(f"podreduce: {error.name} is missing: pip install 'podreduce[cli]' for the command line")
        return CommandExit.NOT_ANSWERED
    except BrokenPipeError:  # such as `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CommandExit.DONE


async def connect_and_ask(place: Place, question: Question) -> CommandExit:
    """Connect to the cluster and ask."""
    from podreduce_operator.cli.cluster.connection import open_connection  # noqa: PLC0415 - takes half a second

    async with open_connection(place) as connection:
        return await question(connection)
