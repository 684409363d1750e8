"""The steps `start-factors`, `user-factors` and `item-factors`: factors by alternating least squares (`factors`).

The loop's state is what the items' factors are: those of the users follow from them. Two models are made side by side:
one of who chose what, and, where there are ratings, one of these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_positive, read_whole
from podreduce_apps.recommendation.baseline import Baseline
from podreduce_apps.recommendation.factor_model import FactorModel
from podreduce_apps.recommendation.factors import Choices, Floats, Objective, Ratings, Rows, start_factors
from podreduce_apps.recommendation.lists import Ints, build_lists, flat_values
from podreduce_apps.recommendation.matrix import read_rows, sorted_rows

__all__ = [
    "LOSS_UNIT",
    "ItemFactors",
    "StartFactors",
    "Target",
    "UserFactors",
    "read_choices_model",
    "read_factors",
    "read_targets",
    "solve_rounds",
]

LOSS_UNIT = 1 << 20
LEAST_CHANGE = 1e-3
"""The loop ends when no loss changes by more than this part of it, as the pipeline says, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One of the models: what is minimised, and with how many factors."""

    objective: Objective
    width: int


def read_targets(parameters: Mapping[str, str], *, has_ratings: bool) -> dict[str, Target]:
    """Return the models by the columns that have their factors. Without ratings there is but one."""
    width = read_whole(parameters, "alsFactors", least=1)
    targets = {"choices": Target(objective=read_choices(parameters), width=width)}
    if has_ratings:
        ratings = Ratings(penalty=read_positive(parameters, "ratingPenalty"))
        targets["ratings"] = Target(objective=ratings, width=read_whole(parameters, "ratingFactors", least=1))
    return targets


def read_choices(parameters: Mapping[str, str]) -> Choices:
    """Return what the model of who chose what minimises."""
    return Choices(weight=read_positive(parameters, "alsWeight"), penalty=read_positive(parameters, "alsPenalty"))


class StartFactors:
    """Items → id, and per model factors and loss, and the round. Side inputs: `items`, `users`, `raters`.

    Of a small matrix (`alsOneTaskEvents`) the state is that of the last round but two, so the loop repeats two rounds
    in place of all.
    """

    def setup(self, context: JobContext) -> None:
        """Solve a small matrix."""
        items = context.side_table("items")
        self.targets = read_targets(context.parameters, has_ratings=Baseline(items).ratings > 0)
        self.factors = {name: start_factors(items.num_rows, each.width) for name, each in self.targets.items()}
        self.losses = {name: np.zeros(items.num_rows) for name in self.targets}
        self.round = 0
        if pc.sum(items["count"]).as_py() <= read_whole(context.parameters, "alsOneTaskEvents"):
            users, raters = sorted_rows(context.side_table("users")), sorted_rows(context.side_table("raters"))
            states = solve_rounds(self.targets, users, raters, self.factors, read_rounds(context.parameters))
            self.round = max(len(states) - 3, 0)
            self.factors = states[self.round][0]
            self.losses |= states[self.round][1]

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the state of a batch's items."""
        ids = batch.column("id").to_numpy().astype(np.int64)
        factors = {name: each[ids] for name, each in self.factors.items()}
        losses = {name: each[ids] for name, each in self.losses.items()}
        return state_table(ids, factors, losses, self.round)


class UserFactors:
    """Rows of users → number, and per model factors. Side input: `factors`, the state before."""

    def setup(self, context: JobContext) -> None:
        """Read the items' factors."""
        state = context.side_table("factors")
        self.factors = read_factors(state)
        self.targets = read_targets(context.parameters, has_ratings="ratings" in self.factors)

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the factors of a batch's users."""
        rows = read_rows(batch)
        found = {name: each.objective.solve(rows, self.factors[name]) for name, each in self.targets.items()}
        return pa.table({"id": rows.numbers, **{name: list_column(each) for name, each in found.items()}})


class ItemFactors:
    """Rows of items → the state after a round. Side inputs: `users`, their factors, and `factors`, the state before.

    Counts each model's loss. After `alsRounds` nothing changes any more, which ends the loop.
    """

    def setup(self, context: JobContext) -> None:
        """Read the factors of both sides."""
        self.context = context
        self.users, before = read_factors(context.side_table("users")), context.side_table("factors").sort_by("id")
        self.before, self.losses_before = read_factors(before), read_losses(before)
        self.round = before["round"][0].as_py() + 1
        self.is_over = self.round > read_rounds(context.parameters)
        self.targets = read_targets(context.parameters, has_ratings="ratings" in self.users)
        context.count("als", "ratings", 0)  # a model that is not there has a loss, too: it does not change

    def map_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the new factors of a batch's items, and count their losses."""
        rows = read_rows(batch)
        factors, losses = {}, {}
        for name, each in self.targets.items():
            if self.is_over:
                factors[name], losses[name] = self.before[name][rows.numbers], self.losses_before[name][rows.numbers]
            else:
                count = len(self.before[name])
                factors[name] = each.objective.solve(rows, self.users[name])
                losses[name] = each.objective.losses(rows, factors[name], self.users[name], count)
            self.context.count("als", name, whole_loss(losses[name]))
        return state_table(rows.numbers, factors, losses, self.round)


State = tuple[dict[str, Floats], dict[str, Floats]]
"""Factors and losses of all items, by model."""


def solve_rounds(
    targets: Mapping[str, Target], users: Rows, items: Rows, factors: dict[str, Floats], rounds: int
) -> list[State]:
    """Return the state after each round, the first of them before any, until no loss changes by much."""
    states: list[State] = [(factors, {})]
    while len(states) <= rounds and not is_settled([losses for _, losses in states[-2:]]):
        before, after, losses = states[-1][0], {}, {}
        for name, target in targets.items():
            others = target.objective.solve(users, before[name])
            after[name] = target.objective.solve(items, others)
            losses[name] = target.objective.losses(items, after[name], others, len(items.numbers))
        states.append((after, losses))
    return states


def is_settled(losses: Sequence[Mapping[str, Floats]]) -> bool:
    """Tell whether no loss of the last of two rounds has changed by much, as the pipeline's loop tells it."""
    if not losses[0]:
        return False
    pairs = [(whole_loss(losses[0][name]), whole_loss(losses[-1][name])) for name in losses[0]]
    return len(losses) > 1 and all(abs(new - old) < LEAST_CHANGE * old or new == old for old, new in pairs)


def whole_loss(losses: Floats) -> int:
    """Return the sum of losses as a whole number, which is the same in any order."""
    return int(np.rint(losses * LOSS_UNIT).astype(np.int64).sum())


def read_rounds(parameters: Mapping[str, str]) -> int:
    """Return how many rounds there are at most."""
    return read_whole(parameters, "alsRounds", least=1)


def state_table(ids: Ints, factors: Mapping[str, Floats], losses: Mapping[str, Floats], number: int) -> pa.Table:
    """Return the state after a round."""
    columns = {name: list_column(each) for name, each in factors.items()}
    columns |= {f"{name}_loss": each for name, each in losses.items()}
    return pa.table({"id": ids, **columns, "round": np.full(len(ids), number)})


def list_column(factors: Floats) -> Any:  # noqa: ANN401 - an Arrow array
    """Return factors as a column of lists."""
    return build_lists(np.arange(len(factors) + 1) * factors.shape[1], factors.ravel())


def read_factors(table: pa.Table) -> dict[str, Floats]:
    """Return the factors of a whole side by model: row i is number i."""
    ordered = table.sort_by("id")
    names = [name for name in ("choices", "ratings") if name in ordered.schema.names]
    return {name: flat_values(ordered[name]).to_numpy().reshape(ordered.num_rows, -1) for name in names}


def read_choices_model(state: pa.Table, parameters: Mapping[str, str]) -> FactorModel:
    """Return the model of who chose what."""
    return FactorModel(read_factors(state)["choices"], read_choices(parameters))


def read_losses(state: pa.Table) -> dict[str, Floats]:
    """Return the losses of a sorted state by model."""
    names = [name for name in ("choices", "ratings") if name in state.schema.names]
    return {name: state[f"{name}_loss"].to_numpy() for name in names}
