"""The images that a node holds from the start, so that kind and the quick start pull nothing: each a program or two.

Rule: an image's name is what kubeadm, kind or the chart asks for; none is invented here.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.build import KUBERNETES_VERSION, program
from tests.cluster.commands import run
from tests.cluster.image_archive import Image, image_of_one_layer, layer_of_programs
from tests.cluster.paths import CHECKOUT
from tests.cluster.pause import compile_static

SEARCH_PATH = "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What an image holds: programs of ours (place -> name) and of the node's root (place -> its path there)."""

    programs: Mapping[str, str]
    borrowed: Mapping[str, str] | None = None
    entrypoint: tuple[str, ...] = ()
    user: str = ""


PAUSE = Contents(programs={"/pause": "pause"}, entrypoint=("/pause",), user="65535:65535")
SHELL = Contents(
    programs={}, borrowed={"/bin/sh": "usr/bin/dash", "/bin/mkdir": "usr/bin/mkdir", "/bin/rm": "usr/bin/rm"}
)
CONTENTS = {
    **{f"/{name}": Contents(programs={f"/usr/local/bin/{name}": name}) for name in CONTROL_PLANE},
    "/kube-proxy": Contents(
        programs={"/usr/local/bin/kube-proxy": "kube-proxy"}, borrowed={"/usr/sbin/nft": "usr/sbin/nft"}
    ),
    "/etcd": Contents(programs={"/usr/local/bin/etcd": "etcd"}),
    "/coredns": Contents(programs={"/coredns": "coredns-of-kind"}, entrypoint=("/coredns",)),
    "/pause": PAUSE,
    "/kindnetd": PAUSE,  # asked for when the node image is built, but never run: the pod network is a file of the node
    "/local-path-provisioner": Contents(programs={"/usr/local/bin/local-path-provisioner": "local-path-provisioner"}),
    "/local-path-helper": SHELL,
    "/minio": Contents(programs={"/minio": "minio"}, entrypoint=("/minio",), user="65532:65532"),
}
"""By the end of the repository's name."""


def contents_of(reference: str) -> Contents:
    """Return what the image of this name holds."""
    repository = reference.rpartition(":")[0]
    return next(it for ending, it in CONTENTS.items() if f"/{repository}".endswith(ending))


def references(kind_module: Path) -> list[str]:
    """Name the images that kubeadm, kind and the chart's MinIO ask for, by their full names."""
    by_kubeadm = run([program("kubeadm"), "config", "images", "list", f"--kubernetes-version={KUBERNETES_VERSION}"])
    asked_for = [name for name in by_kubeadm.split() if "/pause:" not in name]
    return [*asked_for, *names_in_kind(kind_module), name_in_chart()]


def names_in_kind(kind_module: Path) -> list[str]:
    """Name the images that `kind build node-image` adds to kubeadm's."""
    sources = (kind_module / "pkg/build/nodeimage").glob("const_*.go")
    found = [
        name for file in sorted(sources) for name in re.findall(r'"(docker\.io/kindest/\S+:\S+)"', file.read_text())
    ]
    settings = (kind_module / "images/base/files/etc/containerd/config.toml").read_text()
    return [*found, *re.findall(r'sandbox_image = "(\S+)"', settings)]


def name_in_chart() -> str:
    """Name the chart's image of MinIO as a container runtime does: with its registry."""
    values = (CHECKOUT / "charts/podreduce/values.yaml").read_text(encoding="utf-8")
    (name,) = re.findall(r"^  image: (minio/minio:\S+)$", values, re.MULTILINE)
    return f"docker.io/{name}"


def make_image(reference: str, *, root: Path, scratch: Path) -> Image:
    """Make an image of one layer; what it borrows comes from the node's root, with its libraries."""
    contents = contents_of(reference)
    programs = {place: _ours(name, scratch) for place, name in contents.programs.items()}
    borrowed = contents.borrowed or {}
    layer = scratch / f"{re.sub(r'[^a-z0-9]+', '-', reference.lower())}.tar"
    layer_of_programs(programs | _borrow(root, borrowed), layer)
    configuration = {"Env": [SEARCH_PATH, "HOME=/tmp"], "Entrypoint": list(contents.entrypoint), "User": contents.user}
    return image_of_one_layer(reference, layer=layer, configuration=configuration)


def libraries(printed: str) -> list[str]:
    """Read the paths of libraries from what ldd prints."""
    return re.findall(r"(/\S+) \(0x", printed)


def _ours(name: str, scratch: Path) -> Path:
    return compile_static("pause", scratch) if name == "pause" else program(name)


def _borrow(root: Path, borrowed: Mapping[str, str]) -> dict[str, Path]:
    taken = {place: root / source for place, source in borrowed.items()}
    for source in borrowed.values():
        taken |= {path: _within(root, path) for path in libraries(run(["chroot", root, "ldd", f"/{source}"]))}
    return taken


def _within(root: Path, path: str) -> Path:
    """Follow links as they are seen from inside the root."""
    place = run(["chroot", root, "realpath", path]).strip()
    return root / place.lstrip("/")


def repositories(images: Iterable[Image]) -> dict[str, dict[str, str]]:
    """Return the names as the old format has them: kind reads all names of an archive from these alone."""
    names: dict[str, dict[str, str]] = {}
    for image in images:
        repository, _, tag = image.reference.rpartition(":")
        names.setdefault(repository, {})[tag] = image.configuration["rootfs"]["diff_ids"][-1].removeprefix("sha256:")
    return names


def split(images: Sequence[Image]) -> dict[str, list[Image]]:
    """Return the images of each archive that kind looks for; those that it does not know go with the API server."""
    archives: dict[str, list[Image]] = {name: [] for name in CONTROL_PLANE}
    for image in images:
        name = image.reference.rpartition(":")[0].rpartition("/")[2]
        archives[name if name in archives else CONTROL_PLANE[0]].append(image)
    return archives
