"""Keeps the clients of stores, because building one takes milliseconds and each has its own connections.

Rule: a client that nobody asks for is dropped, with its credentials. Safe to use from several threads.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["KEPT_SECONDS", "Clients"]

KEPT_SECONDS = 900.0
MAX_CLIENTS = 1000
"""Enough for the buckets of some hundred Secrets that are in use at the same time."""

T = TypeVar("T")


class Clients(Generic[T]):
    """Clients by what they were built from, in the order of their last use. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._clients: OrderedDict[Hashable, tuple[T, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._clients)

    def get(self, key: Hashable, build: Callable[[], T]) -> T:
        """Return the client for `key`; build it if there is none."""
        with self._lock:
            known = self._clients.pop(key, None)
            client = build() if known is None else known[0]
            self._clients[key] = client, self._clock()
            self._drop_unused()
            return client

    def clear(self) -> None:
        """Forget all clients."""
        with self._lock:
            self._clients.clear()

    def _drop_unused(self) -> None:
        oldest = self._clock() - KEPT_SECONDS
        while len(self._clients) > MAX_CLIENTS or next(iter(self._clients.values()))[1] < oldest:
            self._clients.popitem(last=False)
