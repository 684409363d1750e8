"""The Debian packages the harness needs (name -> a file of it); nothing else in the project installs any.

Rule: only what is missing, and said aloud before it happens.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.build import announce
from tests.cluster.commands import run, succeeds
from tests.cluster.processes import ClusterError

PACKAGES = {
    "buildah": "/usr/bin/buildah",
    "conntrack": "/usr/sbin/conntrack",
    "containernetworking-plugins": "/usr/lib/cni/ptp",
    "debootstrap": "/usr/sbin/debootstrap",
    "gcc": "/usr/bin/gcc",
    "iproute2": "/usr/bin/ip",
    "iptables": "/usr/sbin/iptables",
    "libc6-dev": "/usr/include/stdlib.h",
    "libseccomp-dev": "/usr/include/seccomp.h",
    "nftables": "/usr/sbin/nft",
    "openssl": "/usr/bin/openssl",
    "pkg-config": "/usr/bin/pkg-config",
    "util-linux": "/usr/bin/nsenter",
}


def is_debian() -> bool:
    """Tell whether packages can be installed here."""
    return shutil.which("apt-get") is not None


def missing(packages: Mapping[str, str] = PACKAGES) -> list[str]:
    """Name the packages whose file is not there; `ip` and `nsenter` may lie in other folders."""
    return [name for name, file in packages.items() if not Path(file).exists() and not shutil.which(Path(file).name)]


def install_missing(packages: Mapping[str, str] = PACKAGES) -> None:
    """Install what is missing, after saying so."""
    needed = missing(packages)
    if not needed:
        return
    if not is_debian():
        raise ClusterError(
            f"the test cluster needs {', '.join(needed)}: install them, or use PODREDUCE_TEST_KUBECONFIG"
        )
    announce(f"installing Debian packages: {' '.join(needed)}")
    quietly = ["env", "DEBIAN_FRONTEND=noninteractive"]
    install = [*quietly, "apt-get", "install", "--yes", "--no-install-recommends", *needed]
    if not succeeds(install, timeout=600):
        run([*quietly, "apt-get", "update"])
        run(install)
