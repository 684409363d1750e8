"""What only a directory store needs: a listing that nothing breaks, the files that it cannot show, its lock.

obstore's directory store hides names such as `x#1` (its own unfinished uploads have such names). One name that is not
UTF-8 makes its whole listing fail, and a named pipe makes it wait forever. `list_directory` leaves all of them out;
`unreadable_files` finds them, for callers that must not miss one.
"""

import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
from obstore.store import LocalStore

if TYPE_CHECKING:
    from obstore import ObjectMeta as ListedObject

__all__ = [
    "has_few_files",
    "list_directory",
    "locked",
    "readable_names",
    "remove_empty_directories",
    "remove_file",
    "unreadable_files",
    "why_unreadable",
]

UNREADABLE_NAME = re.compile(r"[\x00-\x1f\x7f]|#\d+$")
"""Control characters, and the form of the directory store's unfinished uploads."""

BAD_NAME = "rename them (no control characters, UTF-8, no ending like #1)"
FEW_FILES = 256
"""So many files are looked at in some thousandths of a second."""

LINK_TO_NOTHING = "it is a broken link: correct or delete it"
SPECIAL_FILES = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def has_few_files(top: str, *, recursive: bool) -> bool:
    """Tell whether a directory is listed quickly: it has few entries and, if their files count too, no directories."""
    try:
        with os.scandir(top) as entries:
            seen = list(islice(entries, FEW_FILES + 1))
        return len(seen) <= FEW_FILES and not (recursive and any(each.is_dir() for each in seen))
    except OSError:  # also of a link to itself
        return True  # the listing says why


def list_directory(store: LocalStore, prefix: str, *, recursive: bool) -> list["ListedObject"]:
    """Return the files of a directory store below `prefix`, sorted."""
    top = "/" + prefix.rpartition("/")[0]
    keys = sorted(name.lstrip("/") for name in readable_names(top, recursive=recursive))
    return [entry for key in keys if key.startswith(prefix) and (entry := head_file(store, key))]


def readable_names(top: str, *, recursive: bool = True) -> Iterator[str]:
    """Yield the paths of the files below `top` that can be read as objects."""
    return (name for name in file_names(top, recursive=recursive) if why_unreadable(name) is None)


def remove_file(path: str) -> None:
    """Delete a file, if it is still there."""
    with suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108 - a path of any characters, many times over


def head_file(store: LocalStore, key: str) -> "ListedObject | None":
    """Return the file's entry; None if it has been deleted since it was listed."""
    try:
        return obstore.head(store, key)
    except FileNotFoundError:
        return None


def file_names(top: str, *, recursive: bool) -> Iterator[str]:
    """Yield the paths of the files below `top`; links are followed, except into a directory that is being walked."""
    for directory, subdirectories, names in os.walk(top, followlinks=True, onerror=raise_unless_missing):
        real = os.path.realpath(directory)
        subdirectories[:] = [
            name
            for name in subdirectories
            if recursive and not f"{real}/".startswith(f"{os.path.realpath(f'{directory}/{name}')}/")
        ]
        for name in names:
            yield f"{directory}/{name}"


def raise_unless_missing(error: OSError) -> None:
    """Raise the error for a directory that cannot be read, but not for a missing one."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def unreadable_files(top: Path, *, recursive: bool = True) -> dict[str, str]:
    """Return the files below `top` that cannot be read, each with the reason; names have escapes if necessary."""
    reasons = ((name, why_unreadable(name)) for name in file_names(str(top), recursive=recursive))
    return dict(sorted((ascii(name)[1:-1], why) for name, why in reasons if why is not None))


def why_unreadable(path: str) -> str | None:
    """Return why this file cannot be read as an object, and what to do; None if it can, or was deleted meanwhile."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return BAD_NAME
    if UNREADABLE_NAME.search(path):
        return BAD_NAME
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - a path of any characters, many times over
    except OSError:
        return LINK_TO_NOTHING if os.path.islink(path) else None  # noqa: PTH114 - likewise
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    kind = SPECIAL_FILES.get(stat.S_IFMT(mode), "a special file")
    return f"it is {kind}, not a regular file that can be read twice: copy its content into a file, and use that"


def remove_empty_directories(top: Path) -> None:
    """Delete `top` and the directories below it that have no files."""
    for directory, _, _ in os.walk(top, topdown=False):
        with suppress(OSError):  # not empty, or already deleted
            Path(directory).rmdir()


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, which only `replace_async` uses. A directory that is not there has none."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
