"""The steps `user-rows` and `item-rows`: the matrix of users by items, by rows and by columns.

A row is its number, and its entries as bytes: the number on the other side, and what is left of the rating without the
baseline. Rows are in the order of users' names, and entries in that of numbers, so all sums have a fixed order.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.recommendation.baseline import Baseline
from podreduce_apps.recommendation.factors import Floats, Rows
from podreduce_apps.recommendation.lists import Ints, flat_values, list_offsets

__all__ = ["ENTRY", "ItemRows", "UserRows", "pack_entries", "read_rows", "sorted_rows"]

ENTRY = np.dtype([("other", "<i4"), ("value", "<f8")])
Entries = npt.NDArray[np.void]


class UserRows:
    """Numbers the users that models learn from, by their names. Side input: `items`. Needs one reduce task."""

    def setup(self, context: JobContext) -> None:
        """Read the baseline."""
        self.baseline = Baseline(context.side_table("items"))
        self.next_number = 0

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the users' names and entries."""
        kept = batch.filter(batch.column("is_kept"))
        offsets = list_offsets(kept.column("ids"))
        ids = flat_values(kept.column("ids")).to_numpy().astype(np.int64)
        values = flat_values(kept.column("values")).to_numpy()
        packed = []
        for start, end in pairwise(offsets.tolist()):
            own, rated = ids[start:end], values[start:end]
            level = self.baseline.of_items(own) + self.baseline.of_user(own, rated)
            packed.append(pack_entries(own, rated - level).tobytes())
        return pa.table({"key": kept.column("user"), "value": pa.array(packed, pa.binary())})

    def reduce_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the users' numbers and entries."""
        numbers = np.arange(self.next_number, self.next_number + batch.num_rows)
        self.next_number += batch.num_rows
        return pa.table({"key": numbers, "value": batch.column("value")})


class ItemRows:
    """Turns the matrix: from the rows of users to those of items."""

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table | None:
        """Return the entries of each item in the batch."""
        rows = read_rows(batch)
        if not len(rows.others):
            return None
        users = np.repeat(rows.numbers, np.diff(rows.offsets))
        order = np.lexsort((users, rows.others))
        entries = pack_entries(users[order], rows.values[order])
        items, starts = np.unique(rows.others[order], return_index=True)
        packed = [part.tobytes() for part in np.split(entries, starts[1:])]
        return pa.table({"key": items, "value": pa.array(packed, pa.binary())})

    def reduce_func(self, item: int, values: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        """Yield all entries of an item, in the order of the users' numbers."""
        entries = np.frombuffer(b"".join(values), ENTRY)
        yield item, entries[np.argsort(entries["other"], kind="stable")].tobytes()


def pack_entries(others: Ints, values: Floats) -> Entries:
    """Return entries as they are stored."""
    entries = np.empty(len(others), ENTRY)
    entries["other"], entries["value"] = others, values
    return entries


def read_rows(table: Any) -> Rows:  # noqa: ANN401 - an Arrow table or batch of the columns key and value
    """Return the rows that are stored, in their order."""
    packed = table["value"]
    sizes = pc.binary_length(packed).to_numpy(zero_copy_only=False).astype(np.int64) // ENTRY.itemsize
    entries = np.frombuffer(b"".join(packed.to_pylist()), ENTRY)
    return Rows(
        numbers=table["key"].to_numpy(zero_copy_only=False).astype(np.int64),
        offsets=np.concatenate(([0], np.cumsum(sizes))),
        others=entries["other"].astype(np.int64),
        values=entries["value"].astype(np.float64),
    )


def sorted_rows(table: Any) -> Rows:  # noqa: ANN401 - likewise
    """Return all rows of a side: row i is number i."""
    return read_rows(pa.table(table).sort_by("key"))
