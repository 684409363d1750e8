"""A Docker engine in namespaces of its own, with a way out to the package registries.

Rule: the process that is recorded holds the engine's process namespace; with its end the kernel ends the engine, all
containers and all mounts. Nothing is ended by name.
"""

import json
from pathlib import Path

from tests.cluster import processes
from tests.cluster.build import program
from tests.cluster.commands import run, succeeds
from tests.cluster.kind import tools
from tests.cluster.kind.configuration import engine_settings
from tests.cluster.kind.places import DATA, LEDGER, SOCKET

PACKAGES = {"slirp4netns": "/usr/bin/slirp4netns"}
"""What the engine needs beyond the harness's Debian packages."""

ENGINE = "dockerd"
UPLINK = "slirp4netns"
UPLINK_MTU = 1500

# The sysctls outside /proc/sys/net are the whole machine's; the engine may read them only.
INSIDE = """
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount --bind /proc/sys /proc/sys
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,ro /proc/sys
ip link set lo up
exec "$@"
"""


def start() -> None:
    """Start the engine and return once it answers."""
    configuration = DATA / "daemon.json"
    configuration.write_text(json.dumps(engine_settings(), indent=1))
    alone = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    daemon = [program("dockerd"), f"--config-file={configuration}", f"--userland-proxy-path={program('docker-proxy')}"]
    engine = processes.start(
        ENGINE, [*alone, "sh", "-euc", INSIDE, "sh", *daemon], environment=tools.environment(), ledger=LEDGER
    )
    processes.await_ready("the engine's network", lambda: _has_network_of_its_own(engine), of=engine, ledger=LEDGER)
    way_out = ["--configure", f"--mtu={UPLINK_MTU}", "--disable-host-loopback", str(inside(engine)), "tap0"]
    processes.start(UPLINK, ["slirp4netns", *way_out], ledger=LEDGER)
    processes.await_ready("the Docker engine", answers, of=engine, ledger=LEDGER)


def answers() -> bool:
    """Tell whether the engine answers."""
    return SOCKET.exists() and succeeds([*_docker(), "info"])


def running() -> processes.Process | None:
    """Return the engine's recorded process while it runs."""
    found = (it for it in processes.recorded(LEDGER) if it.name == ENGINE and processes.is_alive(it))
    return next(found, None)


def inside(engine: processes.Process) -> int:
    """Return the id, as the machine sees it, of the first process in the engine's namespaces."""
    children = Path(f"/proc/{engine.pid}/task/{engine.pid}/children").read_text().split()
    if len(children) != 1:
        raise processes.ClusterError(f"the Docker engine has ended; its log is in {LEDGER.logs}")
    return int(children[0])


def entering(engine: processes.Process) -> list[str]:
    """Return the beginning of a command that runs in the engine's network, where published ports are."""
    variables = [f"{name}={value}" for name, value in tools.environment().items()]
    return ["nsenter", f"--net=/proc/{inside(engine)}/ns/net", "env", *variables]


def stop() -> None:
    """Remove the containers, then end the engine and its way out."""
    if running() is not None and answers():
        containers = run([*_docker(), "ps", "--all", "--quiet"]).split()
        succeeds([*_docker(), "rm", "--force", "--volumes", *containers], timeout=120)
    for process in processes.recorded(LEDGER):
        processes.stop(process, grace_seconds=0 if process.name == ENGINE else 3, ledger=LEDGER)


def load(archive: Path) -> None:
    """Load an image archive into the engine."""
    run([*_docker(), "load", "--input", archive])


def has_image(reference: str) -> bool:
    """Tell whether the engine holds an image of this name."""
    return succeeds([*_docker(), "image", "inspect", reference])


def _docker() -> list[str | Path]:
    """Return the beginning of a command to the engine, which needs its socket alone."""
    return ["env", f"DOCKER_HOST=unix://{SOCKET}", tools.docker_client()]


def _has_network_of_its_own(engine: processes.Process) -> bool:
    try:
        return Path(f"/proc/{inside(engine)}/ns/net").stat().st_ino != Path("/proc/self/ns/net").stat().st_ino
    except (OSError, processes.ClusterError):
        return False
