"""Stores the end of what a task has printed, below `logs/`. It goes with the run's other records, after the ttl.

A task that went well does it before its commit, so nobody has to be quick: its pod is gone a moment later.
"""

import structlog

from podreduce.contract.environment import TaskEnvironment
from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import log_key
from podreduce.storage import ObjectStore
from podreduce.watching.printed import Printed

__all__ = ["keep_log"]


def keep_log(run_store: ObjectStore, environment: TaskEnvironment, printed: Printed, *, has_failed: bool) -> None:
    """Store what was printed. A task that went well stores nothing if its program has not printed anything.

    A store that refuses fails no task.
    """
    tail = printed.tail()
    if not tail or not (printed.has_any or has_failed):
        return
    key = log_key(environment.task, environment.attempt_id)
    try:
        run_store.put(key, tail)
    except PodreduceError as error:
        structlog.get_logger().warning("what was printed is not kept", uri=run_store.uri_of(key), error=str(error))
