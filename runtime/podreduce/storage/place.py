"""Where a request to a store goes, and what is done before, during and after each try of it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from podreduce.storage.key_files import KeyFiles
from podreduce.storage.telemetry import OnRequest, Stopwatch, ignore_request

__all__ = ["NO_GATE", "BeforeWrite", "Gate", "Place", "in_thread"]

T = TypeVar("T")
BeforeWrite = Callable[[], None]
"""Called before each try of a write. An exception forbids the write, and is passed on to the caller."""

Gate = AbstractAsyncContextManager[Any]
"""Limits how many requests run at a time (a semaphore, for example): each may need a separate connection."""

NO_GATE: Gate = nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is done where, for messages: `verb` is `read`, `write`, `list`, …; without an endpoint there is no network.

    `key_files` has the keys, if they may change. `inject_fault` is called before each try, and may raise what the store
    could. `before_try` is called before that; its exceptions are passed on, and only writes have one. `gate` is held
    during each try of an async caller, `threads` while a thread makes a blocking request for it. `on_request` is told
    how each try ended.
    """

    verb: str
    uri: str
    endpoint: str | None
    key_files: KeyFiles | None = None
    inject_fault: Callable[[], None] = lambda: None
    before_try: BeforeWrite = lambda: None
    gate: Gate = NO_GATE
    threads: Gate = NO_GATE
    on_request: OnRequest = ignore_request

    def stopwatch(self) -> Stopwatch:
        """Return a stopwatch for one try of a request to this place."""
        return Stopwatch(self.verb, self.on_request)


async def in_thread(request: Callable[[], T], place: Place) -> T:
    """Make a blocking request in one of the threads that this place may hold."""
    async with place.threads:
        return await asyncio.to_thread(request)
