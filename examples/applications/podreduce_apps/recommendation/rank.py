"""The step `rank`: each user's list by each model."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_whole
from podreduce_apps.recommendation.als import read_choices_model
from podreduce_apps.recommendation.lists import Ints, flat_values, list_offsets
from podreduce_apps.recommendation.measures import LONGEST
from podreduce_apps.recommendation.models import (
    EaseModel,
    Model,
    NeighbourModel,
    Popularity,
    RandomModel,
    Ranking,
    rank_items,
)

__all__ = ["MODELS", "Rank"]

MODELS = {
    "random": "chance: what any model has to be better than",
    "popularity": "what most users chose, recent choices counting more; the same for everybody",
    "item-knn": "items that are in the same baskets as those that the user has",
    "ease": "a linear model of all items at once (EASE)",
    "als": "some numbers for each user and item, whose product says what a user would choose (ALS)",
}
"""The models, and what each is."""
LIST = pa.list_(pa.int32())
SCHEMA = pa.schema(
    [
        ("user", pa.string()),
        ("model", pa.string()),
        ("known", pa.int64()),
        ("items", LIST),
        ("scores", pa.list_(pa.float64())),
        ("reasons", LIST),
        ("test_ids", LIST),
    ]
)


class Rank:
    """Ranks all items for each user, without those that the user has.

    A user with events to predict gets a list of each model, so that `evaluate` can compare them; any other user only
    that of the model `serve`. Parameters: `serve`, `listLength`. Side inputs: `items`, `neighbours`, `ease`, `factors`.
    """

    def setup(self, context: JobContext) -> None:
        """Read the models.

        Raises:
            ValueError: there is no such model to serve.
        """
        self.length = read_whole(context.parameters, "listLength", least=LONGEST)
        self.served = context.parameters["serve"]
        items = context.side_table("items").sort_by("id")
        self.popularity = Popularity(items["popularity"].to_numpy(), items["count"].to_numpy())
        self.models: dict[str, Model] = {"random": RandomModel(items.num_rows), "popularity": self.popularity}
        self.models["item-knn"] = NeighbourModel(context.side_table("neighbours"), items.num_rows)
        weights = context.side_table("ease")
        if weights.num_rows:
            self.models["ease"] = EaseModel.from_table(weights)
        self.models["als"] = read_choices_model(context.side_table("factors"), context.parameters)
        if self.served not in self.models:
            raise ValueError(f"serve={self.served} must be one of {', '.join(self.models)}")

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the lists of the batch's users."""
        histories = list(split_lists(batch.column("ids")))
        tests = list(split_lists(batch.column("test_ids")))
        rows = []
        for user, history, test in zip(batch.column("user").to_pylist(), histories, tests, strict=True):
            for name in self.models if len(test) else (self.served,):
                ranking = rank_items(self.models[name], self.popularity, user, history, self.length)
                rows.append(as_row(user, name, history, test, ranking))
        return pa.Table.from_pylist(rows, schema=SCHEMA)


def split_lists(column: Any) -> Iterator[Ints]:  # noqa: ANN401 - pyarrow has no types
    """Yield each row's list of ids."""
    values, offsets = flat_values(column).to_numpy().astype(np.int64), list_offsets(column)
    for start, end in pairwise(offsets.tolist()):
        yield values[start:end]


def as_row(user: str, model: str, history: Ints, test: Ints, ranking: Ranking) -> dict[str, Any]:
    """Return a list as a row of the output."""
    return {
        "user": user,
        "model": model,
        "known": len(history),
        "items": ranking.items,
        "scores": ranking.scores,
        "reasons": ranking.reasons,
        "test_ids": test,
    }
