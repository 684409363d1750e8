"""The images the tests need, each an archive in the cache named by the digest of what it is made of.

Rule: unchanged sources are not built again; a change of source makes only the project's own layer anew.
"""

import hashlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.build import TOOLS, announce, pins_digest, program
from tests.cluster.cluster import Cluster
from tests.cluster.image_archive import write_program_archive
from tests.cluster.image_builder import build_archive
from tests.cluster.paths import CHECKOUT, HARNESS, cache_directory
from tests.cluster.pause import compile_static

SOURCES = (
    "Dockerfile",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "requirements",
    "crds",
    "runtime",
    "operator",
    "examples/applications",
)
KEPT_ARCHIVES = 2
MINIO_IMAGE = "localhost/minio:test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """References of the loaded images; pods take them with imagePullPolicy Never or IfNotPresent.

    `apps` is loaded by `load_apps_image` alone: few tests need it, and it is large.
    """

    runtime: str = "localhost/podreduce-runtime:test"
    operator: str = "localhost/podreduce-operator:test"
    apps: str = "localhost/podreduce-apps:test"
    minio: str = MINIO_IMAGE


def load_project_images(cluster: Cluster) -> Images:
    """Build what is not built yet and load all images into the cluster."""
    images = Images()
    for archive in (project_archive(images), minio_archive()):
        _load(archive, cluster)
    return images


def load_apps_image(cluster: Cluster, images: Images) -> None:
    """Build the image of the applications if it is not built yet, and load it into the cluster."""
    _load(apps_archive(images), cluster)


def project_archive(images: Images) -> Path:
    """Return the archive of runtime and operator, built from the checkout's present sources."""
    return _archive("podreduce", {"runtime": images.runtime, "operator": images.operator})


def apps_archive(images: Images) -> Path:
    """Return the archive of the image of the applications, likewise."""
    return _archive("apps", {"apps": images.apps})


def minio_archive() -> Path:
    """Return the archive of a MinIO image, made of the built program alone."""
    crash = hashlib.sha256((HARNESS / "programs" / "crash.c").read_bytes()).hexdigest()[:6]
    archive = cache_directory() / "images" / f"minio-{pins_digest(TOOLS['minio'])}-{crash}.tar"
    if not archive.exists():
        with tempfile.TemporaryDirectory() as scratch:
            programs = {"/minio": program("minio"), "/crash": compile_static("crash", Path(scratch))}
            configuration = {"Entrypoint": ["/minio"], "User": "65532:65532", "Env": ["HOME=/tmp"]}
            write_program_archive(MINIO_IMAGE, programs, archive, configuration=configuration)
    return archive


def sources_digest(checkout: Path) -> str:
    """Digest the files the images are made of, by path and content."""
    digest = hashlib.sha256()
    for path in _source_files(checkout):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(checkout)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]


def _load(archive: Path, cluster: Cluster) -> None:
    started = time.monotonic()
    cluster.load_image(archive)
    announce(f"{archive.name} is in the cluster after {time.monotonic() - started:.1f} s")


def _archive(kind: str, references: Mapping[str, str]) -> Path:
    archive = cache_directory() / "images" / f"{kind}-{sources_digest(CHECKOUT)}.tar"
    if not archive.exists():
        started = time.monotonic()
        build_archive(references, archive)
        _remove_older_archives(archive.parent, kind)
        announce(f"built {', '.join(references)} in {time.monotonic() - started:.1f} s")
    return archive


def _source_files(checkout: Path) -> Iterator[Path]:
    for name in SOURCES:
        top = checkout / name
        files = sorted(top.rglob("*")) if top.is_dir() else [top]
        yield from (path for path in files if path.is_file() and "__pycache__" not in path.parts)


def _remove_older_archives(directory: Path, kind: str) -> None:
    newest_first = sorted(directory.glob(f"{kind}-*.tar"), key=lambda path: -path.stat().st_mtime)
    for archive in newest_first[KEPT_ARCHIVES:]:
        archive.unlink()
