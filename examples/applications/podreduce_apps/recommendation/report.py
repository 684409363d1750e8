"""The step `report`: one page for people, and metrics.json for programs."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_fraction
from podreduce_apps.recommendation.findings import Findings, describe
from podreduce_apps.recommendation.leaderboard import measures_of, models_of, read_sums
from podreduce_apps.recommendation.names import ItemNames
from podreduce_apps.recommendation.shown_users import Drawn, draw_histories, draw_lists, join_users, smallest
from podreduce_apps.recommendation.times import find_cut

__all__ = ["Report"]

SHOWN_USERS = 20
SUMS = ("evaluate", "rate")
PLACES = ("input", "output")
"""Parameters that say where data are, not what was done."""


class Report:
    """Writes report.html and metrics.json.

    Inputs: `evaluate`, `rate`, `rank`, `core`. Side inputs: `items`, `titles`, `times`. Needs one reduce task. Yields
    each model with its measures.
    """

    def setup(self, context: JobContext) -> None:
        """Take the context."""
        self.context = context
        self.sums: dict[str, int] = {}
        self.histories: dict[str, Drawn] = {}
        self.lists: dict[str, Drawn] = {}

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return sums, and users to show, as JSON by what they are."""
        if self.context.input in SUMS:
            values: list[Any] = [
                dict(zip(batch.column("key").to_pylist(), batch.column("value").to_pylist(), strict=True))
            ]
        elif self.context.input == "core":
            values = list(draw_histories(batch, SHOWN_USERS))
        else:
            values = list(draw_lists(batch, self.context.parameters["serve"], SHOWN_USERS))
        packed = [json.dumps(value).encode() for value in values]
        return pa.table({"key": [self.context.input] * len(packed), "value": pa.array(packed, pa.binary())})

    def reduce_func(self, what: str, values: Iterable[bytes]) -> Iterator[tuple[str, dict[str, float]]]:
        """Collect what the page needs, and yield each model with its measures."""
        if what == "core":
            self.histories = smallest(values, SHOWN_USERS)
        elif what == "rank":
            self.lists = smallest(values, SHOWN_USERS)
        else:
            found = {key: number for value in values for key, number in json.loads(value).items()}
            self.sums.update(found)
            sums = read_sums(found)
            for model in models_of(sums):
                yield model, {name: mean.value for name, mean in measures_of(sums, model).items()}

    def teardown(self) -> None:
        """Write the files, in the reduce task."""
        if not self.context.task.startswith("r"):
            return
        # Only the task that draws imports the library of plots: half a second of CPU time.
        from podreduce_apps.recommendation.page import render_report  # noqa: PLC0415

        findings = self.collect()
        path = self.context.output_file("report.html")
        path.write_text(render_report(findings), encoding="utf-8")
        metrics = self.context.output_file("metrics.json")
        metrics.write_text(json.dumps(describe(findings), indent=1) + "\n", encoding="utf-8")

    def collect(self) -> Findings:
        """Return all that the files are made of."""
        items = self.context.side_table("items").sort_by("id")
        times, given = self.context.side_table("times"), self.context.parameters
        parameters = {name: given[name] for name in given if name not in PLACES}
        cut = find_cut(times, read_fraction(parameters, "testFraction")) if parameters["split"] == "time" else None
        return Findings(
            sums=read_sums(self.sums),
            names=ItemNames(items, self.context.side_table("titles")),
            counts=items["count"].to_pylist(),
            times=dict(zip(times["key"].to_pylist(), times["value"].to_pylist(), strict=True)),
            cut=cut,
            users=join_users(self.histories, self.lists),
            parameters=parameters,
        )
