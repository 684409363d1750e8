"""What is told about the requests to a store, for somebody who counts them.

Rule: operations and answers are few and fixed. No key, no URI and no word of a store is in what is told, so whatever
names the objects have, there is no more to count.
"""

import time
from collections.abc import Callable, Mapping
from enum import StrEnum

from podreduce.contract.errors import (
    InputError,
    ObjectChangedError,
    ObjectNotFoundError,
    PodreduceError,
    StorageDeniedError,
    StorageUnavailableError,
)
from podreduce.storage.store_codes import BUSY

__all__ = ["Answer", "OnRequest", "Operation", "Stopwatch", "ignore_request"]


class Operation(StrEnum):
    """What a request does."""

    COPY = "copy"
    CREATE = "create"
    DELETE = "delete"
    LIST = "list"
    READ = "read"
    REPLACE = "replace"
    UPLOAD = "upload"
    WRITE = "write"
    OTHER = "other"


class Answer(StrEnum):
    """What became of a request."""

    OK = "OK"
    """It was done; or a conditional write found that the object exists."""
    BUSY = "Busy"
    """The store asks for fewer requests."""
    CHANGED = "Changed"
    """The object is another version."""
    DENIED = "Denied"
    """A person must change something: credentials, rights, the bucket."""
    INVALID_NAME = "InvalidName"
    """The store cannot have an object with this name."""
    MISSING = "Missing"
    """There is no such object."""
    UNAVAILABLE = "Unavailable"
    """No answer, or a temporary fault."""
    OTHER = "Other"


OnRequest = Callable[[Operation, Answer, float], None]
"""Called at the end of each try of a request, in its thread, with the seconds that it took.

A client's own retries and all pages of a listing count as one request.
"""

OPERATIONS: Mapping[str, Operation] = {operation.value: operation for operation in Operation} | {
    "abort multipart upload": Operation.UPLOAD,
    "complete multipart upload": Operation.UPLOAD,
    "create multipart upload": Operation.UPLOAD,
    "get object": Operation.READ,
    "head object": Operation.READ,
    "list objects v2": Operation.LIST,
    "list parts": Operation.READ,
    "upload part": Operation.UPLOAD,
}
"""By the verb in messages: those of `ObjectStore`, and the names of botocore's operations."""

ANSWERS: Mapping[type[PodreduceError], Answer] = {
    InputError: Answer.INVALID_NAME,
    ObjectChangedError: Answer.CHANGED,
    ObjectNotFoundError: Answer.MISSING,
    StorageDeniedError: Answer.DENIED,
    StorageUnavailableError: Answer.UNAVAILABLE,
}


def ignore_request(_operation: Operation, _answer: Answer, _seconds: float) -> None:
    """Tell nobody."""


class Stopwatch:
    """Measures one try of a request, in one or more `with` blocks, and tells `on_request` how it ended.

    Args:
        verb: what is done, as messages say it.
    """

    def __init__(self, verb: str, on_request: OnRequest) -> None:
        self._verb = verb
        self._on_request = on_request
        self._began = self._seconds = 0.0

    def __enter__(self) -> None:
        """Go on measuring."""
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        """Stop measuring."""
        self._seconds += time.monotonic() - self._began

    def end(self, fault: PodreduceError | None = None) -> None:
        """Tell how the try ended; without a fault it was done."""
        operation = OPERATIONS.get(self._verb, Operation.OTHER)
        self._on_request(operation, name_answer(fault), self._seconds)


def name_answer(fault: PodreduceError | None) -> Answer:
    """Return the answer that a request's fault stands for."""
    if fault is None:
        return Answer.OK
    if isinstance(fault, StorageUnavailableError) and str(fault).endswith(BUSY):
        return Answer.BUSY
    return next((answer for kind, answer in ANSWERS.items() if isinstance(fault, kind)), Answer.OTHER)
