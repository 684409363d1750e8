"""Copies the bad records of a local run out of its store, which is deleted when the run ends."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podreduce.contract.layout import QUARANTINE_PREFIX, run_prefix
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.model.jobs import JobView

__all__ = ["bring_out"]


async def bring_out(status: Mapping[str, Any], job: JobView, storage: JobStorage, directory: Path) -> Mapping[str, Any]:
    """Copy the run's bad records into `directory`. Return the status with the new URI.

    Raises:
        PodreduceError: they cannot be read.
    """
    if "badRecords" not in status:
        return status
    prefix = run_prefix(storage.installation, job.key.namespace, job.key.name, job.uid, job.spec.run_id)
    run_store = open_store(storage.work_uri + prefix, storage.settings)
    uri = await asyncio.to_thread(copy_quarantine, run_store, directory)
    return {**status, "badRecords": {**status["badRecords"], "uri": uri}}


def copy_quarantine(run_store: ObjectStore, directory: Path) -> str:
    """Copy a run's bad records into a directory, and return the directory's URI."""
    directory.mkdir(exist_ok=True)
    for found in run_store.list(QUARANTINE_PREFIX):
        (directory / found.key.removeprefix(QUARANTINE_PREFIX)).write_bytes(run_store.get(found.key))
    return f"file://{directory.absolute()}/"
