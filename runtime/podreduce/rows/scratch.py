"""Scratch files for spilled runs.

They have no name: however the task ends, the kernel frees the space, and there is nothing to clean up.
"""

import errno
import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from podreduce.contract.errors import ScratchFullError

__all__ = ["ScratchFile"]

WRITE_BYTES: Final = 1 << 20
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class ScratchFile:
    """A file to append to, then to read at any place. It is gone when it is closed or forgotten.

    Every method except `close` raises ScratchFullError if the volume is full.
    """

    __slots__ = ("__weakref__", "_close", "_descriptor", "_directory", "_pending", "_pending_bytes")

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        with self._naming_full(), tempfile.TemporaryFile(dir=directory) as file:
            self._descriptor = os.dup(file.fileno())
        self._close = weakref.finalize(self, os.close, self._descriptor)

    def write(self, data: bytes) -> None:
        """Append `data`."""
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= WRITE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write pending data to the kernel."""
        data = memoryview(b"".join(self._pending))
        self._pending, self._pending_bytes = [], 0
        with self._naming_full():
            while data:
                data = data[os.write(self._descriptor, data) :]

    def fetch(self, start: int, end: int) -> bytes:
        """Return bytes `start` to `end`; fewer if the file ends before."""
        return os.pread(self._descriptor, end - start, start)

    def close(self) -> None:
        """Free the space."""
        self._close()

    @contextmanager
    def _naming_full(self) -> Iterator[None]:
        """Turn the error for a full volume into one that names the directory."""
        try:
            yield
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise ScratchFullError(
                f"{self._directory} has no space for spilled data ({error.strerror}): give the task a larger "
                "scratch volume or more memory, or cut the work into more shards or partitions"
            ) from error
