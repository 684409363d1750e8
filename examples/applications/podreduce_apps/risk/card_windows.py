"""What a card did before and at each transaction: counts and mean amounts of 1, 7 and 30 days, time of day, and more.

Only the card's own past and the transaction itself count. `compromised` says that a report on an earlier transaction
of the card was known by the day: such cards are blocked, so they are neither scored nor evaluated.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.periods import DAY_SECONDS, Periods
from podreduce_apps.risk.robust_z import robust_z
from podreduce_apps.risk.windows import GroupTail, Rows, window_sums

__all__ = ["WINDOW_DAYS", "CardWindows"]

WINDOW_DAYS = (1, 7, 30)
LONGEST = max(WINDOW_DAYS) * DAY_SECONDS
LAST_NIGHT_HOUR = 6
FIRST_WEEKEND_DAY = 5
THURSDAY = 3
"""1970-01-01 was one; Monday is 0."""
NEVER = np.iinfo(np.int64).max // 2

Ints = npt.NDArray[np.int64]


class CardWindows:
    """The transactions of each card in order of time, with what the card did before."""

    key_columns = ("card", "time", "id")

    def setup(self, context: JobContext) -> None:
        """Read the periods."""
        self.periods = Periods.read(context.parameters)
        self.tail = GroupTail("card", LONGEST, keep="fraud")

    def map_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the transactions, to be sorted by card and time."""
        return batch

    def reduce_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the rows with the columns of `card_columns`."""
        table, known = self.tail.prepend(pa.Table.from_batches([batch]))
        for name, values in card_columns(table, self.periods).items():
            table = table.append_column(name, pa.array(values))
        return table.slice(known)


def card_columns(table: pa.Table, periods: Periods) -> dict[str, npt.NDArray[np.generic]]:
    """Return the columns about cards, for rows that are sorted by card and time."""
    times, amounts = table["time"].to_numpy(), table["amount"].to_numpy()
    rows = Rows.of(table["card"].to_numpy(), times, LONGEST)
    end = rows.first_after(0)
    columns: dict[str, npt.NDArray[np.generic]] = {}
    for days in WINDOW_DAYS:
        first = rows.first_after(days * DAY_SECONDS)
        count = end - first
        columns[f"card_count_{days}d"] = count
        columns[f"card_mean_{days}d"] = window_sums(amounts, first, end) / (100 * count)
    columns["weekend"] = ((times // DAY_SECONDS + THURSDAY) % 7 >= FIRST_WEEKEND_DAY).astype(np.int8)
    columns["night"] = (times % DAY_SECONDS // 3600 <= LAST_NIGHT_HOUR).astype(np.int8)
    days_of_rows = times // DAY_SECONDS
    chosen = np.flatnonzero((days_of_rows >= periods.score_from) & (days_of_rows < periods.score_to))
    columns["card_z"] = robust_z(amounts, rows.first_after(LONGEST), chosen)
    columns["compromised"] = find_compromised(rows.group_start, times, table["fraud"].to_numpy(), periods)
    return columns


def find_compromised(
    group_start: Ints, times: Ints, fraud: npt.NDArray[np.int8], periods: Periods
) -> npt.NDArray[np.int8]:
    """Tell which rows are of a card that was known by that day to be misused, by a fraud since the training began."""
    days = times // DAY_SECONDS
    known_from = np.where((fraud > 0) & (days >= periods.train_from), days + periods.delay_days + 1, NEVER)
    starts = np.flatnonzero(group_start == np.arange(len(group_start)))
    earliest = np.minimum.reduceat(known_from, starts) if len(starts) else known_from
    of_each = np.repeat(earliest, np.diff(np.append(starts, len(days))))
    return (days >= of_each).astype(np.int8)
