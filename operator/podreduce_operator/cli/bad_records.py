"""The bad records of a local run, brought to where they outlive it: what a run has stored goes with its end."""

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
    """Copy the records that the run has set aside into `directory`; return the status with that place in it.

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
    """Copy what a run has set aside into a directory; return the directory's URI."""
    directory.mkdir(exist_ok=True)
    for found in run_store.list(QUARANTINE_PREFIX):
        (directory / found.key.removeprefix(QUARANTINE_PREFIX)).write_bytes(run_store.get(found.key))
    return f"file://{directory.absolute()}/"
