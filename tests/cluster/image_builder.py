"""Builds targets of the Dockerfile into one archive, with whichever builder the machine has.

Rule: docker and podman build as a user would; where there is neither, buildah does.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import buildah
from tests.cluster.commands import run, succeeds
from tests.cluster.paths import CHECKOUT


def build_archive(references: Mapping[str, str], archive: Path) -> None:
    """Build targets (target -> reference) and save them; the archive appears whole or not at all."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    if succeeds(["docker", "info"]):
        _build_with("docker", references, ["save"], archive)
    elif shutil.which("podman"):
        _build_with("podman", references, ["save", "--multi-image-archive"], archive)
    else:
        buildah.build_archive(references, archive)


def _build_with(engine: str, references: Mapping[str, str], save: list[str], archive: Path) -> None:
    partial = archive.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    for target, reference in references.items():
        run([engine, "build", f"--target={target}", f"--tag={reference}", CHECKOUT], timeout=1800)
    run([engine, *save, f"--output={partial}", *references.values()])
    partial.rename(archive)
