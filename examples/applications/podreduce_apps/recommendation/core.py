"""The step `core`: leaves out items with too few users, and users with too few items, until none is left out.

An item that goes takes something from its users, and the other way round, so `items` and `core` are repeated.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_whole
from podreduce_apps.recommendation.lists import build_lists, flat_values, keep_in_lists, list_offsets

__all__ = ["Core"]


class Core:
    """Keeps the known items of each history, and adds their ids. Side input: `items`.

    A user with fewer than `minItemsPerUser` known items stays, to be recommended something, but no model learns from
    such users (`is_kept`). Counts what it leaves out in `core/dropped`.
    """

    def setup(self, context: JobContext) -> None:
        """Read the known items.

        Raises:
            ValueError: there are none.
        """
        self.context = context
        self.least = read_whole(context.parameters, "minItemsPerUser")
        self.known = known_items(context.side_table("items"))
        if not len(self.known):
            raise ValueError(
                f"no items are left to learn from: minUsersPerItem={context.parameters['minUsersPerItem']} or "
                f"minItemsPerUser={self.least} is too high for these data, or split={context.parameters['split']} "
                "leaves no events for the train part (see the step clean for what was read)"
            )
        context.count("core", "dropped", 0)

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the histories with known items only."""
        offsets = list_offsets(batch.column("items"))
        ids = pc.index_in(flat_values(batch.column("items")), value_set=self.known)
        known = pc.is_valid(ids)
        is_known = known.to_numpy(zero_copy_only=False)
        kept_offsets = keep_in_lists(offsets, is_known)
        lists = {
            name: build_lists(kept_offsets, flat_values(batch.column(name)).filter(known))
            for name in ("items", "times", "values")
        }
        was_kept = batch.column("is_kept").to_numpy(zero_copy_only=False)
        is_kept = was_kept & (np.diff(kept_offsets) >= self.least)
        self.context.count("core", "dropped", int((~is_known).sum() + (was_kept & ~is_kept).sum()))
        tests = {name: batch.column(name) for name in batch.schema.names if name.startswith("test_")}
        lists["ids"] = build_lists(kept_offsets, ids.filter(known))
        tests["test_ids"] = build_lists(
            list_offsets(tests["test_items"]),
            pc.fill_null(pc.index_in(flat_values(tests["test_items"]), value_set=self.known), -1),
        )
        return pa.table({"user": batch.column("user"), **lists, **tests, "is_kept": is_kept})


def known_items(items: pa.Table) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Return the names of the items in the order of their ids."""
    if not items.num_rows:
        return pa.array([], pa.string())
    return items.sort_by("id")["item"].combine_chunks()
