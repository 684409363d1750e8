"""A task is done when its commit record exists: written with `If-None-Match: *`, so the first attempt wins.

An attempt that finds a record already there reads it: its own id in it means that its own write had got through and
only the answer was lost.
"""

import structlog

from podreduce.contract.layout import commit_key
from podreduce.contract.task import CommitRecord
from podreduce.contract.wire import decode, encode
from podreduce.errors import PodreduceError
from podreduce.storage import ObjectStore, discard_staged

__all__ = ["commit_task", "conclude"]


def commit_task(run_store: ObjectStore, record: CommitRecord) -> bool:
    """Write `record`; True if it is the task's commit now, False if a twin was faster (the task is done then too)."""
    key = commit_key(record.task, record.generation)
    if run_store.create(key, encode(record)):
        return True
    found = decode(run_store.get(key), CommitRecord)
    if found.attempt_id == record.attempt_id:
        return True
    structlog.get_logger().info("a twin committed first", task=str(record.task), twin=found.attempt_id)
    return False


def conclude(run_store: ObjectStore, output_store: ObjectStore, record: CommitRecord) -> bool:
    """Commit `record`; if a twin was faster, delete what this attempt has written."""
    won = commit_task(run_store, record)
    if not won and record.blob:
        discard(run_store, record.blob.key)
    if not won and record.part:
        discard(output_store, record.part.key)
    if not won and record.quarantine:
        discard(run_store, record.quarantine.key)
    return won


def discard(store: ObjectStore, key: str) -> None:
    """Delete what was written if that is possible; the run's clean-up takes it otherwise."""
    try:
        discard_staged(store, key)
    except PodreduceError as error:
        structlog.get_logger().warning("left for the clean-up", uri=store.uri_of(key), error=str(error))
