"""The bad records that a map attempt skips: all are counted, the first are stored as JSON lines in one object.

Rule: bounded for any input: the number of lines, their bytes, and each text are limited. The object is written once,
before the commit record that names it.
"""

import sys
from codecs import getincrementaldecoder
from dataclasses import dataclass
from typing import Any, Final

from podreduce.contract.errors import InputError, ProgramError, TooManyBadRecordsError
from podreduce.contract.layout import quarantine_key
from podreduce.contract.task import BadRecord, QuarantineRef, TaskRef
from podreduce.contract.texts import cut_middle
from podreduce.contract.wire import encode
from podreduce.encoding.showing import show
from podreduce.program.tracebacks import describe_record
from podreduce.storage import ObjectStore

__all__ = ["MAX_LINES", "RECORD_BYTES", "NamedRecord", "Quarantine"]

MAX_LINES: Final = 1000
MAX_BYTES: Final = 4 << 20
RECORD_BYTES: Final = 1024
ERROR_BYTES: Final = 2048
TRACEBACK_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRecord:
    """A record and its place: the object, and the key, which is its place there in `unit`."""

    uri: str
    unit: str
    key: Any
    value: Any

    def __str__(self) -> str:
        """Return the record as failure messages show it."""
        return describe_record(self.uri, self.unit, self.key, self.value)


class Quarantine:
    """Takes the bad records of one attempt.

    Args:
        store: the run's prefix.
        limit: how many bad records are allowed; None: any number.

    Attributes:
        records: how many there were.
    """

    def __init__(self, store: ObjectStore, task: TaskRef, attempt_id: str, *, limit: int | None) -> None:
        self.records = 0
        self._store = store
        self._task = task
        self._key = quarantine_key(task, attempt_id)
        self._limit = limit
        self._lines: list[bytes] = []
        self._bytes = 0

    def add(self, record: NamedRecord, error: InputError | ProgramError) -> None:
        """Add a record that is bad because of `error`.

        Raises:
            TooManyBadRecordsError: it is one too many. The stored records are written before.
        """
        self.records += 1
        if len(self._lines) < MAX_LINES:
            self._keep(render_line(self._task, record, error))
        if self._limit is not None and self.records > self._limit:
            self.write()
            raise TooManyBadRecordsError(
                f"this shard has more bad records ({self.records}) than spec.maxBadRecords ({self._limit}); "
                f"the last: {error}",
                bad_records=self.records,
                user_traceback=traceback_of(error),
                record=str(record),
            )

    def write(self) -> QuarantineRef | None:
        """Write the stored records; return their place, or None if no record is bad."""
        if not self.records:
            return None
        self._store.put(self._key, b"".join(self._lines))
        return QuarantineRef(key=self._key, records=self.records, kept=len(self._lines))

    def _keep(self, line: bytes) -> None:
        """Store a line if the limits allow it."""
        if self._bytes + len(line) <= MAX_BYTES:
            self._lines.append(line)
            self._bytes += len(line)


def render_line(task: TaskRef, record: NamedRecord, error: InputError | ProgramError) -> bytes:
    """Return a bad record as a line of JSON."""
    line = BadRecord(
        task=str(task),
        uri=record.uri,
        unit=record.unit,
        key=record.key if type(record.key) is int else clip(str(record.key), RECORD_BYTES),
        reason=error.reason,
        error=clip(cut_middle(str(error), ERROR_BYTES), ERROR_BYTES),
        traceback=clip_front(traceback_of(error), TRACEBACK_BYTES),
        **render_content(record.value),
    )
    return encode(line) + b"\n"


def traceback_of(error: InputError | ProgramError) -> str:
    """Return the user's frames, if the error has any."""
    return error.user_traceback if isinstance(error, ProgramError) else ""


def render_content(value: Any) -> dict[str, Any]:  # noqa: ANN401 - a record's
    """Return the fields of a `BadRecord` that show the record."""
    if type(value) is not bytes:
        text = value if type(value) is str else show(value, sys.maxsize)
        shown = clip(text, RECORD_BYTES)
        return {"text": shown, "is_cut": len(shown) < len(text)}
    is_cut = len(value) > RECORD_BYTES
    try:
        text = getincrementaldecoder("utf-8")().decode(value[:RECORD_BYTES], final=not is_cut)
    except UnicodeDecodeError:
        return {"base64": value[:RECORD_BYTES], "is_cut": is_cut}
    return {"text": text, "is_cut": is_cut}


def clip(text: str, limit_bytes: int) -> str:
    """Return the beginning of `text`, at most `limit_bytes`; a lone surrogate, which JSON cannot hold, becomes `?`."""
    return text[:limit_bytes].encode("utf-8", "replace")[:limit_bytes].decode("utf-8", "ignore")


def clip_front(text: str, limit_bytes: int) -> str:
    """Return the end of `text` in the same way: a traceback's end says what happened."""
    return text[-limit_bytes:].encode("utf-8", "replace")[-limit_bytes:].decode("utf-8", "ignore")
