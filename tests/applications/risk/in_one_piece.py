"""The application's computation in one process and one batch, without podreduce: what a run must give to the digit."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from podreduce_apps.risk.alerts import Alerts
from podreduce_apps.risk.background import Background
from podreduce_apps.risk.boosting import Boosting
from podreduce_apps.risk.calibration import Calibrate
from podreduce_apps.risk.card_days import CardDays
from podreduce_apps.risk.card_windows import CardWindows
from podreduce_apps.risk.merchant_windows import MerchantWindows
from podreduce_apps.risk.scoring import Score
from podreduce_apps.risk.training import Moments, NewtonStep, TrainingRows

__all__ = ["InOnePiece"]

Pairs = list[tuple[Any, Any]]


@dataclass(slots=True)
class PlainContext:
    """What a job asks its context for."""

    parameters: Mapping[str, str]
    sides: Mapping[str, Pairs]
    place: Path
    task: str = "r-0"
    counters: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, group: str, name: str, n: int = 1) -> None:
        self.counters[group, name] += n

    def side_input(self, name: str) -> Any:
        return iter(self.sides[name])

    def output_file(self, name: str) -> Path:
        return self.place / name


@dataclass(frozen=True, slots=True)
class InOnePiece:
    """The steps of pipeline.yaml from clean transactions to alerts.

    Attributes:
        parameters: the pipeline's.
        largest_step: below which the search for the weights ends.
        place: a directory for files.
    """

    parameters: Mapping[str, str]
    largest_step: float
    place: Path

    def score(self, clean: pa.Table) -> pa.Table:
        """Return the scored rows, and write the file of alerts."""
        by_card = self.in_windows(CardWindows(), clean)
        rows = self.in_windows(MerchantWindows(), by_card)
        training = self.mapped(TrainingRows(), rows)
        moments = self.reduced(Moments(), training)
        model = moments
        while True:
            model = self.reduced(NewtonStep(), training, moments=moments, state=model)
            if dict(model)["largestStep"] < self.largest_step:
                break
        background, boosted = self.reduced(Background(), training), self.reduced(Boosting(), training)
        sides = {"moments": moments, "model": model}
        calibration = self.reduced(Calibrate(), rows, **sides)
        sides |= {"calibration": calibration, "background": background, "boosted": boosted}
        scored = self.mapped(Score(), rows, **sides)
        self.write_alerts(self.reduced(CardDays(), scored), **sides)
        return scored

    def context(self, sides: Mapping[str, Pairs]) -> PlainContext:
        """Return a context with side inputs."""
        return PlainContext(self.parameters, sides, self.place)

    def in_windows(self, job: Any, table: pa.Table) -> pa.Table:
        """Return the rows of a job that is called with all rows in order."""
        job.setup(self.context({}))
        ordered = table.sort_by([(name, "ascending") for name in job.key_columns])
        return pa.table(job.reduce_batch(job.map_batch(one_batch(ordered))))

    def mapped(self, job: Any, table: pa.Table, **sides: Pairs) -> pa.Table:
        """Return the rows of a job without a reduce."""
        job.setup(self.context(sides))
        found = job.map_batch(one_batch(table))
        return found if isinstance(found, pa.Table) else pa.Table.from_batches([found])

    def reduced(self, job: Any, table: pa.Table, **sides: Pairs) -> Pairs:
        """Return the pairs of a job that groups the values of a batch."""
        if hasattr(job, "setup"):
            job.setup(self.context(sides))
        rows = job.map_batch(one_batch(table))
        pairs = zip(rows["key"].to_pylist(), rows["value"].to_pylist(), strict=True)
        most = int(getattr(job, "combiner", "smallest:0").removeprefix("smallest:"))
        return reduce_groups(job, grouped(pairs), most)

    def write_alerts(self, card_days: Pairs, **sides: Pairs) -> None:
        """Write the file of alerts."""
        job = Alerts()
        job.setup(self.context(sides))
        reduce_groups(job, grouped(pair for day, card in card_days for pair in job.map_func(day, card)), 0)
        job.teardown()


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """Return a table as one batch."""
    (batch,) = table.combine_chunks().to_batches(max_chunksize=max(table.num_rows, 1)) or [
        pa.RecordBatch.from_pylist([], schema=table.schema)
    ]
    return batch


def grouped(pairs: Iterable[tuple[Any, Any]]) -> Pairs:
    """Return the values of each key, in the order of the keys."""
    groups: dict[Any, list[Any]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return sorted(groups.items(), key=lambda pair: pair[0])


def reduce_groups(job: Any, groups: Pairs, most: int) -> Pairs:
    """Return what a job yields; with `most` it gets only so many of the smallest values."""
    return [
        pair for key, values in groups for pair in job.reduce_func(key, iter(sorted(values)[:most] if most else values))
    ]
