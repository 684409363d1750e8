"""The steps `neighbours` and `recommendations`: tables for other programs, with names and titles in place of ids."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.recommendation.lists import Ints, flat_values, list_offsets, rows_of_values
from podreduce_apps.recommendation.models import NO_REASON, read_neighbours
from podreduce_apps.recommendation.names import ItemNames

__all__ = ["NeighbourTable", "RecommendationTable"]


class NeighbourTable:
    """Writes a row for each item and neighbour: item, title, rank, neighbour, neighbour_title, score."""

    def setup(self, context: JobContext) -> None:
        """Read the names."""
        self.names = ItemNames(context.side_table("items"), context.side_table("titles"))

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table | None:
        """Return the rows of a batch of items."""
        if not batch.num_rows:
            return None
        owners, ids, scores = read_neighbours(pa.table(batch))
        item, title = self.names.of(pa.array(owners))
        neighbour, neighbour_title = self.names.of(pa.array(ids))
        columns = {"item": item, "title": title, "rank": ranks_of(owners), "neighbour": neighbour}
        return pa.table({**columns, "neighbour_title": neighbour_title, "score": scores})


class RecommendationTable:
    """Writes a row for each user and item of the model `serve`.

    Its columns: user, rank, item, title, score, reason_item, reason_title. A row without a reason
    is one of the popular items that fill up a list.
    """

    def setup(self, context: JobContext) -> None:
        """Read the names."""
        self.served = context.parameters["serve"]
        self.names = ItemNames(context.side_table("items"), context.side_table("titles"))

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the rows of a batch of lists."""
        lists = batch.filter(pc.equal(batch.column("model"), self.served))
        rows = rows_of_values(list_offsets(lists.column("items")))
        item, title = self.names.of(flat_values(lists.column("items")))
        reasons = flat_values(lists.column("reasons"))
        reason, reason_title = self.names.of(pc.if_else(pc.equal(reasons, NO_REASON), None, reasons))
        columns = {"user": lists.column("user").take(pa.array(rows)), "rank": ranks_of(rows), "item": item}
        scores = flat_values(lists.column("scores"))
        return pa.table(
            {**columns, "title": title, "score": scores, "reason_item": reason, "reason_title": reason_title}
        )


def ranks_of(owners: Ints) -> Ints:
    """Return the place of each row among those of the same owner, from 1; an owner's rows follow each other."""
    starts = np.flatnonzero(np.concatenate(([True], owners[1:] != owners[:-1])))
    sizes = np.diff(np.append(starts, len(owners)))
    return np.arange(len(owners)) - np.repeat(starts, sizes) + 1 if len(owners) else owners
