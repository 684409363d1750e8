"""Resolves a program's requirements into wheels for the image's Python, once, on the machine that submits.

Rule: pip of this interpreter does it, with its own configuration. Only wheels are taken: a pod has no compiler, and
this machine may be another one. What tasks themselves need stays the image's, so it is resolved to that and left out.
"""

import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

from podreduce.contract.own_versions import own_versions

__all__ = ["Image", "RequirementsError", "download_wheels", "own_image"]

IMAGE_PYTHON = "3.13"
"""The Python of the runtime image. A test holds it equal to the Dockerfile's."""
GLIBC_MINORS = range(5, 37)
"""Debian 12 has glibc 2.36; the runtime image's base has a later one."""
OLD_NAMES = ("manylinux1", "manylinux2010", "manylinux2014", "linux")
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
SHOWN_LINES = 12
CONFLICT = "The conflict is caused by:"
OWN_NAME = re.compile(r"podreduce\s*(?:[\[<>=!~;@#]|$)", re.IGNORECASE)


class RequirementsError(ValueError):
    """The requirements cannot be resolved. The message says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What the wheels must fit: the image's CPython, such as `3.13`, and its processor, such as `x86_64`."""

    python: str
    architecture: str

    @property
    def platforms(self) -> Iterator[str]:
        """The platform tags of wheels that the image can import."""
        yield from (f"manylinux_2_{minor}_{self.architecture}" for minor in reversed(GLIBC_MINORS))
        yield from (f"{name}_{self.architecture}" for name in OLD_NAMES)


def own_image(python: str | None = None, architecture: str | None = None) -> Image:
    """Return the runtime image for this machine's processor, or for what is given.

    Raises:
        RequirementsError: the Python is no version.
    """
    if python is not None and not re.fullmatch(r"3\.\d+", python):
        raise RequirementsError(f"--python {python}: give the image's version of CPython, such as {IMAGE_PYTHON}")
    machine = architecture or platform.machine().lower()
    return Image(python=python or IMAGE_PYTHON, architecture=ARCHITECTURES.get(machine, machine))


def download_wheels(requirements: Path, image: Image, directory: Path) -> tuple[Path, ...]:
    """Download the wheels of a requirements file and of all that they need, and return them, sorted by name.

    Raises:
        RequirementsError: pip is not there, or cannot find wheels for all of them.
    """
    refuse_own(requirements)
    constraints = directory / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in sorted(own_versions().items())))
    finished = subprocess.run(  # noqa: S603 - pip of this interpreter
        build_command(requirements, image, constraints, directory), capture_output=True, text=True, check=False
    )
    if finished.returncode:
        raise RequirementsError(describe_failure(requirements, image, finished.stdout, finished.stderr))
    wheels = sorted(directory.glob("*.whl"))
    return tuple(each for each in wheels if canonicalize_name(parse_wheel_filename(each.name)[0]) not in own_versions())


def build_command(requirements: Path, image: Image, constraints: Path, directory: Path) -> list[str]:
    """Return the command that downloads the wheels."""
    tag = f"cp{image.python.replace('.', '')}"
    fit = ["--implementation", "cp", "--python-version", image.python]
    fit += [part for abi in (tag, "abi3", "none") for part in ("--abi", abi)]
    fit += [part for each in image.platforms for part in ("--platform", each)]
    files = ["--requirement", str(requirements), "--constraint", str(constraints), "--dest", str(directory)]
    quiet = ["--progress-bar", "off", "--no-color", "--disable-pip-version-check", "--no-input"]
    return [sys.executable, "-m", "pip", "download", *quiet, "--only-binary=:all:", *fit, *files]


def refuse_own(requirements: Path) -> None:
    """Refuse requirements that cannot be read, or that name podreduce, which each image has.

    Raises:
        RequirementsError: they are such.
    """
    try:
        lines = requirements.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise RequirementsError(f"{requirements}: cannot be read: {reason}") from error
    for number, line in enumerate(lines, 1):
        if OWN_NAME.match(line.strip()):
            raise RequirementsError(f"{requirements}:{number}: leave podreduce out: every image has its own")


def describe_failure(requirements: Path, image: Image, output: str, errors: str) -> str:
    """Return why pip has failed, and what to do. What conflicts with what is in its output, after what it does."""
    if "No module named pip" in errors:
        return f"{requirements}: {sys.executable} has no pip, which finds the wheels: python -m ensurepip"
    conflict = output[output.find(CONFLICT) :] if CONFLICT in output else ""
    lines = [line for line in f"{conflict}\n{errors}".splitlines() if line.strip()]
    said = "\n".join(f"    {line}" for line in lines[-SHOWN_LINES:])
    return (
        f"{requirements}: there are no wheels that fit together for CPython {image.python} on Linux "
        f"{image.architecture}, and what podreduce itself uses; pip says:\n{said}\n"
        "correct the requirements, build a missing wheel with pip wheel and name its directory by --find-links in "
        "that file, or put the package into an image"
    )
