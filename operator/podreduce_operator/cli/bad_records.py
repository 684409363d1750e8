"""Copies the bad records of a local run out of its store, which is deleted when the run ends."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podreduce.contract.layout import QUARANTINE_PREFIX
from podreduce.storage import ObjectStore

__all__ = ["copy_out"]


async def copy_out(status: Mapping[str, Any], run_store: ObjectStore, directory: Path) -> Mapping[str, Any]:
    """Copy the run's bad records into `directory`. Return the status with the new URI.

    Raises:
        PodreduceError: they cannot be read.
    """
    if "badRecords" not in status:
        return status
    uri = await asyncio.to_thread(copy_quarantine, run_store, directory)
    return {**status, "badRecords": {**status["badRecords"], "uri": uri}}


def copy_quarantine(run_store: ObjectStore, directory: Path) -> str:
    """Copy a run's bad records into a directory, and return the directory's URI."""
    directory.mkdir(exist_ok=True)
    for found in run_store.list(QUARANTINE_PREFIX):
        (directory / found.key.removeprefix(QUARANTINE_PREFIX)).write_bytes(run_store.get(found.key))
    return f"file://{directory.absolute()}/"
