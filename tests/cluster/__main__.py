"""`python -m tests.cluster COMMAND`: the cluster, MinIO and the images by hand."""

import argparse
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.cluster import control_plane, harness, processes, provider
from tests.cluster.build import PROGRAMS, BuildError, build_all, program
from tests.cluster.images import Images, apps_archive, minio_archive, project_archive
from tests.cluster.minio import MinioServer
from tests.cluster.node import import_image


def up(_: argparse.Namespace) -> int:
    """Bring the cluster up, to stay, and print its KUBECONFIG."""
    if why := harness.why_not():
        return _refuse(why)
    kubeconfig_path = harness.up()
    harness.keep()
    _say(f"export KUBECONFIG={kubeconfig_path}")
    return 0


def down(_: argparse.Namespace) -> int:
    """Take the cluster down; whatever is left is printed and makes the command fail."""
    if why := harness.why_not():
        return _refuse(why)
    harness.down()
    return _refuse("\n".join(held)) if (held := harness.leftovers()) else 0


def status(_: argparse.Namespace) -> int:
    """Print the cluster's processes and nodes, or what is left of it."""
    for process in reversed(processes.recorded()):
        _say(f"{process.name:32}{process.pid:8}  {'runs' if processes.is_alive(process) else 'ended'}")
    if harness.is_up():
        _say(harness.kubectl("get", "nodes", "--output=wide"))
        return 0
    return _refuse("\n".join(["the cluster is down", *harness.leftovers()]))


def kubeconfig(_: argparse.Namespace) -> int:
    """Print the path of the cluster's KUBECONFIG."""
    _say(str(control_plane.admin_kubeconfig()))
    return 0


def build(arguments: argparse.Namespace) -> int:
    """Build the cluster's programs, which takes long the first time, or those that are named."""
    for name in arguments.programs:
        program(name)
    if not arguments.programs:
        build_all()
    return 0


def prepare(_: argparse.Namespace) -> int:
    """Build what the tests on this machine will need, so that no test waits for a compiler."""
    if shutil.which("go") is None:
        _say("Go is not here: tests that need MinIO will not run")
        return 0
    program("minio")
    chosen = provider.choose()
    if isinstance(chosen, provider.NoCluster):
        _say(f"no cluster here: {chosen.why}")
        return 0
    if chosen.name == "harness":
        harness.prepare()
    project_archive(Images())
    minio_archive()
    return 0


def load(arguments: argparse.Namespace) -> int:
    """Load an image archive into the cluster's nodes."""
    for node in harness.NODES:
        import_image(node, arguments.archive)
    return 0


def images(_: argparse.Namespace) -> int:
    """Build the project's images and load them into the cluster where it is up."""
    for archive in (project_archive(Images()), minio_archive()):
        _say(str(archive))
        for node in harness.NODES if harness.is_up() else ():
            import_image(node, archive)
    return 0


def apps_image(_: argparse.Namespace) -> int:
    """Build the image of the applications and load it into the cluster where it is up."""
    archive = apps_archive(Images())
    _say(str(archive))
    for node in harness.NODES if harness.is_up() else ():
        import_image(node, archive)
    return 0


def minio(_: argparse.Namespace) -> int:
    """Run a MinIO on loopback until Ctrl-C."""
    server = MinioServer.create()
    _say(f"endpoint {server.endpoint}\naccess key {server.access_key}\nsecret key {server.secret_key}")
    try:
        signal.pause()
    except KeyboardInterrupt:
        server.close()
    return 0


COMMANDS: tuple[Callable[[argparse.Namespace], int], ...] = (
    up,
    down,
    status,
    kubeconfig,
    build,
    prepare,
    load,
    images,
    apps_image,
    minio,
)


def main() -> int:
    """Carry out one command; return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    subparsers = parser.add_subparsers(required=True)
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.__name__, help=command.__doc__)
        subparser.set_defaults(command=command)
        if command is build:
            subparser.add_argument("programs", nargs="*", metavar="PROGRAM", help=", ".join(PROGRAMS))
        if command is load:
            subparser.add_argument("archive", type=Path)
    arguments = parser.parse_args()
    try:
        code: int = arguments.command(arguments)
    except (processes.ClusterError, BuildError) as failed:
        return _refuse(str(failed))
    return code


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _refuse(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
