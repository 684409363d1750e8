"""Builds a target of the Dockerfile into an archive, with whichever builder the machine has.

Rule: docker and podman build as a user would. Where there is neither, buildah builds on the stand-in base image, with
its storage in the cache so that unchanged layers are never made again.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.base_image import BASE_IMAGE, base_archive
from tests.cluster.commands import run, succeeds
from tests.cluster.paths import CHECKOUT, cache_directory

AUTHORITIES = Path("/etc/ssl/certs")


def build_archive(target: str, reference: str, archive: Path) -> None:
    """Build one target and save it under a reference; the archive appears whole or not at all."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    _builder()(target, reference, partial)
    partial.rename(archive)


def _builder() -> Callable[[str, str, Path], None]:
    if succeeds(["docker", "info"]):
        return _build_with_docker
    return _build_with_podman if shutil.which("podman") else _build_with_buildah


def _build_with_docker(target: str, reference: str, archive: Path) -> None:
    run(["docker", "build", f"--target={target}", f"--tag={reference}", CHECKOUT], timeout=1800)
    run(["docker", "save", f"--output={archive}", reference])


def _build_with_podman(target: str, reference: str, archive: Path) -> None:
    run(["podman", "build", f"--target={target}", f"--tag={reference}", CHECKOUT], timeout=1800)
    run(["podman", "save", "--format=docker-archive", f"--output={archive}", reference])


def _build_with_buildah(target: str, reference: str, archive: Path) -> None:
    with _buildah() as buildah:
        if not succeeds([*buildah, "inspect", "--type=image", BASE_IMAGE]):
            run([*buildah, "pull", f"docker-archive:{base_archive()}"])
        options = ["--layers", "--isolation=chroot", "--network=host", "--pull=false", *_trust()]
        names = [f"--build-arg=BASE={BASE_IMAGE}", f"--target={target}", f"--tag={reference}"]
        run([*buildah, "build", *options, *names, CHECKOUT], timeout=1800)
        run([*buildah, "push", reference, f"docker-archive:{archive}:{reference}"])


@contextmanager
def _buildah() -> Iterator[list[str]]:
    """Give the beginning of a buildah command over a storage of our own, to one caller at a time.

    A failed build leaves its containers, mounted; they and the storage's own mount go when the caller is done.
    """
    storage = cache_directory() / "buildah"
    storage.mkdir(parents=True, exist_ok=True)
    buildah = ["buildah", f"--root={storage}", "--runroot=/run/podreduce-buildah", "--storage-driver=overlay"]
    with (storage.parent / "buildah.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield buildah
        finally:
            succeeds([*buildah, "rm", "--all"])
            succeeds(["umount", storage / "overlay"])


def _trust() -> list[str]:
    """Lend the build this machine's certificate authorities, without a trace in the image."""
    configuration = cache_directory() / "pip.conf"
    configuration.write_text(f"[global]\ncert = {AUTHORITIES}/ca-certificates.crt\n")
    return [f"--volume={AUTHORITIES}:{AUTHORITIES}:ro", f"--volume={configuration}:/etc/pip.conf:ro"]
