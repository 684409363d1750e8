"""Whether a wheel fits this interpreter, by its name. Rule: reads what is installed, and never the wheel."""

import platform
from functools import cache

from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from podreduce.contract.errors import ProgramInvalidError
from podreduce.contract.own_versions import own_versions
from podreduce.contract.program_files import WHEEL_ENDING

__all__ = ["is_own", "refuse_unfit"]


def refuse_unfit(uri: str) -> None:
    """Refuse a wheel that this interpreter cannot import, or that would replace what podreduce itself uses.

    Raises:
        ProgramInvalidError: it is such a wheel. Files that are no wheels are taken.
    """
    if not uri.endswith(WHEEL_ENDING):
        return
    name, version, tags = read_name(uri)
    if not tags & supported_tags():
        raise ProgramInvalidError(
            f"{uri}: the wheel is for {', '.join(sorted(map(str, tags)))}, and this is {describe_interpreter()}: "
            "submit the job again with --python and --arch of its image, or give it an image that the wheel fits"
        )
    used = own_versions().get(name)
    if used is not None and used != version:
        raise ProgramInvalidError(
            f"{uri}: podreduce itself uses {name} {used} of the image: leave {name} out of the requirements, or use "
            f"an image with {name} {version}"
        )


def is_own(uri: str) -> bool:
    """Tell whether a wheel is of a distribution that podreduce itself uses, so that it is there already."""
    return read_name(uri)[0] in own_versions()


def read_name(uri: str) -> tuple[str, str, frozenset[Tag]]:
    """Return what a wheel's name says: distribution, version and tags.

    Raises:
        ProgramInvalidError: it is no name of a wheel.
    """
    try:
        name, version, _, tags = parse_wheel_filename(uri.rpartition("/")[2])
    except InvalidWheelFilename as error:
        raise ProgramInvalidError(
            f"{uri}: this is no name of a wheel ({error}); keep the name that the wheel was built with"
        ) from None
    return canonicalize_name(name), str(version), tags


@cache
def supported_tags() -> frozenset[Tag]:
    """Return what this interpreter can import."""
    return frozenset(sys_tags())


def describe_interpreter() -> str:
    """Return which Python this is: `CPython 3.13 on Linux x86_64 (glibc 2.41)`."""
    version = ".".join(platform.python_version_tuple()[:2])
    library = " ".join(filter(None, platform.libc_ver())) or "no glibc"
    return f"{platform.python_implementation()} {version} on {platform.system()} {platform.machine()} ({library})"
