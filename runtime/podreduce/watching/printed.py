"""The end of what a program prints and logs, so that its task can store it: a pod's log goes with its pod.

Rule: everything still goes where it went. Only what Python code writes is seen: not the output of C code, nor that of
processes that the program starts. There is no lock and no thread, because programs fork.
"""

import io
import select
from collections import deque
from collections.abc import Callable
from typing import Any, TextIO

__all__ = ["KEPT_BYTES", "Printed", "copy_log", "copy_stream"]

KEPT_BYTES = 16 * 2**10
"""How much of its end is kept. A task that printed stores one object of at most this size."""

Render = Callable[[Any, str, Any], Any]


class Printed:
    """What one task has written so far. `has_any`: the program has, and not podreduce alone."""

    def __init__(self) -> None:
        self.has_any = False
        self._chunks: deque[bytes] = deque()
        self._size = 0

    def add(self, data: bytes, *, is_programs: bool = True) -> None:
        """Add something that was written."""
        self.has_any = self.has_any or is_programs
        self._chunks.append(data[-KEPT_BYTES:])
        self._size += min(len(data), KEPT_BYTES)
        while self._size > 2 * KEPT_BYTES and len(self._chunks) > 1:
            self._size -= len(self._chunks.popleft())

    def tail(self) -> bytes:
        """Return the last whole lines; the end of a line that is longer than `KEPT_BYTES`."""
        data = b"".join(self._chunks)
        if len(data) <= KEPT_BYTES:
            return data
        cut = data[-KEPT_BYTES:]
        first, separator, rest = cut.partition(b"\n")
        return rest if separator and rest else first + separator


class CopyingFile(io.FileIO):
    """A descriptor that is written to without a buffer, as Python does with PYTHONUNBUFFERED; each write is copied."""

    def __init__(self, descriptor: int, printed: Printed) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._printed = printed

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer
        """Write all of `data`, and copy it."""
        whole = bytes(data)
        done = 0
        while done < len(whole):
            written = super().write(whole[done:])
            if written is None:  # whoever made the descriptor made it non-blocking
                select.select((), (self.fileno(),), ())
            else:
                done += written
        self._printed.add(whole)
        return done


def copy_stream(stream: TextIO, printed: Printed) -> TextIO:
    """Return a stream like `stream`, whose text is copied as well."""
    stream.flush()
    return io.TextIOWrapper(
        CopyingFile(stream.fileno(), printed),  # without a buffer, as Python itself does it if unbuffered
        encoding=stream.encoding,
        errors=stream.errors,
        write_through=True,
    )


def copy_log(render: Render, printed: Printed) -> Render:
    """Return a renderer of log lines that copies them, except those about progress."""

    def process(logger: Any, method: str, fields: Any) -> Any:  # noqa: ANN401 - structlog's
        is_programs, is_progress = fields.get("logger") == "program", fields.get("event") == "progress"
        line = render(logger, method, fields)
        if is_programs or not is_progress:
            printed.add(f"{line}\n".encode(errors="replace"), is_programs=is_programs)
        return line

    return process
