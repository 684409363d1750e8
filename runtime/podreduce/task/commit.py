"""A task is done when its commit record exists: written with `If-None-Match: *`, so the first attempt wins.

An attempt that finds a record already there reads it: its own id in it means that its own write had got through and
only the answer was lost.
"""

import structlog

from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import commit_key
from podreduce.contract.task import CommitRecord
from podreduce.contract.wire import decode, encode
from podreduce.storage import ObjectStore, discard_staged

__all__ = ["commit_task", "conclude"]


def commit_task(run_store: ObjectStore, record: CommitRecord) -> CommitRecord:
    """Write `record` and return the task's commit: it, or a twin's that was faster (the task is done then, too)."""
    key = commit_key(record.task, record.generation)
    if run_store.create(key, encode(record)):
        return record
    found = decode(run_store.get(key), CommitRecord)
    if found.attempt_id != record.attempt_id:
        structlog.get_logger().info("a twin committed first", task=str(record.task), twin=found.attempt_id)
    return found


def conclude(run_store: ObjectStore, output_store: ObjectStore, record: CommitRecord) -> CommitRecord:
    """Commit `record` and return the task's commit; if that is a twin's, delete what this attempt has written."""
    found = commit_task(run_store, record)
    if found.attempt_id == record.attempt_id:
        return found
    if record.blob:
        discard(run_store, record.blob.key)
    if record.part:
        discard(output_store, record.part.key)
    if record.quarantine:
        discard(run_store, record.quarantine.key)
    return found


def discard(store: ObjectStore, key: str) -> None:
    """Delete what was written if that is possible; the run's clean-up takes it otherwise."""
    try:
        discard_staged(store, key)
    except PodreduceError as error:
        structlog.get_logger().warning("left for the clean-up", uri=store.uri_of(key), error=str(error))
