"""`python -m tests.cluster.kind COMMAND`: the Docker engine and the kind cluster by hand."""

import argparse
import subprocess
import sys
from collections.abc import Callable

from tests.cluster.build import BuildError
from tests.cluster.kind import machine, tools
from tests.cluster.processes import ClusterError
from tests.cluster.provider import KIND_CLUSTER

BEGINNING = f"{sys.executable} -m tests.cluster.kind run"


def up(_: argparse.Namespace) -> int:
    """Bring engine and cluster up where they are not there, to stay, and say how to use them."""
    if why := machine.why_not():
        return _refuse(why)
    machine.up()
    machine.create_cluster()
    beginning = "" if tools.are_installed() else f"{BEGINNING} "
    sys.stdout.write(f"{beginning}kubectl --context kind-{KIND_CLUSTER} get pods --all-namespaces\n")
    return 0


def down(_: argparse.Namespace) -> int:
    """Remove the tests' cluster, and the engine where it is ours; whatever is left makes the command fail."""
    machine.down()
    return _refuse("\n".join(held)) if (held := machine.leftovers()) else 0


def run(arguments: argparse.Namespace) -> int:
    """Run a command with docker, kind, kubectl and helm at hand, in the engine's network."""
    if not machine.is_up():
        return _refuse("the Docker engine is down: `make kind-up` first")
    return subprocess.run(machine.command(*arguments.argv), check=False).returncode


COMMANDS: tuple[Callable[[argparse.Namespace], int], ...] = (up, down, run)


def main() -> int:
    """Carry out one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.kind", description=__doc__)
    subparsers = parser.add_subparsers(required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.__name__, help=command.__doc__)
        subparser.set_defaults(command=command)
        if command is run:
            subparser.add_argument("argv", nargs=argparse.REMAINDER, metavar="COMMAND")
    arguments = parser.parse_args()
    try:
        code: int = arguments.command(arguments)
    except (ClusterError, BuildError) as failed:
        return _refuse(str(failed))
    return code


def _refuse(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
