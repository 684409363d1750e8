"""Windows of time over rows that are sorted by a group and then by time. Pure.

A window of w seconds at row i is (t_i - w, t_i] without the rows behind i, as pandas' `rolling` has it: of rows at the
same time, those that come first do not see the others. All sums are of integers, so they are exact.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["GroupTail", "Rows", "window_sums"]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the groups of sorted rows begin, and a line of time on which they lie one behind the other.

    Attributes:
        group_start: for each row the first row of its group.
        places: the time of each row, moved so far for each group that windows of `longest` seconds never overlap.
    """

    group_start: Ints
    places: Ints

    @classmethod
    def of(cls, groups: Ints, times: Ints, longest: int) -> "Rows":
        """Return the rows of sorted groups and times, for windows of up to `longest` seconds."""
        is_first = np.ones(len(groups), bool)
        is_first[1:] = groups[1:] != groups[:-1]
        numbers = np.cumsum(is_first) - 1
        span = int(times.max() - times.min()) + longest + 1 if len(times) else 1
        return cls(np.flatnonzero(is_first)[numbers], times - times.min(initial=0) + numbers * span)

    def first_after(self, seconds: int) -> Ints:
        """Return for each row i the first row of its group later than t_i - `seconds`; 0 s: the row behind i."""
        if seconds == 0:
            return np.arange(1, len(self.places) + 1)
        return np.maximum(np.searchsorted(self.places, self.places - seconds, side="right"), self.group_start)


def window_sums(values: Ints, first: Ints, end: Ints) -> Ints:
    """Return for each row the sum of the values from row `first` up to, without, row `end`."""
    sums = np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
    return sums[end] - sums[first]


class GroupTail:
    """Carries the end of a group from one batch to the next, for groups that are larger than a batch.

    Rows that are older than the longest window are dropped, except those that `keep` marks.
    """

    def __init__(self, group: str, longest: int, *, keep: str = "") -> None:
        self.group, self.longest, self.keep = group, longest, keep
        self.rows: pa.Table | None = None

    def prepend(self, batch: pa.Table) -> tuple[pa.Table, int]:
        """Return the batch behind the rows that its first group had before, and how many these are."""
        carried = self.rows
        if carried is None or not batch.num_rows or carried[self.group][0] != batch[self.group][0]:
            table, count = batch, 0
        else:
            table, count = pa.concat_tables([carried, batch]), carried.num_rows
        if batch.num_rows:
            self.rows = self.tail_of(table)
        return table, count

    def tail_of(self, table: pa.Table) -> pa.Table:
        """Return the rows of the last group that a later row may have to know."""
        groups, times = table[self.group], table["time"].to_numpy()
        last = groups[table.num_rows - 1]
        start = group_begin(groups, last)
        is_needed = times[start:] > times[-1] - self.longest
        if self.keep:
            is_needed |= table[self.keep].to_numpy()[start:] > 0
        return table.slice(start).filter(pa.array(is_needed)).combine_chunks()


def group_begin(groups: pa.ChunkedArray, last: pa.Scalar) -> int:
    """Return the first row of the last group."""
    low, high = 0, len(groups) - 1
    while low < high:
        middle = (low + high) // 2
        if groups[middle] == last:
            high = middle
        else:
            low = middle + 1
    return low
