"""What was known about a merchant at each transaction: how many it had, and the share of them that was fraud.

A fraud is reported days later. So the windows end at the label delay: of w days they are (t - delay - w, t - delay].
Without the delay the share would contain the answer, and every figure would be too good.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.card_windows import WINDOW_DAYS
from podreduce_apps.risk.periods import DAY_SECONDS, Periods
from podreduce_apps.risk.windows import GroupTail, Rows, window_sums

__all__ = ["MerchantWindows"]


class MerchantWindows:
    """The transactions of each merchant in order of time, with the merchant's past up to the label delay."""

    key_columns = ("merchant", "time", "id")

    def setup(self, context: JobContext) -> None:
        """Read the label delay."""
        self.delay_days = Periods.read(context.parameters).delay_days
        self.tail = GroupTail("merchant", longest_window(self.delay_days))

    def map_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the transactions, to be sorted by merchant and time."""
        return batch

    def reduce_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the rows with the columns of `merchant_columns`."""
        table, known = self.tail.prepend(pa.Table.from_batches([batch]))
        for name, values in merchant_columns(table, self.delay_days).items():
            table = table.append_column(name, pa.array(values))
        return table.slice(known)


def longest_window(delay_days: int) -> int:
    """Return the seconds that a transaction can count for."""
    return (max(WINDOW_DAYS) + delay_days) * DAY_SECONDS


def merchant_columns(table: pa.Table, delay_days: int) -> dict[str, npt.NDArray[np.generic]]:
    """Return the columns about merchants, for rows that are sorted by merchant and time."""
    codes = table["merchant"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    rows = Rows.of(codes, table["time"].to_numpy(), longest_window(delay_days))
    fraud = table["fraud"].to_numpy().astype(np.int64)
    end = rows.first_after(delay_days * DAY_SECONDS)
    columns: dict[str, npt.NDArray[np.generic]] = {}
    for days in WINDOW_DAYS:
        first = rows.first_after((delay_days + days) * DAY_SECONDS)
        count = end - first
        columns[f"merchant_count_{days}d"] = count
        columns[f"merchant_risk_{days}d"] = window_sums(fraud, first, end) / np.maximum(count, 1)
    return columns
