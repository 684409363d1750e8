"""Tables in memory until there are enough of them, and the memory that they keep.

Any held table keeps some blocks of malloc's heap, and each block keeps a large free block beside it from being used
again: 400 slices of ten rows held 1.4 GB of batches that were long gone. So two small tables are put together, then two
of these, and so on up to a megabyte: each row is copied a few times, and few tables are left.
"""

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from podreduce.columnar.columns import compact_table

__all__ = ["HeldTables"]

SMALL_BYTES: Final = 1 << 20
TOGETHER: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A table, the bytes of memory that it keeps, and how often its rows were put together with others."""

    table: pa.Table
    kept_bytes: int
    level: int = 0


class HeldTables:
    """Tables in the order in which they came.

    Attributes:
        kept_bytes: the memory that they keep.
    """

    def __init__(self) -> None:
        self._held: list[Held] = []
        self.kept_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._held)

    @property
    def schema(self) -> pa.Schema:
        """The last table's schema; there must be one."""
        return self._held[-1].table.schema

    def add(self, table: pa.Table, kept_bytes: int) -> None:
        """Hold one more table; `kept_bytes` comes from `compact_table`."""
        self._held.append(Held(table=table, kept_bytes=kept_bytes))
        self.kept_bytes += kept_bytes
        while self._last_match():
            self._put_together()

    def take(self) -> list[pa.Table]:
        """Return all, and forget them."""
        held, self._held, self.kept_bytes = self._held, [], 0
        return [each.table for each in held]

    def _last_match(self) -> bool:
        """Tell whether the last tables are small, of one schema, and of one level."""
        last = self._held[-TOGETHER:]
        return (
            len(last) == TOGETHER
            and all(each.kept_bytes < SMALL_BYTES and each.level == last[0].level for each in last)
            and all(each.table.schema == last[0].table.schema for each in last)
        )

    def _put_together(self) -> None:
        """Make one of the last tables."""
        last = self._held[-TOGETHER:]
        table, kept_bytes = compact_table(pa.concat_tables([each.table for each in last]).combine_chunks())
        self._held[-TOGETHER:] = [Held(table=table, kept_bytes=kept_bytes, level=last[0].level + 1)]
        self.kept_bytes += kept_bytes - sum(each.kept_bytes for each in last)
