"""From files as they come to transactions one can rely on: typed, once each, in one currency, without card numbers.

A fraud report (`labels`) is joined to its transaction by its id. Duplicates may be days apart, so the id alone decides.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.risk.card_tokens import find_key, token_numbers
from podreduce_apps.risk.currencies import read_currencies, to_minor_units

__all__ = ["TEXTS", "TRANSACTION", "Clean", "named_as_fraud"]

TRANSACTION, REPORT = 0, 1
NAMES = ("id", "card", "merchant")
TEXTS = ("merchant", "country", "device", "channel")
COLUMNS = ("id", "time", "card", "merchant", "amount", "country", "device", "channel", "fraud")
TIMESTAMP = pa.timestamp("s", "UTC")


class Clean:
    """One row for each transaction. The first of duplicates counts; reports without a transaction are counted."""

    key_columns = ("id", "kind")

    def setup(self, context: JobContext) -> None:
        """Read the currencies and, in a map task, the key for card numbers."""
        self.context = context
        self.tokens: dict[str, int] = {}
        if context.task.startswith("m"):
            self.currencies = read_currencies(context.parameters["currencies"])
            self.key, is_sample_key = find_key(context.parameters)
            if is_sample_key:
                context.count("clean", "mapTasksWithSampleKey")

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return transactions or reports as rows of one form."""
        return report_rows(batch) if self.context.input == "labels" else self.read_transactions(batch)

    def read_transactions(self, batch: pa.RecordBatch) -> pa.Table:
        """Return typed transactions. A value that is none raises, so that its row counts as bad."""
        for name in NAMES:
            check_names(name, batch[name])
        columns = {
            "id": batch["id"],
            "kind": pa.array(np.full(batch.num_rows, TRANSACTION, np.int8)),
            "time": seconds_of(batch["time"]),
            "card": pa.array(token_numbers(batch["card"], self.key, self.tokens)),
            "amount": to_minor_units(batch["amount"], batch["currency"], self.currencies),
        }
        return pa.table(columns | {name: batch[name] for name in TEXTS})

    def reduce_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the first transaction of each id, with whether a report names it."""
        kinds = batch["kind"].to_numpy()
        starts = first_of_each(batch["id"])
        groups = np.flatnonzero(starts)
        is_reported = np.maximum.reduceat(kinds, groups) if len(groups) else kinds
        is_kept = kinds[groups] == TRANSACTION
        self.context.count("clean", "duplicates", int(np.count_nonzero(kinds == TRANSACTION) - is_kept.sum()))
        self.context.count("clean", "reportsWithoutTransaction", int(len(groups) - is_kept.sum()))
        kept = pa.Table.from_batches([batch]).take(pa.array(groups[is_kept]))
        fraud = pa.array(is_reported[is_kept].astype(np.int8))
        return kept.append_column("fraud", fraud).select(COLUMNS)


def report_rows(batch: pa.RecordBatch) -> pa.Table:
    """Return the ids that are reported as fraud, as rows of the same form as transactions."""
    check_names("id", batch["id"])
    return named_as_fraud(batch["id"], seconds_of(batch["reported"]))


def named_as_fraud(ids: pa.Array, times: pa.Array) -> pa.Table:
    """Return rows that say of transactions that they are fraud."""
    columns = {
        "id": ids,
        "kind": pa.array(np.full(len(ids), REPORT, np.int8)),
        "time": times,
        "card": pa.nulls(len(ids), pa.int64()),
        "amount": pa.nulls(len(ids), pa.int64()),
    }
    return pa.table(columns | {name: pa.nulls(len(ids), pa.string()) for name in TEXTS})


def check_names(column: str, names: pa.Array) -> None:
    """Check that no name is empty: all rows without one would count as the same card, merchant or transaction.

    Raises:
        ValueError: one is.
    """
    if pc.any(pc.equal(pc.utf8_trim_whitespace(pc.fill_null(names.cast(pa.string()), "")), "")).as_py():
        raise ValueError(f"{column} is empty: each transaction needs one")


def seconds_of(texts: pa.Array) -> pa.Array:
    """Return times such as 2018-07-25T08:30:00Z as seconds since 1970. Each must say its offset from UTC."""
    return pc.cast(pc.cast(texts, TIMESTAMP), pa.int64())


def first_of_each(sorted_values: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell for each of some sorted values whether it differs from the one before."""
    count = len(sorted_values)
    is_first = np.ones(count, bool)
    if count > 1:
        is_first[1:] = pc.not_equal(sorted_values.slice(1), sorted_values.slice(0, count - 1)).to_numpy(
            zero_copy_only=False
        )
    return is_first
