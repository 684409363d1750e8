"""Packs the directory of a program into a zip file: the same files give the same bytes, so the same digest.

Rule: only reads. Times, owners, rights and the order of the directory do not count, and nothing is compressed, because
compressors differ. What a link or a name cannot keep is refused, never left out.
"""

import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from podreduce.contract.program_files import DIGEST_PREFIX, MAX_ENTRIES, MAX_FILE_BYTES
from podreduce.contract.texts import render_count
from podreduce.contract.wire import digest_bytes

__all__ = ["ArchiveError", "digest_of", "find_files", "pack"]

FIRST_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can hold."""
UNIX = 3
PLAIN_FILE = 0o100644 << 16
SKIPPED_NAMES = frozenset({"__pycache__", "node_modules"})
SKIPPED_ENDINGS = (".pyc", ".pyo", ".egg-info", ".dist-info")
ENVIRONMENT_FILE = "pyvenv.cfg"


class ArchiveError(ValueError):
    """A directory cannot be packed. The message names the file and the remedy."""


def pack(directory: Path) -> bytes:
    """Return the archive of a program's directory.

    Raises:
        ArchiveError: it has no Python module, is too large, or has a file that an archive cannot hold.
    """
    files = find_files(directory)
    if not files:
        raise ArchiveError(f"{directory}: no Python module there: name the directory of the program")
    refuse_large(files, directory)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, path in files.items():
            entry = zipfile.ZipInfo(name, FIRST_TIME)
            entry.create_system, entry.external_attr = UNIX, PLAIN_FILE
            archive.writestr(entry, read(path))
    return packed.getvalue()


def digest_of(data: bytes) -> str:
    """Return the digest of an archive or wheel, as a job names it."""
    return f"{DIGEST_PREFIX}{digest_bytes(data)}"


def find_files(directory: Path) -> Mapping[str, Path]:
    """Return the files of a program's archive by their names there, sorted.

    These are the modules of the directory, and all files of each directory below that has modules in it or below.
    Hidden files, caches and virtual environments are left out.

    Raises:
        ArchiveError: a file is no plain file, or two names are one on some systems.
    """
    found = {"/".join(path.relative_to(directory).parts): path for path in iter_files(directory, is_top=True)}
    by_folded: dict[str, str] = {}
    for name in found:
        other = by_folded.setdefault(name.casefold(), name)
        if other != name:
            raise ArchiveError(f"{directory}: {other} and {name} are one name on some systems: rename one of them")
    return {name: found[name] for name in sorted(found)}


def iter_files(directory: Path, *, is_top: bool = False) -> Iterator[Path]:
    """Yield the files to pack; of a directory below the top none, unless there is a module."""
    entries = [each for each in list_directory(directory) if not is_skipped(each)]
    plain = [Path(each.path) for each in entries if not each.is_dir()]
    below = [path for each in entries if each.is_dir() for path in iter_directory(each)]
    if is_top:
        plain = [path for path in plain if path.suffix == ".py"]
    elif not below and not any(path.suffix == ".py" for path in plain):
        return
    for path in plain:
        refuse_special(path)
    yield from plain
    yield from below


def list_directory(directory: Path) -> list[os.DirEntry[str]]:
    """Return what is in a directory.

    Raises:
        ArchiveError: it cannot be read.
    """
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError as error:
        raise ArchiveError(f"{directory}: cannot be read: {error.strerror}") from error


def iter_directory(entry: os.DirEntry[str]) -> Iterator[Path]:
    """Yield the files to pack of one directory below.

    Raises:
        ArchiveError: it is a link, which may lead anywhere, and has modules.
    """
    if not entry.is_symlink():
        yield from iter_files(Path(entry.path))
    elif any(Path(entry.path).glob("*.py")):
        raise ArchiveError(f"{entry.path}: is a link to a directory: put the modules themselves there")


def is_skipped(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is none of the program's: hidden, a cache, or a virtual environment."""
    name = entry.name
    if name.startswith(".") or name in SKIPPED_NAMES or name.endswith(SKIPPED_ENDINGS):
        return True
    return entry.is_dir() and Path(entry.path, ENVIRONMENT_FILE).exists()


def refuse_special(path: Path) -> None:
    """Refuse what is no plain file, or has a name that an archive cannot hold.

    Raises:
        ArchiveError: it is such a file.
    """
    if not path.is_file():
        raise ArchiveError(f"{path}: is no plain file, or a link to nothing: remove it from the program's directory")
    try:
        path.name.encode()
    except UnicodeEncodeError:
        raise ArchiveError(f"{path!r}: the name is not UTF-8: rename the file") from None
    if "\\" in path.name:
        raise ArchiveError(f"{path}: has a backslash in its name: rename the file")


def refuse_large(files: Mapping[str, Path], directory: Path) -> None:
    """Refuse a program that is too large, before it is read.

    Raises:
        ArchiveError: it is too large. The message names the largest file.
    """
    sizes = {name: path.stat().st_size for name, path in files.items()}
    if sum(sizes.values()) + 200 * len(sizes) > MAX_FILE_BYTES:
        largest = max(sizes, key=lambda name: sizes[name])
        raise ArchiveError(
            f"{directory}: the program has {render_count(sum(sizes.values()), 'byte')}, and may have "
            f"{MAX_FILE_BYTES:,}; the largest file is {largest}: put data into a bucket, an image or a volume"
        )
    if len(sizes) > MAX_ENTRIES:
        raise ArchiveError(
            f"{directory}: the program has {render_count(len(sizes), 'file')}, and may have {MAX_ENTRIES:,}"
        )


def read(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        ArchiveError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror}") from error
