"""The jobs that learn a logistic regression: choose the rows, add up the moments, take one Newton step."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.counted_nouns import count_of
from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_positive
from podreduce_apps.risk.exact_sums import exact_sums
from podreduce_apps.risk.features import FEATURES, feature_matrix
from podreduce_apps.risk.logistic import Newton, Scaler, loss_terms, moment_terms
from podreduce_apps.risk.periods import DAY_SECONDS, Periods
from podreduce_apps.risk.provenance import code_digest, digest_of_rows, row_hashes

__all__ = ["Moments", "NewtonStep", "TrainingRows", "read_scaler"]


class TrainingRows:
    """Keeps the rows to learn from: those of the training days, whose reports are there by the first scored day."""

    def setup(self, context: JobContext) -> None:
        """Read the periods."""
        self.periods = Periods.read(context.parameters)

    def map_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows of the training days, with what the models see of them."""
        days = batch["time"].to_numpy() // DAY_SECONDS
        is_chosen = (days >= self.periods.train_from) & (days < self.periods.train_to)
        return batch.filter(pa.array(is_chosen)).select(["id", *FEATURES, "fraud"])


SUMS, HASHES = 0, 1
"""The keys of `Moments`."""


class Moments:
    """The scaler of the features, and the start of the search: the state of the first Newton step.

    And what the model is made of: digests of the rows to learn from, and of the code.
    """

    def setup(self, context: JobContext) -> None:
        """Keep the context."""
        self.context = context

    def map_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the exact sums of the batch, and the hashes of its rows."""
        sums = exact_sums(moment_terms(feature_matrix(batch)))
        frauds = int(batch["fraud"].to_numpy().sum())
        texts = [joined([batch.num_rows, frauds, *sums]), b"".join(row_hashes(batch)).hex()]
        return pa.record_batch({"key": [SUMS, HASHES], "value": texts})

    def reduce_func(self, key: int, values: Iterator[str]) -> Iterator[tuple[str, Any]]:
        """Yield the number of rows and frauds, the scaler, and the start; of the hashes the digests.

        Raises:
            ValueError: there is nothing to learn from.
        """
        if key == HASHES:
            yield "dataDigest", digest_of_rows(bytes.fromhex(value) for value in values)
            yield "codeDigest", code_digest()
            return
        count, frauds, *sums = total_of(values)
        if not 0 < frauds < count:
            raise ValueError(
                f"{count_of(count, 'transaction')} with {count_of(frauds, 'fraud')} in the training days: nothing can "
                "be learned. Choose trainFrom and trainDays so that there are both"
            )
        scaler, start = Scaler.of_sums(count, sums), Newton.begin(len(sums) // 2)
        yield "rows", count
        yield "frauds", frauds
        yield "mean", scaler.mean
        yield "deviation", scaler.deviation
        yield from state_pairs(start)


def read_scaler(moments: Mapping[str, Any]) -> Scaler:
    """Return the scaler of the step `moments`.

    Raises:
        ValueError: it is empty, because there was no transaction in the training days.
    """
    if "mean" not in moments:
        raise ValueError("no transactions in the training days: choose trainFrom and trainDays so that there are some")
    return Scaler(moments["mean"], moments["deviation"])


class NewtonStep:
    """One step towards the minimum of the loss. All sums are exact, so shards do not matter."""

    def setup(self, context: JobContext) -> None:
        """Read the scaler and where the search stands."""
        moments, state = dict(context.side_input("moments")), dict(context.side_input("state"))
        self.scaler = read_scaler(moments)
        self.newton = Newton(np.array(state["beta"]), np.array(state["step"]), state["loss"])
        self.inverse_penalty = read_positive(context.parameters, "inversePenalty")

    def map_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the exact sums of loss, gradient and Hessian of the batch."""
        scaled = self.scaler.apply(feature_matrix(batch))
        fraud = batch["fraud"].to_numpy().astype(np.float64)
        return one_row(exact_sums(loss_terms(scaled, fraud, self.newton.beta)))

    def reduce_func(self, _key: int, values: Iterator[str]) -> Iterator[tuple[str, Any]]:
        """Yield the state after the step."""
        yield from state_pairs(self.newton.next(total_of(values), self.inverse_penalty))


def state_pairs(newton: Newton) -> Iterator[tuple[str, Any]]:
    """Yield a state; `largestStep` is what the loop's condition looks at."""
    yield "beta", newton.beta.tolist()
    yield "step", newton.step.tolist()
    yield "loss", newton.loss
    yield "largestStep", float(np.max(np.abs(newton.step)))


def one_row(sums: list[int]) -> pa.RecordBatch:
    """Return integers of any size as a batch with one row."""
    return pa.record_batch({"key": [SUMS], "value": [joined(sums)]})


def joined(sums: list[int]) -> str:
    """Return integers of any size as a text."""
    return " ".join(map(str, sums))


def total_of(values: Iterator[str]) -> list[int]:
    """Return the sums of integers that were written by `joined`."""
    totals: list[int] = []
    for value in values:
        numbers = [int(each) for each in value.split()]
        totals = [a + b for a, b in zip(totals, numbers, strict=True)] if totals else numbers
    return totals
