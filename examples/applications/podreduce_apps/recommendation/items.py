"""The step `items`: which items the models know, numbered in the order of their names, and how popular they are."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_fraction, read_number, read_whole
from podreduce_apps.recommendation.baseline import RATING_UNIT
from podreduce_apps.recommendation.lists import Ints, flat_values, list_offsets, rows_of_values
from podreduce_apps.recommendation.times import find_cut

__all__ = ["POPULARITY_UNIT", "Items", "decayed"]

POPULARITY_UNIT = 1 << 20
"""What an event of the last moment counts. Whole numbers, so that sums have no order."""
SECONDS_OF_A_DAY = 86_400
SUMMED = ("count", "popularity", "ratings", "rating_sum")


class Items:
    """Counts each item's users, and its popularity: events count half after `halfLifeDays` (0: all count the same).

    An item with fewer than `minUsersPerItem` users is left out. Side input: `times`. Needs one reduce task, which
    numbers the items. Columns out: item, id, count, popularity, ratings (how many), rating_sum (in RATING_UNIT).
    """

    def setup(self, context: JobContext) -> None:
        """Read the parameters."""
        parameters = context.parameters
        self.least = read_whole(parameters, "minUsersPerItem", least=1)
        self.half_life = read_number(parameters, "halfLifeDays") * SECONDS_OF_A_DAY
        fraction = read_fraction(parameters, "testFraction") if parameters["split"] == "time" else 0.0
        self.end = find_cut(context.side_table("times"), fraction) if self.half_life else 0
        self.next_id = 0

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the items of the batch with their users and popularity."""
        kept = batch.column("is_kept").to_numpy(zero_copy_only=False)[
            rows_of_values(list_offsets(batch.column("items")))
        ]
        items = flat_values(batch.column("items")).filter(pa.array(kept))
        times = flat_values(batch.column("times")).to_numpy()[kept]
        coded = items.dictionary_encode()
        places = coded.indices.to_numpy()
        popularity = np.zeros(len(coded.dictionary), np.int64)
        np.add.at(popularity, places, decayed(times, self.end, self.half_life))
        counts = np.bincount(places, minlength=len(popularity)).astype(np.int64)
        values = flat_values(batch.column("values")).to_numpy()[kept]
        ratings, sums = (np.zeros(len(popularity), np.int64) for _ in range(2))
        np.add.at(ratings, places, np.isfinite(values))
        np.add.at(sums, places, np.rint(np.nan_to_num(values) * RATING_UNIT).astype(np.int64))
        counted = {"count": counts, "popularity": popularity, "ratings": ratings, "rating_sum": sums}
        return pa.table({"key": coded.dictionary, **counted})

    def reduce_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Number the items that have enough users."""
        groups = pa.table(batch).group_by("key", use_threads=False)
        # Arrow promises no order of groups, and the order is what numbers the items.
        sums = groups.aggregate([(name, "sum") for name in SUMMED]).sort_by("key")
        known = sums.filter(pc.greater_equal(sums["count_sum"], self.least))
        ids = np.arange(self.next_id, self.next_id + known.num_rows, dtype=np.int32)
        self.next_id += known.num_rows
        sums_of = {name: known[f"{name}_sum"] for name in SUMMED}
        return pa.table({"item": known["key"], "id": ids, **sums_of})


def decayed(times: Ints, end: int, half_life: float) -> npt.NDArray[np.int64]:
    """Return what each event counts for popularity, in units of POPULARITY_UNIT."""
    if not half_life:
        return np.full(len(times), POPULARITY_UNIT)
    ages = np.maximum(end - times, 0)
    return np.asarray(np.rint(POPULARITY_UNIT * np.exp2(-ages / half_life)), np.int64)
