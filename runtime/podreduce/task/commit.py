"""Commits a task: the commit record is written with `If-None-Match: *`, so the first attempt wins.

An attempt that finds an existing record reads it. If it has the attempt's own id, the attempt's write was successful
and only the answer was lost.
"""

import structlog

from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import commit_key
from podreduce.contract.task import CommitRecord
from podreduce.contract.wire import decode, encode
from podreduce.storage import ObjectStore, discard_staged

__all__ = ["commit_task", "conclude"]


def commit_task(run_store: ObjectStore, record: CommitRecord) -> CommitRecord:
    """Write `record` and return the task's commit: `record`, or that of a faster attempt; both mean success."""
    key = commit_key(record.task, record.generation)
    if run_store.create(key, encode(record)):
        return record
    found = decode(run_store.get(key), CommitRecord)
    if found.attempt_id != record.attempt_id:
        structlog.get_logger().info("another attempt committed first", task=str(record.task), other=found.attempt_id)
    return found


def conclude(run_store: ObjectStore, output_store: ObjectStore, record: CommitRecord) -> CommitRecord:
    """Commit `record` and return the task's commit; if it is another attempt's, delete this attempt's output."""
    found = commit_task(run_store, record)
    if found.attempt_id == record.attempt_id:
        return found
    if record.blob:
        discard(run_store, record.blob.key)
    if record.part:
        discard(output_store, record.part.key)
    if record.quarantine:
        discard(run_store, record.quarantine.key)
    for each in record.files:
        discard(output_store, each.key)
    return found


def discard(store: ObjectStore, key: str) -> None:
    """Delete an object if that is possible; if not, the run's clean-up deletes it later."""
    try:
        discard_staged(store, key)
    except PodreduceError as error:
        structlog.get_logger().warning(
            "not deleted; the run's clean-up will do it", uri=store.uri_of(key), error=str(error)
        )
