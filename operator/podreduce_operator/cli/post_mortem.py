"""Copies the post-mortem of a failed local run out of its store, which is deleted when the run ends."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podreduce.contract.layout import ATTEMPTS_TABLE_KEY, POST_MORTEM_KEY
from podreduce.storage import ObjectStore

__all__ = ["copy_out"]


async def copy_out(status: Mapping[str, Any], run_store: ObjectStore, directory: Path) -> Mapping[str, Any]:
    """Copy the run's post-mortem and attempts table into `directory`. Return the status with the new URIs.

    Raises:
        PodreduceError: they cannot be read.
    """
    if "postMortem" not in status:
        return status
    return {**status, "postMortem": await asyncio.to_thread(copy_post_mortem, run_store, directory)}


def copy_post_mortem(run_store: ObjectStore, directory: Path) -> dict[str, str]:
    """Copy the post-mortem and the table into a directory, and return the copies' URIs."""
    directory.mkdir(exist_ok=True)
    for key in (POST_MORTEM_KEY, ATTEMPTS_TABLE_KEY):
        (directory / key).write_bytes(run_store.get(key))
    uri = f"file://{directory.absolute()}/"
    return {"uri": uri + POST_MORTEM_KEY, "attemptsUri": uri + ATTEMPTS_TABLE_KEY}
