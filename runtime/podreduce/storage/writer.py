"""A streaming upload: written in parts as they fill up, visible only when closed; nothing remains if it is aborted.

A thread takes the blocks from a bounded queue. It also compresses and hashes the bytes, so the interpreter is free for
other threads meanwhile.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import obstore

from podreduce.contract.errors import InternalError, PodreduceError
from podreduce.storage.place import Place
from podreduce.storage.retries import with_retries
from podreduce.storage.store_errors import STORE_ERRORS, translate

if TYPE_CHECKING:
    from obstore.store import LocalStore, MemoryStore, S3Store

__all__ = ["MAX_PARTS", "PART_BYTES", "Blocks", "Data", "ObjectUpload", "ObjectWriter", "Upload"]

Data = bytes | memoryview
Blocks = Iterator[Data]

PART_BYTES = 8 * 1024 * 1024
SMALL_BYTES = 64 * 1024
"""If blocks are smaller on average, they are joined: each costs obstore a call into Python."""
MAX_PARTS = 10_000
"""The limit of S3 for one upload."""


class AbortError(Exception):
    """Raised inside the upload to make obstore abort it."""


class Upload(Protocol):
    """Where the bytes go. If either method returns normally, all of them are in the store."""

    @property
    def place(self) -> Place:
        """What is being done, for messages."""

    @property
    def part_bytes(self) -> int:
        """How much is collected before streaming begins, and the size of a part."""

    def put(self, data: bytes) -> None:
        """Upload all bytes, in one request."""

    def stream(self, blocks: Blocks) -> None:
        """Upload the bytes that `blocks` yields, in parts; if it raises, leave nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectUpload:
    """An object that becomes visible when it is complete.

    obstore's own writer cannot be aborted; `obstore.put` of an iterator aborts the upload when the iterator raises.
    """

    store: "S3Store | LocalStore | MemoryStore"
    path: str
    place: Place
    part_bytes: int = PART_BYTES
    concurrency: int = 2

    def put(self, data: bytes) -> None:
        """Write the object in one request."""
        with_retries(lambda: obstore.put(self.store, self.path, data, use_multipart=False), self.place)

    def stream(self, blocks: Blocks) -> None:
        """Write the object in parts, `concurrency` of them at a time."""
        obstore.put(
            self.store,
            self.path,
            self._permitted(blocks),
            use_multipart=True,
            chunk_size=self.part_bytes,
            max_concurrency=self.concurrency,
        )

    def _permitted(self, blocks: Blocks) -> Blocks:
        """Yield the blocks, each only if writing is still allowed; so is the end."""
        for block in blocks:
            self.place.before_try()
            yield block
        self.place.before_try()


class ObjectWriter:
    """An open upload; `ObjectStore.open_writer` makes it.

    Attributes:
        bytes_written: how many bytes `write` has taken so far.
    """

    def __init__(self, upload: Upload, *, encode: Callable[[Blocks], Blocks] = iter) -> None:
        self.bytes_written = 0
        self._upload = upload
        self._encode = encode
        self._buffer: list[Data] = []
        self._buffered_bytes = 0
        self._batches: queue.Queue[list[Data] | AbortError | None] = queue.Queue(maxsize=1)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._is_received = self._is_stored = False
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def write(self, data: Data) -> None:
        """Append `data`; wait if the upload is behind.

        Raises:
            PodreduceError: the upload has failed; nothing will be visible.
        """
        if self._closed:
            raise InternalError(f"{self._upload.place.uri}: write after the end")
        self._buffer.append(data)
        self._buffered_bytes += len(data)
        self.bytes_written += len(data)
        if self._buffered_bytes >= self._upload.part_bytes:
            self._send(self._take_buffer())

    def close(self) -> None:
        """Finish the upload; the object is visible when this returns.

        Raises:
            PodreduceError: the upload has failed; nothing is visible.
        """
        if self._closed:
            return
        self._closed = True
        rest = self._take_buffer()
        if self._thread is None:
            self._upload.put(b"".join(self._encode(iter(rest))))
            return
        if rest:
            self._send(rest)
        self._send(None)
        self._thread.join()
        self._raise_failure()

    def abort(self) -> None:
        """Abort the upload: parts already sent are deleted, no object appears. After `close` it does nothing."""
        if self._closed:
            return
        self._closed = True
        self._buffer.clear()
        if self._thread is None:
            return
        self._offer(AbortError())
        self._thread.join()

    def _take_buffer(self) -> list[Data]:
        blocks, size = self._buffer, self._buffered_bytes
        self._buffer, self._buffered_bytes = [], 0
        return [b"".join(blocks)] if size < SMALL_BYTES * len(blocks) else blocks

    def _send(self, batch: list[Data] | None) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._stream, name="upload", daemon=True)
            self._thread.start()
        if not self._offer(batch):
            self._raise_failure()

    def _offer(self, batch: list[Data] | AbortError | None) -> bool:
        """Pass `batch` to the upload; return False if the upload has ended and will never take it."""
        while self._thread is not None and self._thread.is_alive():
            try:
                self._batches.put(batch, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def _raise_failure(self) -> None:
        """Raise the error that ended the upload, after its thread has ended; raise nothing if all is stored."""
        if self._is_stored:
            return
        self._closed = True
        uri, error = self._upload.place.uri, self._error
        if isinstance(error, PodreduceError | MemoryError):
            raise error
        if isinstance(error, STORE_ERRORS):
            raise translate(error, self._upload.place) from error
        if error is None:
            raise InternalError(f"{uri}: the upload has ended without all the data")
        raise InternalError(f"{uri}: the upload failed: {type(error).__name__}: {error}") from error

    def _stream(self) -> None:
        try:
            self._upload.stream(self._encode(self._received_blocks()))
            self._is_stored = self._is_received
        except BaseException as error:  # noqa: BLE001 - passed to the writing thread; Rust's panics are BaseExceptions
            self._error = error

    def _received_blocks(self) -> Blocks:
        while (batch := self._batches.get()) is not None:
            if isinstance(batch, AbortError):
                raise batch
            yield from batch
        self._is_received = True
