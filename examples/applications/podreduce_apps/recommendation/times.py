"""The step `times`: how many events there are at each second, from which `split` finds where the test begins."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.recommendation.lists import Ints, flat_values

__all__ = ["Times", "find_cut"]


class Times:
    """Counts events by their time. There may be as many times as events, so that everything stays in columns."""

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return each time with its number of events in the batch."""
        people = batch.filter(pc.is_valid(batch.column("user")))
        times, counts = np.unique(flat_values(people.column("times")).to_numpy(), return_counts=True)
        return pa.table({"key": times, "value": counts.astype(np.int64)})

    def reduce_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return each time with the number of its events."""
        times = batch.column("key").to_numpy()
        starts = np.flatnonzero(np.diff(times, prepend=times[:1] - 1))
        counts = np.add.reduceat(batch.column("value").to_numpy(), starts)
        return pa.table({"key": times[starts], "value": counts})


def find_cut(times: Any, fraction: float) -> int:  # noqa: ANN401 - an Arrow table of the columns key and value
    """Return the time from which on events are of the test part, which then has about this fraction of all events."""
    if not times.num_rows:
        return 0
    seconds, counts = times["key"].to_numpy(), times["value"].to_numpy()
    order = np.argsort(seconds)
    return event_time(seconds[order], counts[order], fraction)


def event_time(seconds: Ints, counts: Ints, fraction: float) -> int:
    """Return the time of the event that has this fraction of all events at or behind it."""
    ends = np.cumsum(counts)
    number = min(int((1 - fraction) * ends[-1] + 1e-9), int(ends[-1]) - 1)
    return int(seconds[np.searchsorted(ends, number, side="right")])
