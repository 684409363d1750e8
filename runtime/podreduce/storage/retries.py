"""Tries a request to a store again after a temporary fault, with delays that double.

obstore itself retries safe requests (see `connect`). Added here are those that obstore does not retry: a conditional
create, a bulk delete, a body that broke off after its headers, and a refusal of keys that have been replaced since.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from random import uniform
from typing import TypeVar

from podreduce.contract.errors import PodreduceError, StorageDeniedError, StorageUnavailableError
from podreduce.storage.place import Place
from podreduce.storage.store_errors import STORE_ERRORS, is_stale_token, translate

__all__ = ["RETRY_SECONDS", "with_retries", "with_retries_async"]

LONGEST_DELAY_SECONDS = 4.0
RETRY_SECONDS = 40.0
"""Longer than a restart of the store (some 20 s), but a wrong endpoint still shows within a minute."""

KEYS_SETTLE_SECONDS = 1.0
"""For this long after new keys were found, a request may still have had the old ones: obstore keeps them for 0.1 s."""
NEW_KEYS_DELAY_SECONDS = 0.2

T = TypeVar("T")
Delays = Iterator[float]


def delays_seconds(place: Place, started: float) -> Iterator[float]:
    """Yield how long to wait before each further try, until `RETRY_SECONDS` after `started`; never for a local store.

    A store sends 503 SlowDown to many tasks at the same time. So each task waits a random time between half and all of
    a delay that doubles; otherwise they would all come back together.
    """
    delay = 0.2
    while place.endpoint is not None and time.monotonic() - started + delay < RETRY_SECONDS:
        yield delay * uniform(0.5, 1.0)  # noqa: S311 - not a secret
        delay = min(delay * 2, LONGEST_DELAY_SECONDS)


def delay_of_retry(
    error: Exception, fault: PodreduceError, place: Place, delays: Delays, tried_at: float
) -> float | None:
    """Return how long to wait before the request is tried again; None if it is not.

    A refusal is tried again if the keys have changed since `tried_at`. If it says that the session token has expired,
    new keys may come soon.
    """
    if isinstance(fault, StorageUnavailableError):
        return next(delays, None)
    if not isinstance(fault, StorageDeniedError) or place.key_files is None:
        return None
    if place.key_files.changed_since(tried_at - KEYS_SETTLE_SECONDS):
        return NEW_KEYS_DELAY_SECONDS
    return next(delays, None) if is_stale_token(error) else None


def with_retries(operation: Callable[[], T], place: Place) -> T:
    """Return `operation()`, retried while the store is unavailable, at most for `RETRY_SECONDS`, and with new keys.

    Raises:
        PodreduceError: as `translate` says.
    """
    delays = delays_seconds(place, time.monotonic())
    while True:
        place.before_try()
        watch = place.stopwatch()
        tried_at = time.monotonic()
        try:
            place.inject_fault()
            with watch:
                result = operation()
        except STORE_ERRORS as error:
            fault = translate(error, place)
            watch.end(fault)
            delay = delay_of_retry(error, fault, place, delays, tried_at)
            if delay is None:
                raise fault from error
        except PodreduceError as fault:
            watch.end(fault)
            raise
        else:
            watch.end()
            return result
        time.sleep(delay)


async def with_retries_async(operation: Callable[[], Awaitable[T]], place: Place) -> T:
    """Do the same as `with_retries`, without blocking the event loop."""
    delays = delays_seconds(place, time.monotonic())
    while True:
        async with place.gate:
            place.before_try()
            watch = place.stopwatch()
            tried_at = time.monotonic()
            try:
                with watch:
                    result = await operation()
            except STORE_ERRORS as error:
                fault = translate(error, place)
                watch.end(fault)
                delay = delay_of_retry(error, fault, place, delays, tried_at)
                if delay is None:
                    raise fault from error
            else:
                watch.end()
                return result
        await asyncio.sleep(delay)
