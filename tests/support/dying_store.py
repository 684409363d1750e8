"""A storage whose changing operations work some times, and then no more, as when the operator's process ends."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from podreduce.storage import ObjectStore
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun

__all__ = ["OperatorDiedError", "dying_storage"]

CHANGES = frozenset({"copy_async", "create_async", "delete_async", "delete_prefix_async", "in_thread", "put_async"})


class OperatorDiedError(Exception):
    """The operator's process is gone."""


class DyingStore:
    """A store whose changes go through `limit`."""

    def __init__(self, store: ObjectStore, limit: Callable[..., Any]) -> None:
        self.store = store
        self.limit = limit

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.store, name)
        return self.limit(found) if name in CHANGES else found


def dying_storage(run: PipelineRun, steps: int) -> PipelineRun:
    """The same run, whose stores change something `steps` times and then no more."""
    left = [steps]

    def limit(call: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        async def limited(*args: Any, **options: Any) -> object:
            if left[0] == 0:
                raise OperatorDiedError
            left[0] -= 1
            return await call(*args, **options)

        return limited

    class Storage(JobStorage):
        def open(self, uri: str) -> ObjectStore:
            return DyingStore(run.storage.open(uri), limit)  # type: ignore[return-value]

    known = {name: getattr(run.storage, name) for name in ("work_uri", "installation", "settings")}
    return replace(run, storage=Storage(**known))
