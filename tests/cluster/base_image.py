"""A stand-in for `python:3.13-slim` where no registry can be reached: Debian's own Python, put together by debootstrap.

Rule: made once per machine; the Dockerfile sees no difference but its `BASE` argument.
"""

import shutil
import tempfile
import time
from pathlib import Path

from tests.cluster.build import announce
from tests.cluster.commands import run
from tests.cluster.image_archive import image_of_one_layer, write_archive
from tests.cluster.paths import cache_directory

BASE_IMAGE = "localhost/podreduce-base:trixie"
SUITE = "trixie"
PACKAGES = ("ca-certificates", "python3", "python3-venv", "tzdata")
NOT_NEEDED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/lib/apt/lists",
    "var/cache/apt",
)


def base_archive() -> Path:
    """Return the archive of the base image, made at first use."""
    target = cache_directory() / "images" / f"base-{SUITE}.tar"
    if not target.exists():
        started = time.monotonic()
        announce(f"making a base image of Debian {SUITE} (once per machine)")
        with tempfile.TemporaryDirectory(prefix="podreduce-base-") as scratch:
            layer = _layer(Path(scratch))
            configuration = {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"], "Cmd": ["python3"]}
            write_archive([image_of_one_layer(BASE_IMAGE, layer=layer, configuration=configuration)], target)
        announce(f"made the base image in {time.monotonic() - started:.0f} s")
    return target


def _layer(scratch: Path) -> Path:
    root = scratch / "root"
    run(["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, root, mirror()], timeout=1800)
    for name in NOT_NEEDED:
        shutil.rmtree(root / name, ignore_errors=True)
    layer = scratch / "layer.tar"
    run(["tar", "--create", "--file", layer, "--directory", root, "--numeric-owner", "--exclude=./dev/*", "."])
    return layer


def mirror() -> str:
    """Return the mirror that this machine takes its own packages from."""
    known = run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
    return known.splitlines()[0]
