"""Writes records into a staged part, streamed: digest, records and bytes are known at its end."""

import hashlib
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from podreduce.contract.task import PartRef
from podreduce.errors import InternalError, ProgramError
from podreduce.formats.fields import UnwritableError, json_text, text_field
from podreduce.storage import ObjectStore

__all__ = ["RECORD_WRITERS", "PartWriter"]

FLUSH_BYTES = 256 * 1024

RecordWriter = Callable[[Any, Any], str]
"""(key, value) -> the record's line, newline included."""


def text_line(key: Any, value: Any) -> str:  # noqa: ANN401 - whatever the program yields
    """Return `key TAB value` as a line."""
    return f"{text_field(key)}\t{text_field(value)}\n"


def json_line(key: Any, value: Any) -> str:  # noqa: ANN401 - whatever the program yields
    """Return `{"key":…,"value":…}` as a line."""
    return f'{{"key":{json_text(key)},"value":{json_text(value)}}}\n'


RECORD_WRITERS: dict[str, RecordWriter] = {"Text": text_line, "JSONLines": json_line}


class PartWriter:
    """An unpublished output part; use it in a `with`, whose normal end completes the object.

    Attributes:
        records: how many were written; `bytes_written` likewise, of those sent on their way.
    """

    def __init__(self, store: ObjectStore, key: str, output_format: str) -> None:
        if output_format not in RECORD_WRITERS:
            raise InternalError(f"output.format {output_format!r}: the plan should not have let this pass")
        self.records = 0
        self.bytes_written = 0
        self._key = key
        self._line = RECORD_WRITERS[output_format]
        self._upload = store.open_writer(key)
        self._digest = hashlib.sha256()
        self._lines: list[bytes] = []
        self._pending_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
            self._upload.close()
        else:
            self._upload.abort()

    def write(self, key: Any, value: Any) -> None:  # noqa: ANN401 - whatever the program yields
        """Write one record.

        Raises:
            ProgramError: the key or value has no form in the output format.
        """
        try:
            line = self._line(key, value).encode()
        except UnwritableError as error:
            raise ProgramError(f"the record with the key {shown(key)} cannot be written: {error}") from None
        except UnicodeEncodeError:
            raise ProgramError(
                f"the record with the key {shown(key)} holds a lone surrogate, which is no UTF-8: "
                "yield text.encode('utf-8', 'replace').decode()"
            ) from None
        self.records += 1
        self._lines.append(line)
        self._pending_bytes += len(line)
        if self._pending_bytes >= FLUSH_BYTES:
            self._flush()

    def part_ref(self) -> PartRef:
        """Return what a commit record says of the part; call it after the `with`."""
        return PartRef(key=self._key, bytes=self.bytes_written, records=self.records, sha256=self._digest.hexdigest())

    def _flush(self) -> None:
        data = b"".join(self._lines)
        self._lines.clear()
        self._pending_bytes = 0
        self._digest.update(data)
        self._upload.write(data)
        self.bytes_written += len(data)


def shown(key: Any) -> str:  # noqa: ANN401 - whatever the program yields
    """Return `key` for a message, in ASCII and cut to a readable length."""
    return ascii(key)[:200]
