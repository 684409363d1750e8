"""The tables of the report. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from podreduce_apps.counted_nouns import count_of
from podreduce_apps.report_page import Table, format_count, format_number
from podreduce_apps.risk.features import FEATURES

__all__ = ["benford_table", "drift_table", "rings_table", "scores_table", "slices_table", "weights_table"]

MOST_ROWS = 20
SHOWN_CARDS = 5

SCORES = {
    "probability": "logistic regression (chooses the alerts)",
    "boosted": "boosted trees (challenger)",
    "isolation": "isolation forest, without reports",
    "ecod": "ECOD, without reports",
    "hbos": "HBOS, without reports",
    "card_z": "robust z of the card's amounts, without reports",
}


def scores_table(metrics: Mapping[str, Any]) -> Table | None:
    """Return how the scores compare; None while nothing can be judged."""
    if metrics["quality"] is None:
        return None
    columns = ["score", "average precision", "AUC", f"card precision at {metrics['protocol']['cardsPerDay']}"]
    judged = metrics["quality"]["scores"]
    return Table(
        columns=columns,
        rows=[(title, *score_cells(judged[name])) for name, title in SCORES.items()],
        caption="The same days, transactions and protocol for all. Found cards leave the list.",
        numeric=frozenset(columns[1:]),
        marked=frozenset({0}),
    )


def score_cells(judged: Mapping[str, float] | None) -> tuple[str, str, str]:
    """Return the cells of a score, dashes if there is none."""
    found = judged or {}
    precision, auc, cards = (found.get(name) for name in ("averagePrecision", "auc", "cardPrecision"))
    return format_number(precision), format_number(auc), format_number(cards)


SLICES = {"channel": "channel", "country": "country", "amount": "amount"}


def slices_table(metrics: Mapping[str, Any]) -> Table | None:
    """Return how good the scores are in each part of the transactions; None while nothing can be judged."""
    if metrics["quality"] is None:
        return None
    columns = ["part", "transactions", "reported frauds", "frauds that the model expects", "average precision", "AUC"]
    return Table(
        columns=columns,
        rows=[
            (
                f"{title} {part['name']}",
                format_count(part["rows"]),
                format_count(part["frauds"]),
                format_number(part["expectedFrauds"], 1),
                format_number(part["averagePrecision"]),
                format_number(part["auc"]),
            )
            for kind, title in SLICES.items()
            for part in metrics["quality"]["slices"][kind]
        ],
        caption="The same days for each part. Where expected and reported frauds differ much, probabilities are wrong.",
        numeric=frozenset(columns[1:]),
    )


def weights_table(moments: Mapping[str, Any], model: Mapping[str, Any]) -> Table:
    """Return the model's weights, the strongest first."""
    rows = sorted(
        zip(FEATURES.values(), model["beta"], moments["mean"], moments["deviation"], strict=False),
        key=lambda row: -abs(row[1]),
    )
    return Table(
        columns=["what", "weight", "mean", "deviation"],
        rows=[
            (name, f"{weight:+.3f}", format_number(mean), format_number(deviation))
            for name, weight, mean, deviation in rows
        ],
        caption="By so much the log odds of fraud change when a value is one standard deviation above its mean.",
        numeric=frozenset({"weight", "mean", "deviation"}),
    )


def drift_table(drift: Mapping[str, float]) -> Table:
    """Return how far each feature has moved, the farthest first."""
    return Table(
        columns=["what", "PSI"],
        rows=[(FEATURES[name], format_number(index)) for name, index in sorted(drift.items(), key=lambda row: -row[1])],
        caption="Population stability index of the scored days beside the training days, over deciles. "
        "Below 0.1 little has changed, above 0.25 learn again.",
        numeric=frozenset({"PSI"}),
    )


def benford_table(benford: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return the verdicts on first digits, everything first, then those that are farthest from the law."""
    found = sorted(benford.items(), key=lambda row: (row[0] != "all transactions", -row[1]["meanAbsoluteDeviation"]))
    return Table(
        columns=["whose amounts", "amounts", "chi-square", "MAD", "conformity"],
        rows=[
            (
                name,
                format_count(verdict["amounts"]),
                format_number(verdict["chiSquare"], 1),
                format_number(verdict["meanAbsoluteDeviation"], 4),
                verdict["band"],
            )
            for name, verdict in found[:MOST_ROWS]
        ],
        caption="Only of at least 500 amounts, nine tenths of which go over a factor of ten. MAD: up to 0.006 close, "
        "0.012 acceptable, 0.015 marginal (Nigrini 2012).",
        numeric=frozenset({"amounts", "chi-square", "MAD"}),
    )


def rings_table(rings: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """Return the rings, the largest first."""
    found = sorted(
        (ring for kind, ring in rings if kind == "ring"), key=lambda ring: (-len(ring["cards"]), ring["cards"])
    )
    return Table(
        columns=["cards", "devices", "reported frauds on them", "which cards"],
        rows=[
            (
                format_count(len(ring["cards"])),
                format_count(len(ring["devices"])),
                format_count(ring["frauds"]),
                ", ".join(ring["cards"][:SHOWN_CARDS]) + (" …" if len(ring["cards"]) > SHOWN_CARDS else ""),
            )
            for ring in found[:MOST_ROWS]
        ],
        caption=f"{count_of(len(found), 'ring')} of at least three cards that shared devices in the last 30 days.",
        numeric=frozenset({"cards", "devices", "reported frauds on them"}),
    )
