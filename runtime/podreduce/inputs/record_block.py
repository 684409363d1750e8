"""A block of records: every input format makes one of the bytes it reads. Values and keys are made only on request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from podreduce.contract.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RecordBlock", "Salvaged", "Undecodable"]


@dataclass(frozen=True, kw_only=True)
class RecordBlock:
    """Some consecutive records of a piece.

    Attributes:
        stored_bytes: its bytes in the object as stored; over all pieces the sum is the object's size.
        key_unit: what a key counts or is, for messages.
        make_values: makes the records' values; `make_keys` their keys, and `make_arrow` a batch of both.
        salvage: (whether for `to_arrow`) → the decodable records and the others, after making them raised InputError;
            None if the format has no bad records, only bad objects.
        show: (place) → a record for messages, if a record of a batch may have no value.
    """

    stored_bytes: int
    make_values: Callable[[], Sequence[Any]]
    make_keys: Callable[[], Sequence[Any]]
    make_arrow: "Callable[[], pa.RecordBatch]"
    key_unit: str = "byte"
    salvage: "Callable[[bool], Salvaged] | None" = None
    show: Callable[[int], Any] | None = None

    @cached_property
    def values(self) -> Sequence[Any]:
        """The records' values."""
        return self.make_values()

    def keys(self) -> Sequence[Any]:
        """Return the records' keys. In messages they also show where a record is."""
        return self.make_keys()

    def shown(self, place: int) -> Any:  # noqa: ANN401 - a record's value
        """Return the record at `place` of the block for a message."""
        return self.values[place] if self.show is None else self.show(place)

    def to_arrow(self) -> "pa.RecordBatch":
        """Return the records as a batch, for `map_batch`."""
        return self.make_arrow()


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecodable:
    """A record that its format cannot decode: its key, its decompressed bytes, and the reader's message."""

    key: int
    data: bytes
    error: InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """A block's decodable records, and its undecodable ones."""

    block: RecordBlock
    bad: Sequence[Undecodable]
