"""Directories from which a program may import though they are no packages: its file's, and the current one."""

import os
from contextlib import suppress

from podreduce.contract.process_variables import MODULES_VARIABLE

__all__ = ["find_own_directories"]


def find_own_directories() -> list[str]:
    """Return the directories. They come after Python, all packages and the archive on `sys.path`."""
    directories = [os.environ.get(MODULES_VARIABLE, "")]
    with suppress(FileNotFoundError):  # it has been removed
        directories.append(os.getcwd())  # noqa: PTH109 - sys.path holds strings
    return [each for each in dict.fromkeys(directories) if each]
