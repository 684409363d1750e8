"""The state of a daily run: what later days have to know of the transactions so far, and no more.

Today's state is yesterday's, with today's transactions and reports, without what no window reaches any more. So a daily
run reads some forty days, however long the history is. Frauds since the training began stay: their cards are blocked.
"""

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.clean import TEXTS, TRANSACTION, Clean, named_as_fraud
from podreduce_apps.risk.merchant_windows import longest_window
from podreduce_apps.risk.periods import DAY_SECONDS, Periods

__all__ = ["State"]


class State:
    """Yesterday's state and today's files as today's state, in the form of `clean`."""

    key_columns = Clean.key_columns

    def setup(self, context: JobContext) -> None:
        """Read the periods; the scored days are today."""
        self.context, self.periods = context, Periods.read(context.parameters)
        self.clean = Clean()
        self.clean.setup(context)

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return transactions or reports as rows of one form."""
        return state_rows(batch) if self.context.input == "state" else self.clean.map_batch(batch)

    def reduce_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return each transaction that today or a later day has to know."""
        rows = self.clean.reduce_batch(batch)
        times, fraud = rows["time"].to_numpy(), rows["fraud"].to_numpy()
        oldest = self.periods.score_from * DAY_SECONDS - longest_window(self.periods.delay_days)
        is_blocking = (fraud > 0) & (times >= self.periods.train_from * DAY_SECONDS)
        is_over = times >= self.periods.score_to * DAY_SECONDS
        self.context.count("state", "laterThanToday", int(is_over.sum()))
        return rows.filter(pa.array(((times > oldest) | is_blocking) & ~is_over))


def state_rows(batch: pa.RecordBatch) -> pa.Table:
    """Return yesterday's transactions, and its reports once more."""
    names = ("time", "card", "amount", *TEXTS)
    kinds = pa.array(np.full(batch.num_rows, TRANSACTION, np.int8))
    table = pa.table({"id": batch["id"], "kind": kinds, **{name: batch[name] for name in names}})
    frauds = batch.filter(pa.array(batch["fraud"].to_numpy() > 0))
    reports = named_as_fraud(frauds["id"], frauds["time"])
    return pa.concat_tables([table, reports.select(table.column_names)])
