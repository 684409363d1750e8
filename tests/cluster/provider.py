"""Chooses the cluster for the tests: the one named on purpose, else kind, else the harness, else none with a reason.

Rule: a plain KUBECONFIG is never touched, because the tests kill things.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.cluster import harness
from tests.cluster.cluster import Cluster
from tests.cluster.commands import run, succeeds
from tests.cluster.node import import_image
from tests.cluster.paths import STATE
from tests.cluster.processes import ClusterError

NAMED = "PODREDUCE_TEST_KUBECONFIG"
NAMED_LOAD = "PODREDUCE_TEST_LOAD_IMAGE"
KIND_CLUSTER = "podreduce-tests"
"""The cluster of kind that the tests use; another is never touched."""

USERS = Path("/run/lock/podreduce-cluster-users")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCluster:
    """There is no cluster here, and why."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A way to a cluster that looks as if it would work."""

    name: str
    start: Callable[[], Cluster]


def choose() -> Provider | NoCluster:
    """Choose the first way that this machine offers."""
    if os.uname().sysname != "Linux" or shutil.which("go") is None:
        return NoCluster(why="the tests put a MinIO of their own into the cluster, which takes Linux and Go to build")
    if os.environ.get(NAMED):
        return Provider(name="named", start=_named)
    if shutil.which("kind") and succeeds(["docker", "info"]):
        return Provider(name="kind", start=_kind)
    if why := harness.why_not():
        return NoCluster(why=f"{NAMED} is not set, kind with a running Docker is not here, and {why}")
    return Provider(name="harness", start=_harness)


def _named() -> Cluster:
    return Cluster(provider="named", kubeconfig=Path(os.environ[NAMED]), load=_load_into_named, release=_keep)


def _load_into_named(archive: Path) -> None:
    command = os.environ.get(NAMED_LOAD)
    if not command:
        raise ClusterError(
            f"{NAMED} names a cluster; {NAMED_LOAD} must name the command that loads an image archive "
            f"into its nodes, for example `minikube image load` or `k3s ctr images import`"
        )
    run([*command.split(), archive])


def _kind() -> Cluster:
    kubeconfig = Path(tempfile.gettempdir()) / f"{KIND_CLUSTER}.kubeconfig"
    is_ours = KIND_CLUSTER not in run(["kind", "get", "clusters"]).split()
    verb = ["create", "cluster", "--wait=120s"] if is_ours else ["export", "kubeconfig"]
    run(["kind", *verb, f"--name={KIND_CLUSTER}", f"--kubeconfig={kubeconfig}"])
    return Cluster(
        provider="kind",
        kubeconfig=kubeconfig,
        load=lambda archive: _discard(run(["kind", "load", "image-archive", archive, f"--name={KIND_CLUSTER}"])),
        release=(lambda: _delete_kind(kubeconfig)) if is_ours else _keep,
    )


def _delete_kind(kubeconfig: Path) -> None:
    run(["kind", "delete", "cluster", f"--name={KIND_CLUSTER}", f"--kubeconfig={kubeconfig}"])
    kubeconfig.unlink(missing_ok=True)


def _harness() -> Cluster:
    # Each session that uses the cluster holds the lock shared; the last one, which can have it alone, takes it down.
    users = USERS.open("w")
    fcntl.flock(users, fcntl.LOCK_SH)
    return Cluster(
        provider="harness",
        kubeconfig=harness.up(),
        load=_load_into_harness,
        release=lambda: _leave_harness(users),
        services_are_reachable=True,
    )


def _leave_harness(users: IO[str]) -> None:
    with users, suppress(BlockingIOError):
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not harness.is_kept():
            harness.down()


def _load_into_harness(archive: Path) -> None:
    for node in harness.NODES:
        loaded = STATE / node.name / "loaded" / archive.name
        if not loaded.exists():
            import_image(node, archive)
            loaded.parent.mkdir(exist_ok=True)
            loaded.touch()


def _keep() -> None:
    """Leave a cluster that was there before as it is."""


def _discard(_: str) -> None:
    """Drop a command's output."""
