"""Removes what a deleted job or pipeline stored, when its deletion is seen. Rule: nothing waits for this."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from podreduce_operator.concurrency import LOOP_ENDS
from podreduce_operator.model.resources import JobKey, ResourceView

__all__ = ["Removals"]

ViewT = TypeVar("ViewT", bound=ResourceView)
log = structlog.get_logger(__name__)


class Removals(Generic[ViewT]):
    """The running removals, by the UIDs of their resources.

    Args:
        remove_data: removes what a resource stored.
        wake: called with the key of a new resource with the same name, because `remove_data` has stopped its loop.
        is_known: tells whether there is a resource with this key.
    """

    def __init__(
        self,
        *,
        remove_data: Callable[[ViewT], Awaitable[None]],
        wake: Callable[[JobKey], None],
        is_known: Callable[[JobKey], bool],
    ) -> None:
        self._remove_data = remove_data
        self._wake = wake
        self._is_known = is_known
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def add(self, view: ViewT) -> None:
        """Start to remove what the resource stored. If a new one with the same name runs already, it is woken again."""
        if view.uid in self._tasks:
            return
        self._tasks[view.uid] = asyncio.create_task(self._remove(view), name=f"remove {view.key}")
        asyncio.get_running_loop().call_soon(self._wake_successor, view)

    async def close(self) -> None:
        """Cancel the running removals. The sweeper does the rest."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _remove(self, view: ViewT) -> None:
        try:
            await self._remove_data(view)
        except LOOP_ENDS:
            raise
        except BaseException:
            log.exception("data not removed: left to the sweeper", resource=str(view.key), uid=view.uid)
        finally:
            self._tasks.pop(view.uid, None)

    def _wake_successor(self, view: ViewT) -> None:
        if self._is_known(view.key):
            self._wake(view.key)
