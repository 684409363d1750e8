"""The node image: made once per machine and set of pins by kind itself, from a root and a server archive of ours.

Rule: kind pulls nothing while it builds, because the archive that it is given holds every image that it would pull.
"""

import hashlib
import shutil
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.build import KUBERNETES_VERSION, TOOLS, announce, pins_digest, program
from tests.cluster.commands import run
from tests.cluster.image_archive import image_of_one_layer, write_archive
from tests.cluster.kind import node_base, node_images
from tests.cluster.kind.places import NODE_IMAGE
from tests.cluster.paths import cache_directory

BASE_IMAGE = "podreduce-tests/kind-base:test"
PINS = (
    "kubernetes",
    "kubeadm",
    "etcd",
    "containerd",
    "runc",
    "crictl",
    "kind",
    "coredns-of-kind",
    "local-path-provisioner",
    "minio",
)
BINARIES = ("kubeadm", "kubectl", "kubelet")


def archive_path() -> Path:
    """Return where the node image's archive is, or will be: named by everything that decides its bytes."""
    digest = hashlib.sha256(repr((node_images.name_in_chart(), node_base.pod_network())).encode())
    for name in PINS:
        digest.update(pins_digest(TOOLS[name]).encode())
    for module in (node_base.__file__, node_images.__file__, __file__):
        digest.update(Path(module).read_bytes())
    return cache_directory() / "images" / f"kind-node-{digest.hexdigest()[:12]}.tar"


def make_archive(docker: Mapping[str, str]) -> Path:
    """Build the node image with the engine that `docker` (environment variables) leads to, and save it."""
    target = archive_path()
    announce("making the node image of kind (once per machine)")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=cache_directory(), prefix="kind-node-") as scratch:
        directory = Path(scratch)
        _write_parts(directory)
        environment = ["env", *(f"{name}={value}" for name, value in docker.items())]
        run([*environment, "docker", "load", "--input", directory / "base.tar"])
        build = ["kind", "build", "node-image", f"--image={NODE_IMAGE}", f"--base-image={BASE_IMAGE}", "--type=file"]
        run([*environment, f"TMPDIR={scratch}", *build, directory / "server.tar.gz"], timeout=1800)
        run([*environment, "docker", "save", f"--output={directory / 'node.tar'}", NODE_IMAGE])
        for older in target.parent.glob("kind-node-*.tar"):
            older.unlink()
        (directory / "node.tar").rename(target)
    announce(f"made the node image in {time.monotonic() - started:.0f} s")
    return target


def _write_parts(directory: Path) -> None:
    root = directory / "root"
    node_base.make_root(root)
    _write_base(root, directory)
    _write_server(root, directory)
    shutil.rmtree(root)


def _write_base(root: Path, directory: Path) -> None:
    layer = directory / "base-layer.tar"
    node_base.pack(root, layer)
    configuration = {
        "Env": ["container=docker", node_images.SEARCH_PATH.replace("=", "=/usr/local/sbin:", 1)],
        "Entrypoint": ["/usr/local/bin/entrypoint", "/sbin/init"],
        "StopSignal": "SIGRTMIN+3",
    }
    write_archive([image_of_one_layer(BASE_IMAGE, layer=layer, configuration=configuration)], directory / "base.tar")
    layer.unlink()


def _write_server(root: Path, directory: Path) -> None:
    """Write what a Kubernetes release calls its server archive, as far as kind reads it."""
    names = node_images.references(node_base.kind_module())
    images = [node_images.make_image(name, root=root, scratch=directory) for name in names]
    place = "kubernetes/server/bin"
    with tarfile.open(directory / "server.tar.gz", "w:gz", compresslevel=0) as server:
        version = directory / "version"
        version.write_text(KUBERNETES_VERSION)
        server.add(version, "kubernetes/version")
        for name in BINARIES:
            server.add(program(name), f"{place}/{name}")
        for name, held in node_images.split(images).items():
            archive = directory / f"{name}.tar"
            write_archive(held, archive, repositories=node_images.repositories(held))
            server.add(archive, f"{place}/{name}.tar")
            archive.unlink()
