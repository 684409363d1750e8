"""A block of records: what every input format makes of the bytes it reads. Nothing is made that nobody asks for."""

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
        stored_bytes: what the block takes of the object as stored; over all pieces the sum is the object's size.
        key_unit: what a key counts or is, for messages.
        make_values: makes the records' values; `make_keys` their keys, and `make_arrow` a batch of both.
        salvage: (whether for `to_arrow`) → what can be decoded of a block whose making has raised InputError, and what
            cannot; None where a format has no bad records, only bad objects.
        show: (place) → a record for messages, where one that a batch holds may have no value.
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
        """Return the records' keys. They also say in messages where a record lies."""
        return self.make_keys()

    def shown(self, place: int) -> Any:  # noqa: ANN401 - a record's value
        """Return the record at `place` of the block for a message."""
        return self.values[place] if self.show is None else self.show(place)

    def to_arrow(self) -> "pa.RecordBatch":
        """Return the records as a batch, for `map_batch`."""
        return self.make_arrow()


@dataclass(frozen=True, slots=True, kw_only=True)
class Undecodable:
    """A record that its format cannot decode: its key, its bytes (decompressed), and what the reader says of it."""

    key: int
    data: bytes
    error: InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """A block's records without those that cannot be decoded, and these."""

    block: RecordBlock
    bad: Sequence[Undecodable]
