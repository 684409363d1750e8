"""Brings the engine up and takes it down, with everything that the machine lends it.

Rule: what the machine was like is written down before anything starts; `down` gives it back, works on whatever a
broken `up` left, and can be repeated.
"""

import contextlib
import json
import os
import shutil
import time
from pathlib import Path

from tests.cluster import cgroups, packages, processes
from tests.cluster.build import BuildError, announce, build_all
from tests.cluster.commands import run, succeeds
from tests.cluster.kind import base_image, configuration, engine, footprint, node_image, tools
from tests.cluster.kind.places import CGROUP, DATA, LEDGER, NODE_IMAGE, STATE
from tests.cluster.locks import only_caller
from tests.cluster.provider import KIND_CLUSTER

BEFORE = STATE / "before.json"
MODULES = Path("/lib/modules")
LOCK = Path("/run/lock/kind-of-podreduce")


def why_not() -> str | None:
    """Return why this machine can neither use a kind of its own nor make one; None where it can."""
    if tools.are_installed():
        return None
    if os.uname().sysname != "Linux" or os.geteuid() != 0:
        return "a running Docker engine and kind are not here, and to make them takes Linux and root"
    return None if shutil.which("go") else "a running Docker engine and kind are not here, and to build them takes Go"


def is_up() -> bool:
    """Tell whether an engine is there to be used: the machine's own, or ours."""
    return tools.are_installed() or (engine.running() is not None and engine.answers())


def up() -> None:
    """Bring our engine up, unless the machine has its own or ours runs.

    Raises:
        ClusterError: it did not come up; what had started is taken down again.
    """
    with only_caller(LOCK):
        if is_up():
            return
        _down()
        started = time.monotonic()
        try:
            _start()
        except (processes.ClusterError, BuildError):
            processes.keep_logs("the Docker engine", LEDGER)
            _down()
            raise
        announce(f"the Docker engine is up after {time.monotonic() - started:.0f} s")


def create_cluster() -> None:
    """Create the cluster of the end-to-end tests, unless it is there."""
    if KIND_CLUSTER in run(command("kind", "get", "clusters")).split():
        return
    started = time.monotonic()
    run(command("kind", "create", "cluster", f"--name={KIND_CLUSTER}", "--wait=120s"))
    announce(f"the kind cluster {KIND_CLUSTER} is ready after {time.monotonic() - started:.0f} s")


def command(*argv: str) -> list[str]:
    """Return a command as it is run where engine and clusters can be reached."""
    if (ours := engine.running()) is None:
        return list(argv)
    return [*engine.entering(ours), *argv]


def down() -> None:
    """Remove the tests' cluster and, if the engine is ours, that with everything in it."""
    with only_caller(LOCK):
        started = time.monotonic()
        if is_up():
            succeeds(command("kind", "delete", "cluster", f"--name={KIND_CLUSTER}"), timeout=120)
        _down()
        announce(f"the Docker engine is down after {time.monotonic() - started:.0f} s")


def leftovers() -> list[str]:
    """Name everything of an engine of ours that is on the machine; empty after `down`."""
    held = [f"process {it.name} {it.pid}" for it in processes.recorded(LEDGER) if processes.is_alive(it)]
    held += [f"process {pid} in {CGROUP}" for pid in cgroups.processes(CGROUP)]
    held += [f"control group {group}" for group in cgroups.below(CGROUP)]
    return held + [f"directory {path}" for path in (STATE, DATA) if path.exists()]


def _start() -> None:
    packages.install_missing(packages.PACKAGES | engine.PACKAGES)
    build_all()
    STATE.mkdir(parents=True, mode=0o700)
    DATA.mkdir(parents=True, mode=0o711)
    _write_down_before()
    tools.install()
    tools.CONFIGURATION.write_text(json.dumps(configuration.cluster_settings(), indent=1))
    engine.start()
    _load_images()


def _load_images() -> None:
    base = DATA / "base.tar"
    base_image.write_base_archive(base)
    engine.load(base)
    base.unlink()
    if node_image.archive_path().exists():
        engine.load(node_image.archive_path())
    elif not engine.has_image(NODE_IMAGE):
        node_image.make_archive(tools.environment())


def _write_down_before() -> None:
    before = {"sysctls": footprint.read_sysctls(), "has_modules": MODULES.exists()}
    BEFORE.write_text(json.dumps(before))


def _down() -> None:
    engine.stop()
    cgroups.kill(CGROUP)
    cgroups.remove(CGROUP)
    _give_back()
    for directory in (STATE, DATA):
        shutil.rmtree(directory, ignore_errors=True)


def _give_back() -> None:
    if not BEFORE.exists():
        return
    before = json.loads(BEFORE.read_text())
    if changed := footprint.restore_sysctls(before["sysctls"]):
        announce(f"gave back the sysctls {', '.join(changed)}")
    if not before["has_modules"]:
        with contextlib.suppress(OSError):  # somebody else may have put modules there
            MODULES.rmdir()
