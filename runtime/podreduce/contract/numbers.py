"""The numbers and names of records, each with the range that a reader accepts.

Rule: data only. Anybody may have written a record, and its reader adds its numbers up, loops over them and shows them
as times. A number out of range is an error that names its field, at decoding. The ranges are wider than any job needs.
"""

from typing import Annotated, Final, TypeAlias

from msgspec import Meta

__all__ = ["MOST_AMOUNT", "MOST_INDEX", "MOST_TASKS", "Amount", "Index", "Name", "Number", "Seconds", "Share", "Total"]

MOST_TASKS: Final = 1 << 17
"""More map tasks, reduce tasks or virtual buckets than a job may have."""

MOST_INDEX: Final = (1 << 31) - 1
MOST_AMOUNT: Final = (1 << 45) - 1

Index: TypeAlias = Annotated[int, Meta(ge=0, le=MOST_INDEX)]
"""The number of a task, a generation or an attempt."""
Number: TypeAlias = Annotated[int, Meta(ge=0, le=MOST_TASKS)]
"""How many tasks or buckets there are."""
Amount: TypeAlias = Annotated[int, Meta(ge=0, le=MOST_AMOUNT)]
"""Bytes or records of one task. The sum over `MOST_TASKS` of them is less than 2^63, which a status can hold."""
Total: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 62) - 1)]
"""Bytes or records of a job."""
Share: TypeAlias = Annotated[float, Meta(ge=0.0, le=float(1 << 62))]
"""A sum of differences of bytes."""
Seconds: TypeAlias = Annotated[float, Meta(ge=0.0, le=1e10)]
"""Seconds since the epoch, up to the year 2286."""
Name: TypeAlias = Annotated[str, Meta(max_length=1024)]
"""A name or a key: those of S3 have 1,024 bytes."""
