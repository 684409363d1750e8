"""The step `evaluate`: sums of each model's measures, and what there is to know of the data.

Sums are of whole numbers, in units of 1 / SCALE, so that they are exact in any order. The keys are texts with bars,
such as `ndcg@10|item-knn|37` (the measure's sum over the users with 37 known items); they end in `squares` where
squares are summed.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.recommendation.exact_sums import SCALE, Sum, sum_table
from podreduce_apps.recommendation.lists import Ints, flat_values, list_offsets
from podreduce_apps.recommendation.measures import LONGEST, find_hits, measure

__all__ = ["SHOWN", "Evaluate"]

SHOWN = 10


class Evaluate:
    """Adds up measures (input `rank`) and facts of the data (input `core`, and `clean` for what was left out)."""

    combiner = "sum"

    def setup(self, context: JobContext) -> None:
        """Take the context."""
        self.context = context

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the sums of a batch."""
        readers = {"rank": sum_measures, "core": count_users, "clean": count_notes}
        return sum_table(readers[self.context.input](batch))


def sum_measures(batch: pa.RecordBatch) -> Iterator[Sum]:
    """Yield the measures of each model by the number of known items, and how often it shows each item."""
    tested = batch.filter(pc.greater(pc.list_value_length(batch.column("test_ids")), 0))
    for name in pc.unique(tested.column("model")).to_pylist():
        lists = tested.filter(pc.equal(tested.column("model"), name))
        yield from sum_model(name, lists)


def sum_model(name: str, lists: pa.RecordBatch) -> Iterator[Sum]:
    """Yield the sums of one model."""
    items, item_offsets = flat_values(lists.column("items")).to_numpy(), list_offsets(lists.column("items"))
    tests, test_offsets = flat_values(lists.column("test_ids")).to_numpy(), list_offsets(lists.column("test_ids"))
    hits = find_hits(items.astype(np.int64), item_offsets, tests.astype(np.int64), test_offsets, LONGEST)
    known = lists.column("known").to_numpy()
    yield from sum_groups(f"users|{name}", known, np.ones(len(known), np.int64))
    for measured, values in measure(hits, np.diff(test_offsets)).items():
        scaled, squares = np.rint(values * SCALE), np.rint(values * values * SCALE)
        yield from sum_groups(f"{measured}|{name}", known, scaled.astype(np.int64))
        yield from sum_groups(f"{measured}|{name}", known, squares.astype(np.int64), "|squares")
    places = np.arange(len(items)) - np.repeat(item_offsets[:-1], np.diff(item_offsets))
    shown, counts = np.unique(items[places < SHOWN], return_counts=True)
    yield from ((f"shown|{name}|{item}", count) for item, count in zip(shown.tolist(), counts.tolist(), strict=True))


def sum_groups(prefix: str, known: Ints, values: Ints, suffix: str = "") -> Iterator[Sum]:
    """Yield the sum of the values for each number of known items."""
    order = np.argsort(known, kind="stable")
    groups, starts = np.unique(known[order], return_index=True)
    if len(groups):
        sums = np.add.reduceat(values[order], starts)
        yield from (
            (f"{prefix}|{group}{suffix}", value) for group, value in zip(groups.tolist(), sums.tolist(), strict=True)
        )


def count_users(batch: pa.RecordBatch) -> Iterator[Sum]:
    """Yield how many users and events the two parts have."""
    known = pc.list_value_length(batch.column("ids")).to_numpy()
    tests = pc.list_value_length(batch.column("test_ids")).to_numpy()
    unknown = pc.equal(flat_values(batch.column("test_ids")), -1)
    yield "data|users", len(known)
    yield "data|users models learn from", int(pc.sum(batch.column("is_kept")).as_py() or 0)
    yield "data|users with a test", int((tests > 0).sum())
    yield "data|users with a test and no history", int(((tests > 0) & (known == 0)).sum())
    yield "data|events to learn from", int(known.sum())
    yield "data|events to predict", int(tests.sum())
    yield "data|events to predict of unknown items", int(pc.sum(unknown).as_py() or 0)
    for name, part in (("data|ratings to learn from", "values"), ("data|ratings to predict", "test_values")):
        yield name, int(np.isfinite(flat_values(batch.column(part)).to_numpy()).sum())
    for size, count in zip(*(column.tolist() for column in np.unique(known, return_counts=True)), strict=True):
        yield f"history|{size}", count


def count_notes(batch: pa.RecordBatch) -> Iterator[Sum]:
    """Yield what `clean` read and left out: its rows without a user."""
    notes = batch.filter(pc.is_null(batch.column("user")))
    reasons, numbers = (
        flat_values(notes.column("items")).to_pylist(),
        flat_values(notes.column("events")).to_pylist(),
    )
    yield from ((f"clean|{reason}", number) for reason, number in zip(reasons, numbers, strict=True))
