"""The story of a failed local run, brought to where it outlives the run, as its bad records are."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podreduce.contract.layout import ATTEMPTS_TABLE_KEY, POST_MORTEM_KEY, run_prefix
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.model.jobs import JobView

__all__ = ["bring_out"]


async def bring_out(status: Mapping[str, Any], job: JobView, storage: JobStorage, directory: Path) -> Mapping[str, Any]:
    """Copy the run's story and the table of its attempts into `directory`; return the status with their places in it.

    Raises:
        PodreduceError: they cannot be read.
    """
    if "postMortem" not in status:
        return status
    prefix = run_prefix(storage.installation, job.key.namespace, job.key.name, job.uid, job.spec.run_id)
    run_store = open_store(storage.work_uri + prefix, storage.settings)
    return {**status, "postMortem": await asyncio.to_thread(copy_story, run_store, directory)}


def copy_story(run_store: ObjectStore, directory: Path) -> dict[str, str]:
    """Copy story and table into a directory; return the copies' URIs."""
    directory.mkdir(exist_ok=True)
    for key in (POST_MORTEM_KEY, ATTEMPTS_TABLE_KEY):
        (directory / key).write_bytes(run_store.get(key))
    uri = f"file://{directory.absolute()}/"
    return {"uri": uri + POST_MORTEM_KEY, "attemptsUri": uri + ATTEMPTS_TABLE_KEY}
