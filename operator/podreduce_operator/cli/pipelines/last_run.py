"""The last status of a local run, in the directory that it keeps, for the picture of the next plan.

Rule: nobody decides anything by it. A file that cannot be written or read is as good as none.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

__all__ = ["read_last_run", "write_last_run"]

FILE_NAME = "last-run.json"


def write_last_run(directory: Path, status: Mapping[str, Any]) -> None:
    """Keep the status of a run that has ended."""
    with suppress(OSError):
        (directory / FILE_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(status)))


def read_last_run(directory: Path | None) -> Mapping[str, Any]:
    """Return the status of the last run; an empty one if there is none."""
    if directory is None:
        return {}
    try:
        return msgspec.json.decode((directory / FILE_NAME).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return {}
