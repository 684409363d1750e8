"""The `podreduce` command: its commands, or what to install for them."""

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from podreduce_operator.cluster.local.fork_server import ForkServer

__all__ = ["main"]

GC_THRESHOLD = 100_000
"""What is imported is not cyclic, and stays: the collector would go through it again and again."""


def main() -> None:
    """Be the command."""
    gc.set_threshold(GC_THRESHOLD, 10, 10)
    fork_server = open_fork_server() if sys.argv[1:2] == ["run"] else None
    try:
        run_command(fork_server)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        if fork_server is not None:
            fork_server.close()
        gc.freeze()  # or the interpreter goes through it all once more before it ends, for a fifth of a second


def run_command(fork_server: "ForkServer | None") -> None:
    """Carry out the command line."""
    try:
        from podreduce_operator.cli.commands import app  # noqa: PLC0415 - a task's image has no typer
    except ModuleNotFoundError as error:
        sys.exit(f"podreduce: {error.name} is missing: pip install 'podreduce[cli]' for the command line")
    app(obj=fork_server)


def open_fork_server() -> "ForkServer | None":
    """Have the fork server import what tasks need while this process imports, validates and plans."""
    from podreduce_operator.cluster.local.fork_server import ForkServer  # noqa: PLC0415 - other commands need none of it

    return ForkServer.open()


if __name__ == "__main__":
    main()
