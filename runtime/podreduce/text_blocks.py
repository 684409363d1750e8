"""Text records by blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from podreduce.contract.plan import Piece, Plan
from podreduce.errors import InputError
from podreduce.formats import read_blocks
from podreduce.storage import ObjectStore

__all__ = ["RecordBlock", "read_records"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordBlock:
    """A block's records."""

    offset: int
    stored_bytes: int
    values: list[str]
    lengths: list[int]

    def keys(self) -> list[int]:
        """Return the offsets."""
        return list(accumulate(self.lengths, initial=self.offset))[:-1]

    def place(self, number: int) -> int:
        """Return the place of a record."""
        return self.keys()[number]


def read_records(plan: Plan, store: ObjectStore, key: str, piece: Piece) -> Iterator[RecordBlock]:
    """Yield the blocks of a piece."""
    errors = "replace" if plan.encoding_errors == "Replace" else "strict"
    for block in read_blocks(store, key, piece):
        raw = block.data.split(b"\n")
        if not raw[-1]:
            raw.pop()
        values, offset = [], block.offset
        for line in raw:
            try:
                values.append(line.removesuffix(b"\r").decode("utf-8", errors))
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{piece.uri}: byte {offset + error.start} is no UTF-8 ({error.reason}); correct the object, or set "
                    "input.encodingErrors: Replace"
                ) from error
            offset += len(line) + 1
        yield RecordBlock(
            offset=block.offset,
            stored_bytes=block.stored_bytes,
            values=values,
            lengths=[len(line) + 1 for line in raw],
        )
