"""The commands of the quick start: those that are installed, or ours in a directory that goes first on the PATH.

Rule: the commands are the real ones. Ours differ in one thing: `kind create cluster` is told by a file which image and
ranges to take, because the image that kind names itself comes from a registry.
"""

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.build import program
from tests.cluster.commands import succeeds
from tests.cluster.kind.places import DATA, SOCKET, STATE

ENGINE_PROGRAMS = ("dockerd", "docker-proxy", "containerd", "containerd-shim-runc-v2", "ctr", "runc")
USERS_PROGRAMS = ("helm", "kubectl")
DIRECTORY = DATA / "bin"
CONFIGURATION = DATA / "cluster.json"


def are_installed() -> bool:
    """Tell whether the machine has a Docker engine that runs, and kind: then nothing of ours is used."""
    return bool(shutil.which("kind")) and succeeds(["docker", "info"])


def environment(inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables by which the programs find each other and the engine."""
    return {
        "PATH": f"{DIRECTORY}:{inherited['PATH']}",
        "DOCKER_HOST": f"unix://{SOCKET}",
        "DOCKER_CONFIG": str(DATA / "client"),
        "KUBECONFIG": str(STATE / "kubeconfig"),
    }


def install() -> None:
    """Link the programs into their directory, building what is not built yet."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name in (*ENGINE_PROGRAMS, *USERS_PROGRAMS):
        _link(DIRECTORY / name, program(name))
    _link(DIRECTORY / "docker", docker_client())
    plugins = DATA / "client" / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    _link(plugins / "docker-buildx", program("docker-buildx"))
    (DIRECTORY / "kind").write_text(kind_with_configuration(program("kind")))
    (DIRECTORY / "kind").chmod(0o755)


def docker_client() -> Path:
    """Return the Docker client that is installed, which can do without an engine of its own, else ours."""
    installed = shutil.which("docker")
    return Path(installed).resolve() if installed else program("docker")


def kind_with_configuration(kind: Path) -> str:
    """Return a script that is kind, and adds our configuration where a cluster is created."""
    configured = f"--config={shlex.quote(str(CONFIGURATION))}"
    return f"""#!/bin/sh
if [ "$1 $2" = "create cluster" ]; then set -- "$@" {configured}; fi
exec {shlex.quote(str(kind))} "$@"
"""


def _link(place: Path, target: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(target)


def data_root() -> Path:
    """Return where the engine keeps images and containers."""
    return DATA / "docker"
