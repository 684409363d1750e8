"""How many requests and threads the stores of one Secret, and of one namespace, may hold at a time.

Rule: no clock and no requests. A store that does not answer holds what it has got for as long as a request may last. A
Secret costs nothing to make, so its share alone would not protect others: a namespace has one share for all its
Secrets. A share lives as long as somebody holds a gate to it.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import TracebackType
from weakref import WeakValueDictionary

from podreduce.storage import Gate

__all__ = ["SecretGates", "StorageGates"]

SECRET_REQUESTS = 64
NAMESPACE_REQUESTS = 128
SECRET_THREADS = 4
NAMESPACE_THREADS = 8
"""There are 32 threads for all; see `process/threads`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretGates:
    """The gates of one Secret: `requests` limits the requests to its stores, `threads` the threads that they hold."""

    requests: Gate
    threads: Gate


@dataclass(slots=True, weakref_slot=True)
class Share:
    """What a namespace may hold."""

    requests: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(NAMESPACE_REQUESTS))
    threads: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(NAMESPACE_THREADS))


class StorageGates:
    """The shares of the namespaces."""

    def __init__(self) -> None:
        self._shares: WeakValueDictionary[str, Share] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._shares)

    def open(self, namespace: str) -> SecretGates:
        """Return new gates for a Secret of the namespace."""
        share = self._shares.get(namespace)
        if share is None:
            share = self._shares[namespace] = Share()
        return SecretGates(
            requests=BothGates(asyncio.Semaphore(SECRET_REQUESTS), share.requests, share),
            threads=BothGates(asyncio.Semaphore(SECRET_THREADS), share.threads, share),
        )


@dataclass(frozen=True, slots=True)
class BothGates(AbstractAsyncContextManager[None]):
    """A gate of its own, and then one that is shared. Many may enter at a time. `share` keeps the share alive."""

    own: asyncio.Semaphore
    shared: asyncio.Semaphore
    share: Share

    async def __aenter__(self) -> None:
        await self.own.acquire()
        try:
            await self.shared.acquire()
        except BaseException:
            self.own.release()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shared.release()
        self.own.release()
