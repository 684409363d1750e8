"""Gets the archive and the wheels of a program: fetched once into a directory, verified, unpacked, put on `sys.path`.

Several tasks may share the directory. A file's place in it is named by its digest, so what is there is what the plan
names.
"""

import errno
import fcntl
import hashlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from podreduce.contract.errors import (
    ObjectChangedError,
    ObjectNotFoundError,
    ProgramInvalidError,
    ScratchFullError,
)
from podreduce.contract.plan import Program, ProgramFile
from podreduce.contract.program_files import DIGEST_PREFIX, MAX_FILE_BYTES
from podreduce.contract.texts import render_count
from podreduce.contract.uris import split_object_uri
from podreduce.program.own_directories import find_own_directories
from podreduce.program.unpacking import unpack
from podreduce.program.wheels import is_own, refuse_unfit
from podreduce.storage import ObjectStore

__all__ = ["provide_files"]

REMEDY = "put the object back, or submit the job again with a new spec.runId"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def provide_files(program: Program, open_at: Callable[[str], ObjectStore], directory: Path) -> Path | None:
    """Make the archive and the wheels of the program importable. Return the archive's directory; None without one.

    The wheels come before what the image has, and the archive after it, as the modules beside a file do.

    Raises:
        ProgramInvalidError: a file is not there, not the one that the job names, or does not fit this interpreter.
        ScratchFullError: there is no space for them.
    """
    for each in program.files:
        refuse_unfit(each.uri)
    directory.mkdir(parents=True, exist_ok=True)
    wheels = [fetch(each, open_at, directory) for each in program.requirements if not is_own(each.uri)]
    archive = None if program.archive is None else fetch(program.archive, open_at, directory)
    add_wheels([str(each) for each in wheels])
    if archive is not None and str(archive) not in sys.path:
        add_archive(str(archive))
    return archive


def add_archive(directory: str) -> None:
    """Put a directory after Python and all packages, and before the directories in which somebody works.

    Who runs a task again does so where the program is written, and its modules there may have changed since.
    """
    worked_in, place = find_own_directories(), len(sys.path)
    while place and sys.path[place - 1] in worked_in:
        place -= 1
    sys.path.insert(place, directory)


def add_wheels(directories: list[str]) -> None:
    """Put directories before the installed packages and after the standard library."""
    new = [each for each in directories if each not in sys.path]
    is_installed = (Path(each).name in {"site-packages", "dist-packages"} for each in sys.path)
    place = next((place for place, found in enumerate(is_installed) if found), len(sys.path))
    sys.path[place:place] = new


def fetch(file: ProgramFile, open_at: Callable[[str], ObjectStore], directory: Path) -> Path:
    """Return the directory with the content of a file, which this or another task has fetched."""
    digest = file.digest.removeprefix(DIGEST_PREFIX)
    target = directory / digest
    with naming_full(directory), held(directory / f"{digest}.lock"):
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=directory, prefix="fetching-") as making:
                packed, unpacked = Path(making) / "packed", Path(making) / "unpacked"
                download(file, open_at, packed)
                unpack(packed, unpacked, file.uri)
                unpacked.rename(target)
    return target


def download(file: ProgramFile, open_at: Callable[[str], ObjectStore], path: Path) -> None:
    """Write the bytes of a file to `path`, and verify them.

    Raises:
        ProgramInvalidError: there is no such object, it is too large, or its digest is another.
    """
    root, key = split_object_uri(file.uri)
    store, digest = open_at(root), hashlib.sha256()
    try:
        found = store.head(key)
        if found.size > MAX_FILE_BYTES:
            size = render_count(found.size, "byte")
            raise ProgramInvalidError(f"{file.uri}: it has {size}, and may have {MAX_FILE_BYTES:,}")
        with path.open("wb") as target:
            for chunk in store.stream(key, 0, found.size, etag=found.etag):
                digest.update(chunk)
                target.write(chunk)
    except ObjectNotFoundError:
        raise ProgramInvalidError(
            f"{file.uri}: there is no such object: submit the job again, with a new spec.runId"
        ) from None
    except ObjectChangedError:
        raise ProgramInvalidError(f"{file.uri}: it was replaced while it was read: {REMEDY}") from None
    if f"{DIGEST_PREFIX}{digest.hexdigest()}" != file.digest:
        raise ProgramInvalidError(
            f"{file.uri}: its digest is {DIGEST_PREFIX}{digest.hexdigest()}, but the job names {file.digest}: {REMEDY}"
        )


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a lock among the processes that share the directory. It is free as soon as its process has ended."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def naming_full(directory: Path) -> Iterator[None]:
    """Turn the error for a full volume into one that names the directory."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise ScratchFullError(
            f"{directory} has no space for the program's files ({error.strerror}): give the tasks a larger scratch "
            "volume"
        ) from error
