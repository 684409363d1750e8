"""A block of records: what every input format makes of the bytes it reads. Nothing is made that nobody asks for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RecordBlock"]


@dataclass(frozen=True, kw_only=True)
class RecordBlock:
    """Some consecutive records of a piece.

    Attributes:
        stored_bytes: what the block takes of the object as stored; over all pieces the sum is the object's size.
        key_unit: what a key counts or is, for messages.
        make_values: makes the records' values; `make_keys` their keys, and `make_arrow` a batch of both.
    """

    stored_bytes: int
    make_values: Callable[[], Sequence[Any]]
    make_keys: Callable[[], Sequence[Any]]
    make_arrow: "Callable[[], pa.RecordBatch]"
    key_unit: str = "byte"

    @cached_property
    def values(self) -> Sequence[Any]:
        """The records' values."""
        return self.make_values()

    def keys(self) -> Sequence[Any]:
        """Return the records' keys. They also say in messages where a record lies."""
        return self.make_keys()

    def to_arrow(self) -> "pa.RecordBatch":
        """Return the records as a batch, for `map_batch`."""
        return self.make_arrow()
