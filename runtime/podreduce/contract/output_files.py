"""The files that a program writes beside the parts of the output: their names, limits and records.

Rule: data and pure functions only. A file's name is a path of plain segments, so that it is the same in every store
and on every disk, and nobody takes it for a part or for one of podreduce's own objects.
"""

import re
from collections.abc import Collection
from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from podreduce.contract.numbers import Amount, Name
from podreduce.contract.wire import Wire

__all__ = [
    "MOST_FILES_OF_RUN",
    "MOST_FILES_OF_TASK",
    "MOST_FILE_BYTES_OF_TASK",
    "OUTPUT_FILES_PREFIX",
    "FileRef",
    "OutputFile",
    "find_clash",
    "find_name_problem",
    "is_file_key",
]

OUTPUT_FILES_PREFIX: Final = "_files/"
"""Below the output prefix. Inputs skip names that start with `_`, so no job reads these files as parts."""

MOST_FILES_OF_TASK: Final = 100
MOST_FILES_OF_RUN: Final = 10_000
MOST_FILE_BYTES_OF_TASK: Final = 1 << 30
MOST_NAME_CHARACTERS: Final = 200

FILE_NAME_PATTERN: Final = r"^(?!part-)[A-Za-z0-9][A-Za-z0-9._=+@,-]*(/[A-Za-z0-9][A-Za-z0-9._=+@,-]*)*\Z"
FILE_NAME: Final = re.compile(FILE_NAME_PATTERN)

FileName: TypeAlias = Annotated[str, Meta(pattern=FILE_NAME_PATTERN, max_length=MOST_NAME_CHARACTERS)]


class FileRef(Wire, frozen=True, kw_only=True):
    """A staged file of a task: its name as the program gave it, and its key below the output prefix."""

    name: FileName
    key: Name
    bytes: Amount
    sha256: Name


class OutputFile(Wire, frozen=True, kw_only=True):
    """A published file; `name` is its key below the output prefix, such as `_files/report.html`."""

    name: Name
    bytes: Amount
    sha256: Name


def find_name_problem(name: str) -> str | None:
    """Return what a file's name must be, if this one is not; None if it is sound."""
    if len(name) > MOST_NAME_CHARACTERS:
        return f"a name has at most {MOST_NAME_CHARACTERS} characters"
    if FILE_NAME.match(name) is None:
        return (
            "a name is a path such as report.html or plots/a.png, of letters, digits and . _ = + @ , - without spaces; "
            "each of its parts starts with a letter or a digit, and it does not start with part-"
        )
    return None


def is_file_key(key: str) -> bool:
    """Tell whether a key below the output prefix is that of a file with a sound name."""
    return key.startswith(OUTPUT_FILES_PREFIX) and find_name_problem(key.removeprefix(OUTPUT_FILES_PREFIX)) is None


def find_clash(name: str, others: Collection[str]) -> str | None:
    """Return the one of `others` that cannot be beside `name`: the same name, or one is a directory of the other."""
    if name in others:
        return name
    return next((other for other in others if other.startswith(f"{name}/") or name.startswith(f"{other}/")), None)
