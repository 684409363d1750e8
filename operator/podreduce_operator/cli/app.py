"""The `podreduce` command. If the command line's packages are missing, it says what to install."""

import gc
import sys
from typing import TYPE_CHECKING

from podreduce.contract.importing import without

if TYPE_CHECKING:
    from podreduce_operator.cluster.local.fork_server import ForkServer

__all__ = ["main"]

GC_THRESHOLD = 300_000
"""Imported objects, some 100,000, are not garbage. With a low threshold the collector would check them again and again:
once, just before the first task, takes a thirtieth of a second."""


def main() -> None:
    """Run the command, with a fork server if it runs jobs."""
    gc.set_threshold(GC_THRESHOLD, 10, 10)
    fork_server = open_fork_server() if runs_jobs(sys.argv[1:]) else None
    try:
        run_command(fork_server)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        if fork_server is not None:
            fork_server.close()
        gc.freeze()  # otherwise a last collection delays the exit by a fifth of a second


def runs_jobs(arguments: list[str]) -> bool:
    """Tell whether the command runs jobs on this machine."""
    return arguments[:1] in (["run"], ["test"]) or arguments[:2] == ["app", "run"]


def run_command(fork_server: "ForkServer | None") -> None:
    """Parse the command line and run its command."""
    try:
        from podreduce_operator.cli.commands import app  # noqa: PLC0415 - a task's image has no typer
    except ModuleNotFoundError as error:
        sys.exit(f"podreduce: {error.name} is missing: pip install 'podreduce[cli]' for the command line")
    app(obj=fork_server, prog_name=find_program_name(sys.argv[0]))


def find_program_name(path: str) -> str:
    """Return what a person has typed: as a plugin, the command is called by kubectl."""
    return "kubectl podreduce" if "kubectl-podreduce" in path else "podreduce"


def open_fork_server() -> "ForkServer | None":
    """Start the fork server, which imports what tasks need while this process imports, validates and plans."""
    from podreduce_operator.cluster.local.fork_server_process import start_process  # noqa: PLC0415 - only these need it

    started = start_process()
    with without("rich"):  # structlog would import it, for tracebacks that no command prints
        import structlog  # noqa: F401, PLC0415 - the engine needs it

        from podreduce_operator.cluster.local.fork_server import ForkServer  # noqa: PLC0415 - asyncio, slow to import

    return None if started is None else ForkServer(*started)


if __name__ == "__main__":
    main()
