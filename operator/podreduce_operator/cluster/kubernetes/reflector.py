"""Keeps a cache of one resource up to date: with a paged list, and then a watch from there, for ever.

Rule: it never ends on its own. Every error is logged, and after a backoff the watch continues where it stopped. Only an
expired version needs a new list, which shows the deletions that the watch missed. It exists because kopf's watch loses
deletions of pods and is much too slow for them.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Generic, NoReturn, TypeVar

import structlog

from podreduce_operator.cluster.kubernetes.api import ApiError, Json
from podreduce_operator.cluster.kubernetes.backoff import Backoff
from podreduce_operator.cluster.kubernetes.object_cache import ObjectCache, version_of
from podreduce_operator.concurrency import LOOP_ENDS

__all__ = ["Reflector"]

PAGE_OBJECTS = 500
WATCH_SECONDS = 240
"""How long one watch request lasts on average. It varies, so that many do not end at once."""

SHORT_WATCH_SECONDS = 1.0
"""A watch that ends sooner and without an event counts as failed."""

T = TypeVar("T")
log = structlog.get_logger(__name__)

Listing = Callable[[dict[str, str]], Awaitable[Json]]
Watching = Callable[[dict[str, str]], AsyncIterator[Json]]


class Reflector(Generic[T]):
    """Feeds `cache` from the API.

    Args:
        name: what is watched, for the log.
        list_page: returns one page of the list for a query.
        watch: yields the events of one watch request for a query.
        selector: the label selector of both.
        sleep: waits, for tests.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        cache: ObjectCache[T],
        *,
        name: str,
        list_page: Listing,
        watch: Watching,
        selector: str,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cache = cache
        self._name = name
        self._list_page = list_page
        self._watch = watch
        self._selector = {"labelSelector": selector} if selector else {}
        self._sleep = sleep
        self._clock = clock
        self._backoff = Backoff(jitter=random.random)
        self._listed = False
        self._contact_at = clock()
        self.synced = asyncio.Event()
        self._trouble: ApiError | None = None
        self._answered = asyncio.Event()

    def seconds_since_contact(self) -> float:
        """Return how long ago the API server last sent anything. It sends something every minute."""
        return self._clock() - self._contact_at

    @property
    def is_forbidden(self) -> bool:
        """Whether the API server does not show these objects to the operator now."""
        return self._trouble is not None and self._trouble.hides_namespace

    async def ready(self) -> None:
        """Wait until the first listing has succeeded or failed: another may fail for hours.

        Raises:
            ApiError: nothing could be listed yet, or these objects may not be listed or watched now.
        """
        await self._answered.wait()
        if self._trouble is not None:
            raise self._trouble

    async def run(self) -> NoReturn:
        """List and watch until cancelled."""
        while True:
            try:
                await self.follow()
            except ApiError as error:
                self._listed = self._listed and not error.is_expired
                self._note_answer(error if error.hides_namespace or not self.synced.is_set() else None)
                if error.status:
                    self._contact_at = self._clock()  # a refusal is an answer, and a restart would not change it
                await self._pause("the watch was interrupted", error)
            except LOOP_ENDS:
                raise
            except BaseException as error:  # noqa: BLE001 - one bad object must not stop the watch: list again
                self._listed = False
                await self._pause("the watch failed", error, exc_info=True)

    async def follow(self) -> None:
        """List if there is no version to continue from, then watch once until the server ends it."""
        if not self._listed:
            await self.take_listing()
        if not await self.watch_once():
            await self._pause("the watch ended at once", None)

    async def take_listing(self) -> None:
        """Read all pages of a listing into the cache."""
        query = {**self._selector, "limit": str(PAGE_OBJECTS)}
        listed: set[str] = set()
        while True:
            page = await self._list_page(query)
            self._touch()
            listed |= self.cache.take_page(page.get("items") or [])
            if not (token := page["metadata"].get("continue")):
                break
            query = {**query, "continue": token}
        self.cache.finish_listing(listed, version_of(page))
        self._listed = True
        self.synced.set()
        self._note_answer(None)
        log.debug("listed", resource=self._name, objects=len(listed), version=self.cache.version)

    async def watch_once(self) -> bool:
        """Apply the events of one watch request. Return whether it had events or lasted long enough."""
        started, events = self._clock(), 0
        query = {
            **self._selector,
            "resourceVersion": str(self.cache.version),
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(int(WATCH_SECONDS * random.uniform(0.75, 1.25))),  # noqa: S311 - no secret
        }
        async with aclosing(self._watch(query)) as stream:  # type: ignore[type-var]
            async for event in stream:
                self.cache.apply(event)
                events += 1
                self._touch()
        self._touch()
        return events > 0 or self._clock() - started >= SHORT_WATCH_SECONDS

    def _note_answer(self, trouble: ApiError | None) -> None:
        self._trouble = trouble
        self._answered.set()

    def _touch(self) -> None:
        self._contact_at = self._clock()
        if self.synced.is_set():
            self._note_answer(None)
        self._backoff.reset()

    async def _pause(self, what: str, error: BaseException | None, *, exc_info: bool = False) -> None:
        delay = self._backoff.next_delay()
        log.warning(what, resource=self._name, error=str(error or ""), retry_seconds=delay, exc_info=exc_info)
        await self._sleep(delay)
