"""obstore's exceptions become podreduce's here and nowhere else, and passing faults are tried again here.

obstore repeats safe requests by itself (see `connect`); `persist` adds what it will not repeat: a conditional
create, a bulk delete, and a body that broke off after its headers had come.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from random import uniform
from typing import Any, TypeVar

from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from podreduce.errors import (
    InputError,
    ObjectChangedError,
    ObjectNotFoundError,
    PodreduceError,
    StorageDeniedError,
    StorageUnavailableError,
)

__all__ = [
    "NO_GATE",
    "RETRY_SECONDS",
    "STORE_ERRORS",
    "BeforeWrite",
    "Gate",
    "Place",
    "persist",
    "persist_async",
    "translate",
]

LONGEST_DELAY_SECONDS = 4.0
RETRY_SECONDS = 40.0
"""Longer than a restart of the store (some 20 s), and a wrong endpoint still shows within a minute."""

STORE_ERRORS = (BaseError, OSError, ValueError)
"""What obstore raises: its own classes, and FileNotFoundError, PermissionError and ValueError of Python."""

T = TypeVar("T")
BeforeWrite = Callable[[], None]
"""Called right before each try of a write; what it raises forbids that, and goes up to whoever wanted to write."""

Gate = AbstractAsyncContextManager[Any]
"""Bounds how many requests are made at a time: a semaphore, say. Each of them may have a connection of its own."""

NO_GATE: Gate = nullcontext()

UNTRUSTED = "the endpoint's certificate is not trusted: put its CA into caCert of the storage secret"
NO_CREDENTIALS = "there are no credentials: fill the storage secret, or set the AWS_* variables"
REFUSALS = {
    "NoSuchBucket": "the bucket does not exist: create it or correct the URI",
    "InvalidAccessKeyId": "the access key is unknown there: correct accessKey in the storage secret",
    "SignatureDoesNotMatch": "the secret key is wrong: correct secretKey in the storage secret",
    "AccessDenied": "the credentials do not allow this: grant them list, read, write and delete",
    "ExpiredToken": "the session token has expired: renew it in the storage secret",
    "InvalidToken": "the session token is not valid: renew it in the storage secret",
    "AuthorizationHeaderMalformed": "the region is wrong: correct region in the storage secret",
    "PermanentRedirect": "the bucket is in another region: correct region in the storage secret",
    "RequestTimeTooSkewed": "this machine's clock is wrong by minutes: set it",
    "UnknownIssuer": UNTRUSTED,
    "CERTIFICATE_VERIFY_FAILED": UNTRUSTED,
    "Permission denied": "this user may not do that: change the directory's permissions",
    "Read-only file system": "the directory is on a read-only file system: choose another",
    "missing credentials": NO_CREDENTIALS,
    "Unable to locate credentials": NO_CREDENTIALS,
}
OUTAGES = {
    "Connection refused": "nothing listens there",
    "Could not connect": "nothing listens there",
    "dns error": "its host name is unknown",
    "TimedOut": "it does not answer in time",
    "No space left on device": "the disk is full",
}
PAST_THE_END = ("StartTooLarge", "<Code>InvalidRange", "416 Range Not Satisfiable")
CLIENT_ERROR_STATUS = re.compile(r"status(?: code)?: 4(?!08|09|29)\d\d\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is being done where, for the message: `verb` is `read`, `write`, `list`, …; no endpoint: no network.

    `mishap` is called before each try, and may raise what the store could. `before_try` is called before that; what it
    raises goes up as it is, and only writes have one. `gate` is held while a try of an async caller is made.
    """

    verb: str
    uri: str
    endpoint: str | None
    mishap: Callable[[], None] = lambda: None
    before_try: BeforeWrite = lambda: None
    gate: Gate = NO_GATE


def translate(error: Exception, place: Place) -> PodreduceError:
    """Return what `error` of obstore means."""
    text = str(error).split("\n\nDebug source", 1)[0][:400]
    detail = str(error)
    where = f"{place.uri}: cannot {place.verb} it" + (f" at {place.endpoint}" if place.endpoint else "")
    remedy = next((remedy for sign, remedy in REFUSALS.items() if sign in detail), None)
    if remedy is not None or isinstance(error, PermissionError | PermissionDeniedError | UnauthenticatedError):
        return StorageDeniedError(f"{where}: {remedy or 'the store refuses the credentials'} ({text})")
    if isinstance(error, FileNotFoundError):
        return ObjectNotFoundError(f"{place.uri}: there is no such object")
    if isinstance(error, PreconditionError) or any(sign in detail for sign in PAST_THE_END):
        return ObjectChangedError(f"{place.uri}: the object is not the version that was asked for")
    if isinstance(error, ValueError) or "are not supported" in text:
        return InputError(f"{place.uri}: the store cannot hold or read this name ({text}); rename the object")
    if CLIENT_ERROR_STATUS.search(detail):
        return StorageDeniedError(f"{where}: the store refuses the request ({text})")
    outage = next((outage for sign, outage in OUTAGES.items() if sign in detail), "a passing fault, it seems")
    return StorageUnavailableError(f"{where}: {outage} ({text})")


def delays_seconds(place: Place, started: float) -> Iterator[float]:
    """Yield what to wait before each further try, until `RETRY_SECONDS` after `started`; nothing for a local store.

    A store that says 503 SlowDown says so to many tasks at once: by chance each waits between half and all of a delay
    that doubles, or they would all come back together.
    """
    delay = 0.2
    while place.endpoint is not None and time.monotonic() - started + delay < RETRY_SECONDS:
        yield delay * uniform(0.5, 1.0)  # noqa: S311 - no secret
        delay = min(delay * 2, LONGEST_DELAY_SECONDS)


def persist(operation: Callable[[], T], place: Place) -> T:
    """Return `operation()`, tried again while the store is unavailable, at most for `RETRY_SECONDS`.

    Raises:
        PodreduceError: as `translate` says.
    """
    delays = delays_seconds(place, time.monotonic())
    while True:
        place.before_try()
        try:
            place.mishap()
            return operation()
        except STORE_ERRORS as error:
            fault = translate(error, place)
            delay = next(delays, None) if isinstance(fault, StorageUnavailableError) else None
            if delay is None:
                raise fault from error
        time.sleep(delay)


async def persist_async(operation: Callable[[], Awaitable[T]], place: Place) -> T:
    """Do as `persist` does, without holding up the event loop."""
    delays = delays_seconds(place, time.monotonic())
    while True:
        async with place.gate:
            place.before_try()
            try:
                return await operation()
            except STORE_ERRORS as error:
                fault = translate(error, place)
                delay = next(delays, None) if isinstance(fault, StorageUnavailableError) else None
                if delay is None:
                    raise fault from error
        await asyncio.sleep(delay)
