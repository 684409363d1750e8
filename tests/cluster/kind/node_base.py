"""The root of a kind node: Debian with systemd, the container runtime, and the files that kind's own module brings.

Rule: nothing of kind is copied into this project; its files come from the module that `tools/kind` pins. What would
set the whole machine's sysctls is left out. Source: `images/base/Dockerfile` in kind's module.
"""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.cluster.base_image import NOT_NEEDED, mirror
from tests.cluster.build import TOOLS, announce, module_directory, program
from tests.cluster.commands import run
from tests.cluster.kind.places import POD_SUBNET
from tests.cluster.paths import cache_directory

SUITE = "bookworm"
"""Its systemd 252 boots on cgroup v1; that of later releases wants a kernel option there."""

PACKAGES = (
    "ca-certificates",
    "conntrack",
    "containernetworking-plugins",
    "dbus",
    "ethtool",
    "iproute2",
    "iptables",
    "jq",
    "kmod",
    "libseccomp2",
    "nftables",
    "procps",
    "systemd",
)
PROGRAMS = {
    "containerd": "usr/local/bin",
    "containerd-shim-runc-v2": "usr/local/bin",
    "ctr": "usr/local/bin",
    "crictl": "usr/local/bin",
    "runc": "usr/local/sbin",
}
CNI_PROGRAMS = ("host-local", "loopback", "portmap", "ptp")
SERVICES = ("containerd.service", "kubelet.service", "undo-mount-hacks.service")
NOT_STARTED = (
    "lib/systemd/system/multi-user.target.wants/*",
    "etc/systemd/system/*.wants/*",
    "lib/systemd/system/local-fs.target.wants/*",
    "lib/systemd/system/sockets.target.wants/*udev*",
    "lib/systemd/system/sockets.target.wants/*initctl*",
    "lib/systemd/system/basic.target.wants/*",
    "lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
)


@cache
def kind_module() -> Path:
    """Return the directory of kind's own module, fetched where it is not there yet."""
    within = ["-C", str(module_directory(TOOLS["kind"]))]
    run(["go", *within, "mod", "download", "sigs.k8s.io/kind"])
    return Path(run(["go", *within, "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kind"]).strip())


def make_root(root: Path) -> None:
    """Put a node's root together in a new directory."""
    unpack(debian_archive(), root)
    _add_files_of_kind(root)
    _add_programs(root)
    _add_pod_network(root / "etc/cni/net.d")
    _choose_services(root)
    _spare_the_machine(root)


def debian_archive() -> Path:
    """Return the archive of Debian alone, made once per machine and set of packages."""
    digest = hashlib.sha256(repr((SUITE, PACKAGES)).encode()).hexdigest()[:12]
    target = cache_directory() / "images" / f"kind-debian-{digest}.tar"
    if not target.exists():
        announce(f"making a root of Debian {SUITE} for kind's nodes (once per machine)")
        with tempfile.TemporaryDirectory(dir=cache_directory(), prefix="kind-debian-") as scratch:
            root = Path(scratch) / "root"
            packages = f"--include={','.join(PACKAGES)}"
            run(["debootstrap", "--variant=minbase", packages, SUITE, root, mirror()], timeout=1800)
            for name in NOT_NEEDED:
                shutil.rmtree(root / name, ignore_errors=True)
            pack(root, Path(scratch) / "debian.tar")
            target.parent.mkdir(parents=True, exist_ok=True)
            (Path(scratch) / "debian.tar").rename(target)
    return target


def pack(root: Path, archive: Path) -> None:
    """Write a root as one layer, less the devices, which whoever runs it makes."""
    run(["tar", "--create", "--file", archive, "--directory", root, "--numeric-owner", "--exclude=./dev/*", "."])


def unpack(archive: Path, root: Path) -> None:
    """Unpack a layer into a new directory."""
    root.mkdir()
    run(["tar", "--extract", "--file", archive, "--directory", root, "--numeric-owner", "--preserve-permissions"])


def sets_only_network(settings: str) -> bool:
    """Tell whether a sysctl.d file sets only what each network namespace has for itself."""
    keys = re.findall(r"^\s*-?\s*([\w./*-]+)\s*=", settings, re.MULTILINE)
    return all(re.match(r"net[./]", key) for key in keys)


def pod_network() -> dict[str, object]:
    """Return the CNI configuration of the only node: all of the pods' range, masked on the way out."""
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": POD_SUBNET}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    cable = {"type": "ptp", "ipMasq": True, "ipam": addresses}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [cable, ports]}


def with_product_hook(specification: Mapping[str, object]) -> dict[str, object]:
    """Return an OCI specification with kind's hook, and without limits that the machine may not grant."""
    process = specification["process"]
    assert isinstance(process, dict)
    limited = {name: value for name, value in process.items() if name != "rlimits"}
    hook = {"path": "/kind/bin/mount-product-files.sh"}
    return {**specification, "process": limited, "hooks": {"createContainer": [hook]}}


def _add_files_of_kind(root: Path) -> None:
    files = kind_module() / "images" / "base" / "files"
    for source in sorted(path for path in files.rglob("*") if path.is_file()):
        place = source.relative_to(files)
        target = root / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        target.chmod(0o755 if place.parent.name == "bin" else 0o644)


def _add_programs(root: Path) -> None:
    for name, directory in PROGRAMS.items():
        shutil.copy(program(name), root / directory / name)
    (root / "opt/cni/bin").mkdir(parents=True)
    for name in CNI_PROGRAMS:
        shutil.copy(root / "usr/lib/cni" / name, root / "opt/cni/bin" / name)
    specification = json.loads(run([program("ctr"), "oci", "spec"]))
    (root / "etc/containerd/cri-base.json").write_text(json.dumps(with_product_hook(specification)))


def _add_pod_network(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "10-pods.conflist").write_text(json.dumps(pod_network()))


def _choose_services(root: Path) -> None:
    for pattern in NOT_STARTED:
        for unit in root.glob(pattern):
            unit.unlink()
    wanted = root / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir(exist_ok=True)
    for service in SERVICES:
        (wanted / service).symlink_to(f"/etc/systemd/system/{service}")
    (root / "etc/systemd/system/systemd-binfmt.service").symlink_to("/dev/null")  # its registry is the whole kernel's
    (root / "etc/systemd/journald.conf.d").mkdir(exist_ok=True)
    (root / "etc/systemd/journald.conf.d/kind.conf").write_text("[Journal]\nReadKMsg=no\n")
    (root / "usr/sbin/init").symlink_to("/usr/lib/systemd/systemd")
    (root / "etc/kubernetes/manifests").mkdir(parents=True)


def _spare_the_machine(root: Path) -> None:
    for directory in ("etc/sysctl.d", "usr/lib/sysctl.d"):
        for file in (root / directory).glob("*.conf"):
            if not sets_only_network(file.read_text()):
                file.unlink()
