"""The pause image: a static C program on an empty root, which containerd runs to hold each pod's namespaces."""

import tempfile
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.image_archive import write_program_archive
from tests.cluster.paths import HARNESS, cache_directory

PAUSE_IMAGE = "localhost/pause:test"


def pause_archive() -> Path:
    """Return the archive of the pause image, made once per machine."""
    target = cache_directory() / "images" / "pause.tar"
    if not target.exists():
        with tempfile.TemporaryDirectory() as scratch:
            programs = {"/pause": compile_static("pause", Path(scratch))}
            configuration = {"Entrypoint": ["/pause"], "User": "65535:65535"}
            write_program_archive(PAUSE_IMAGE, programs, target, configuration=configuration)
    return target


def compile_static(name: str, directory: Path) -> Path:
    """Compile one of `programs/*.c` into a program that needs no library."""
    made = directory / name
    run(["cc", "-Os", "-static", "-Wall", "-Werror", "-o", made, HARNESS / "programs" / f"{name}.c"])
    return made
