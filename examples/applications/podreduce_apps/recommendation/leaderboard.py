"""From sums to means: each model's measures with their confidence intervals, by activity, and what it shows people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, log2, sqrt

from podreduce_apps.recommendation.exact_sums import SCALE, join_words
from podreduce_apps.recommendation.measures import MEASURES

__all__ = [
    "TWO_SIDED_95",
    "Mean",
    "Sums",
    "activity_groups",
    "coverage",
    "mean_of_group",
    "measures_of",
    "models_of",
    "novelty",
    "read_sums",
    "shown_shares",
]

TWO_SIDED_95 = 1.959963984540054
Sums = Mapping[str, Mapping[str, Mapping[str, int]]]
"""`sums[what][of][group]`, as `evaluate` names them: `ndcg@10|item-knn|37`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean over users. `half_width`: of its 95 % confidence interval, by the normal approximation."""

    value: float
    half_width: float
    users: int


def read_sums(pairs: Mapping[str, int]) -> dict[str, dict[str, dict[str, int]]]:
    """Return sums by what they are of, from those of their words."""
    sums: dict[str, dict[str, dict[str, int]]] = {}
    for key, value in sorted(join_words(pairs).items()):
        what, name, *rest = key.split("|")
        if rest[1:] == ["squares"]:
            what = f"{what} squares"
        sums.setdefault(what, {}).setdefault(name, {})[rest[0] if rest else ""] = value
    return sums


def models_of(sums: Sums) -> list[str]:
    """Return the models, the best by NDCG first."""
    means = {
        model: mean_of_group(sums, "ndcg@10", model, list(groups)) for model, groups in sums.get("users", {}).items()
    }
    return sorted(means, key=lambda model: (-means[model].value, model))


def mean_of_group(sums: Sums, measure: str, model: str, group: Sequence[str]) -> Mean:
    """Return the mean over the users whose numbers of known items are in a group."""
    users = sum(sums["users"][model].get(known, 0) for known in group)
    if not users:
        return Mean(value=0, half_width=0, users=0)
    total = sum(sums[measure][model].get(known, 0) for known in group) / SCALE
    squares = sum(sums[f"{measure} squares"][model].get(known, 0) for known in group) / SCALE
    mean = total / users
    variance = max(squares - users * mean * mean, 0) / max(users - 1, 1)
    return Mean(value=mean, half_width=TWO_SIDED_95 * sqrt(variance / users), users=users)


def measures_of(sums: Sums, model: str) -> dict[str, Mean]:
    """Return all measures of a model over all users."""
    everybody = list(sums["users"][model])
    return {measure: mean_of_group(sums, measure, model, everybody) for measure in MEASURES}


def activity_groups(sums: Sums, model: str, groups: int = 10) -> list[list[str]]:
    """Return the numbers of known items in groups of about as many users each, the least active first."""
    sizes = sorted(sums["users"][model], key=int)
    total, seen = sum(sums["users"][model].values()), 0
    found: list[list[str]] = [[] for _ in range(groups)]
    for size in sizes:
        found[min(seen * groups // total, groups - 1)].append(size)
        seen += sums["users"][model][size]
    return [group for group in found if group]


def coverage(sums: Sums, model: str, items: int) -> float:
    """Return the share of all items that the model shows at least one user, among the first 10."""
    return len(sums["shown"][model]) / items


def novelty(sums: Sums, model: str, counts: Sequence[int], users: int) -> float:
    """Return how surprising what a model shows is: the mean of -log2(share of users that have the item), in bits."""
    shown = sums["shown"][model]
    bits = fsum(times * -log2(counts[int(item)] / users) for item, times in shown.items())
    return bits / sum(shown.values())


def shown_shares(sums: Sums, model: str, counts: Sequence[int], groups: int = 10) -> list[float]:
    """Return which share of what the model shows goes to each tenth of the items, the most popular tenth first."""
    order = sorted(range(len(counts)), key=lambda item: (-counts[item], item))
    place = {item: number * groups // len(order) for number, item in enumerate(order)}
    shares = [0] * groups
    for item, times in sums["shown"][model].items():
        shares[place[int(item)]] += times
    return [share / sum(shares) for share in shares]
