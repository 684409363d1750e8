"""Unpacks a zip file or wheel that anybody may have made.

Rule: nothing is written outside the target, nothing but plain files and directories, and no more than the limits.
Whatever is wrong with the file raises ProgramInvalidError, with the file's URI.
"""

import errno
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from podreduce.contract.errors import ProgramInvalidError
from podreduce.contract.program_files import MAX_ENTRIES, MAX_UNPACKED_BYTES, WHEEL_ENDING
from podreduce.contract.texts import render_count

__all__ = ["unpack"]

CHUNK_BYTES = 2**20
ENCRYPTED = 0x1
DAMAGES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError)
NAME_ERRORS = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.EEXIST, errno.ENOTDIR})
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
SCHEMES = {"purelib", "platlib"}
"""The parts of a wheel's `.data` directory that belong beside its other modules."""


def unpack(packed: Path, target: Path, uri: str) -> None:
    """Unpack the file `packed`, which comes from `uri`, into the new directory `target`.

    Raises:
        ProgramInvalidError: it is damaged, or holds what it must not hold.
        OSError: it cannot be written.
    """
    try:
        with zipfile.ZipFile(packed) as archive:
            entries = choose_entries(archive, uri)
            target.mkdir()
            left = MAX_UNPACKED_BYTES
            for entry, parts in entries:
                left -= write_entry(archive, entry, target.joinpath(*parts), left, uri)
    except DAMAGES as error:
        refuse(uri, f"it is no zip file that can be read ({error})")
    except OSError as error:
        if error.errno in NAME_ERRORS:
            refuse(uri, f"a file of it cannot be made under its name ({error.strerror})")
        raise


def choose_entries(archive: zipfile.ZipFile, uri: str) -> Sequence[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """Return the files to write, each with the parts of its path."""
    entries = archive.infolist()
    if len(entries) > MAX_ENTRIES:
        refuse(uri, f"it has {render_count(len(entries), 'entry', 'entries')}, and may have {MAX_ENTRIES:,}")
    total = sum(entry.file_size for entry in entries)
    if total > MAX_UNPACKED_BYTES:
        refuse(uri, f"it unpacks to {render_count(total, 'byte')}, and may to {MAX_UNPACKED_BYTES:,}")
    files = [(entry, place_of(entry, uri)) for entry in entries if not entry.is_dir()]
    refuse_collisions([parts for _, parts in files], uri)
    return files


def place_of(entry: zipfile.ZipInfo, uri: str) -> tuple[str, ...]:
    """Return the parts of an entry's path below the target."""
    mode = entry.external_attr >> 16
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        refuse(uri, f"{entry.filename!r} is a link or a special file, and only plain files are unpacked")
    if entry.flag_bits & ENCRYPTED:
        refuse(uri, f"{entry.filename!r} is encrypted")
    if entry.compress_type not in METHODS:
        refuse(uri, f"{entry.filename!r} is compressed in a way that is not deflate")
    parts = tuple(entry.orig_filename.split("/"))
    if any(part in {"", ".", ".."} or "\\" in part or "\0" in part for part in parts):
        refuse(uri, f"the name {entry.orig_filename!r} does not stay within the archive")
    return within_wheel(parts) if uri.endswith(WHEEL_ENDING) else parts


def within_wheel(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Return where an installer puts a wheel's file, relative to the wheel's other modules."""
    is_data = len(parts) > 2 and parts[0].endswith(".data") and parts[1] in SCHEMES  # noqa: PLR2004 - and a name
    return parts[2:] if is_data else parts


def refuse_collisions(paths: Sequence[tuple[str, ...]], uri: str) -> None:
    """Refuse two files of one name, and a file whose name is another one's directory.

    Names count as the same here if a file system may take them for the same.
    """
    seen = set()
    for path in paths:
        folded = tuple(part.casefold() for part in path)
        if folded in seen:
            refuse(uri, f"two of its files are called {'/'.join(path)!r}")
        seen.add(folded)
    for path in paths:
        folded = tuple(part.casefold() for part in path)
        if any(folded[:length] in seen for length in range(1, len(folded))):
            refuse(uri, f"{'/'.join(path)!r} lies below another of its files")


def write_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, most_bytes: int, uri: str) -> int:
    """Write one file and return its size. What the archive says of sizes is not believed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in read_chunks(archive, entry):
            written += len(chunk)
            if written > most_bytes:
                refuse(uri, f"it unpacks to more than {MAX_UNPACKED_BYTES:,} bytes")
            file.write(chunk)
    return written


def read_chunks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the bytes of one file."""
    with archive.open(entry) as packed:
        while chunk := packed.read(CHUNK_BYTES):
            yield chunk


def refuse(uri: str, why: str) -> NoReturn:
    """Raise the error for an archive that is not unpacked."""
    raise ProgramInvalidError(f"{uri}: {why}; make it again with `podreduce submit`, or as a zip file or wheel")
