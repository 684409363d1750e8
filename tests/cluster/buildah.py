"""Builds the project's images with buildah, where there is neither docker nor podman.

Rule: the Dockerfile is built whole once for its text and the locks. A change of source then builds only its `project`
stage and puts that in place of the images' last layer, which is what their last COPY does: seconds, not a minute.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.base_image import BASE_IMAGE, base_archive
from tests.cluster.commands import run, succeeds
from tests.cluster.image_archive import (
    Image,
    layer_of_directory,
    read_unpacked,
    unpack_archive,
    with_last_layer,
    write_archive,
)
from tests.cluster.locks import only_caller
from tests.cluster.paths import CHECKOUT, cache_directory

AUTHORITIES = Path("/etc/ssl/certs")
PROJECT_STAGE = "project"
PROJECT_IMAGE = "localhost/podreduce-project:test"
PROJECT_PLACE = "/opt/podreduce/project"


class Buildah:
    """buildah over a storage of our own, held by one caller at a time. Made by `opened()`."""

    def __init__(self, storage: Path) -> None:
        self.argv = ["buildah", f"--root={storage}", "--runroot=/run/podreduce-buildah", "--storage-driver=overlay"]

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator["Buildah"]:
        """Lock the storage; at the end remove what a failed build left, its containers and their mounts."""
        storage = cache_directory() / "buildah"
        storage.mkdir(parents=True, exist_ok=True)
        buildah = cls(storage)
        with only_caller(storage.parent / "buildah.lock"):
            try:
                yield buildah
            finally:
                succeeds([*buildah.argv, "rm", "--all"])
                succeeds(["umount", storage / "overlay"])

    def build(self, target: str, reference: str) -> None:
        """Build one target of the Dockerfile into the storage."""
        if not succeeds([*self.argv, "inspect", "--type=image", BASE_IMAGE]):
            run([*self.argv, "pull", f"docker-archive:{base_archive()}"])
        options = ["--layers", "--isolation=chroot", "--network=host", "--pull=false", *_trust()]
        names = [f"--build-arg=BASE={BASE_IMAGE}", f"--target={target}", f"--tag={reference}"]
        run([*self.argv, "build", *options, *names, CHECKOUT], timeout=1800)

    def save(self, reference: str, archive: Path) -> None:
        """Save an image of the storage."""
        run([*self.argv, "push", reference, f"docker-archive:{archive}:{reference}"])

    def copy_directory_out(self, reference: str, directory: str, layer: Path) -> None:
        """Write a directory of an image as a layer that holds it at `PROJECT_PLACE`."""
        container = run([*self.argv, "from", "--pull-never", reference]).strip()
        root = Path(run([*self.argv, "mount", container]).strip())
        layer_of_directory(root / directory.lstrip("/"), PROJECT_PLACE, layer)


def build_archive(references: Mapping[str, str], archive: Path) -> None:
    """Build targets (target -> reference) and save them together."""
    with Buildah.opened() as buildah:
        whole = _built_whole(buildah, references)
        with tempfile.TemporaryDirectory(dir=cache_directory()) as scratch:
            layer = Path(scratch) / "project.tar"
            buildah.build(PROJECT_STAGE, PROJECT_IMAGE)
            buildah.copy_directory_out(PROJECT_IMAGE, "/project", layer)
            write_archive([with_last_layer(image, layer) for image in whole], archive)


def _built_whole(buildah: Buildah, references: Mapping[str, str]) -> list[Image]:
    """Return the images with whichever source they were last built whole."""
    directory = cache_directory() / "images" / f"whole-{_recipe_digest()}"
    _remove_others(directory)
    directory.mkdir(parents=True, exist_ok=True)
    for target, reference in references.items():
        if not (directory / target).exists():
            _build_whole(buildah, target, reference, directory / target)
    return [read_unpacked(directory / target) for target in references]


def _build_whole(buildah: Buildah, target: str, reference: str, place: Path) -> None:
    """Build a target, and put its image into a directory, which appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=cache_directory()) as scratch:
        buildah.build(target, reference)
        saved = Path(scratch) / f"{target}.tar"
        buildah.save(reference, saved)
        unpack_archive(saved, Path(scratch) / target)
        shutil.move(Path(scratch) / target, place)


def _recipe_digest() -> str:
    """Digest what decides all layers but the project's."""
    files = (CHECKOUT / "Dockerfile", *sorted((CHECKOUT / "requirements").iterdir()))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _remove_others(directory: Path) -> None:
    for other in directory.parent.glob("whole-*"):
        if other != directory:
            shutil.rmtree(other)


def _trust() -> list[str]:
    """Lend the build this machine's certificate authorities, without a trace in the image."""
    configuration = cache_directory() / "pip.conf"
    configuration.write_text(f"[global]\ncert = {AUTHORITIES}/ca-certificates.crt\n")
    return [f"--volume={AUTHORITIES}:{AUTHORITIES}:ro", f"--volume={configuration}:/etc/pip.conf:ro"]
