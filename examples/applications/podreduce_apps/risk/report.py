"""Writes what people read: the report, and the model card. And for machines `metrics.json` and `model.json`."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from podreduce_apps.counted_nouns import count_of
from podreduce_apps.job_context import JobContext
from podreduce_apps.report_page import KeyFigure, format_count, format_number, format_share, render_page
from podreduce_apps.risk.card_tokens import card_name
from podreduce_apps.risk.features import FEATURES
from podreduce_apps.risk.model_card import PSI_ALARM, Learned, model_card
from podreduce_apps.risk.report_plots import draw_all
from podreduce_apps.risk.report_tables import (
    benford_table,
    drift_table,
    rings_table,
    scores_table,
    slices_table,
    weights_table,
)
from podreduce_apps.risk.timelines import top_cases

__all__ = ["Report"]

TEMPLATE = Path(__file__).parent / "templates" / "report.html.jinja"
SECTIONS = [
    ("figures", "How good it is"),
    ("cases", "Whom to call first"),
    ("rules", "Rings and made-up amounts"),
    ("model", "What the model looks at"),
    ("protocol", "How it was measured"),
]


class Report:
    """Reads the alerts, and writes the pages at the end of its one reduce."""

    def setup(self, context: JobContext) -> None:
        """Read everything beside the alerts."""
        self.context = context
        self.alerts: list[Mapping[str, Any]] = []
        if context.task.startswith("r"):
            self.metrics = read_metrics(dict(context.side_input("evaluation")))
            moments, model, calibration = (
                dict(context.side_input(name)) for name in ("moments", "model", "calibration")
            )
            self.learned = Learned(moments=moments, model=model, calibration=calibration)
            self.drift = dict(context.side_input("drift"))
            self.benford = dict(context.side_input("benford"))
            self.rings = list(context.side_input("rings"))
            self.timelines = context.side_table("timelines").to_pylist()

    def map_func(self, _offset: int, line: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield each alert by day and rank."""
        alert = line["value"]
        yield f"{alert['day']}/{alert['rank']:09}", alert

    def reduce_func(self, _key: str, values: Iterator[Mapping[str, Any]]) -> None:
        """Keep the alerts in their order."""
        self.alerts.extend(values)

    def teardown(self) -> None:
        """Write the files."""
        if self.context.task.startswith("r"):
            self.metrics = {**self.metrics, "drift": self.drift, "benford": self.benford}
            card = model_card(self.learned, self.metrics, self.context.parameters)
            self.write("metrics.json", to_json(self.metrics))
            self.write("model.json", to_json(card))
            self.write("report.html", self.page(card))

    def write(self, name: str, text: str) -> None:
        """Write a file of the output."""
        self.context.output_file(name).write_text(text, encoding="utf-8")

    def page(self, card: Mapping[str, Any]) -> str:
        """Return the report."""
        return render_page(
            TEMPLATE,
            sections=SECTIONS,
            protocol=self.metrics["protocol"],
            figures=key_figures(self.metrics, self.alerts),
            plots=draw_all(self.metrics, self.alerts),
            cases=cases_of(self.alerts, self.timelines, self.learned.model),
            scores=scores_table(self.metrics),
            slices=slices_table(self.metrics),
            rings=rings_table(self.rings),
            hubs=sum(kind == "hub" for kind, _ in self.rings),
            benford=benford_table(self.benford),
            drift=drift_table(self.drift),
            is_drifting=max(self.drift.values(), default=0) > PSI_ALARM,
            weights=weights_table(self.learned.moments, self.learned.model),
            card=card,
            model=self.learned.name(),
            metrics=self.metrics,
            is_sample_key="sampleKey" in self.context.parameters and bool(self.context.parameters["sampleKey"]),
        )


def read_metrics(evaluation: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the figures of the step `evaluation`.

    Raises:
        ValueError: it is empty, because nothing was scored.
    """
    if "metrics" not in evaluation:
        raise ValueError(
            "no transactions in the scored days: choose trainFrom, trainDays and scoreDays so that there are"
        )
    found: Mapping[str, Any] = evaluation["metrics"]
    return found


def to_json(value: Mapping[str, Any]) -> str:
    """Return a value as JSON, the same for the same value."""
    return json.dumps(value, indent=1, sort_keys=True) + "\n"


def key_figures(metrics: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]) -> list[KeyFigure]:
    """Return the numbers at the top of the page: of what was scored, and how good it was if that is known."""
    base, quality = metrics["frauds"] / max(metrics["rows"], 1), metrics["quality"]
    scored = KeyFigure(
        label="Scored",
        value=format_count(metrics["rows"]),
        note=f"transactions; {format_count(metrics['frauds'])} are reported as fraud ({format_share(base, 2)})",
    )
    if quality is None:
        return [scored, KeyFigure(label="Alerts", value=format_count(len(alerts)), note="cards and days")]
    return [
        scored,
        *ranking_figures(quality, base, metrics["protocol"]["cardsPerDay"]),
        *money_figures(quality, alerts),
    ]


def ranking_figures(quality: Mapping[str, Any], base: float, k: int) -> list[KeyFigure]:
    """Return how well fraud is ranked before the rest."""
    precision = quality["cardPrecision"]
    return [
        KeyFigure(
            label="Average precision",
            value=format_number(quality["averagePrecision"]),
            note=f"of 1; a blind choice has {format_number(base)}",
        ),
        KeyFigure(
            label="AUC", value=format_number(quality["auc"]), note="that a fraud has the higher score; blind: 0.5"
        ),
        KeyFigure(
            label=f"Card precision at {k}",
            value=format_number(precision["foundCardsLeave"]),
            note=f"misused among the {k} cards of a day; found cards leave the list "
            f"({format_number(precision['foundCardsStay'])} if they stay)",
        ),
    ]


def money_figures(quality: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]]) -> list[KeyFigure]:
    """Return what the alerts were worth."""
    cost, right = quality["cost"], sum(each["isReported"] for each in alerts)
    saved = cost["withoutAlerts"] - cost["lowest"]
    return [
        KeyFigure(
            label="Alerts that were right",
            value=format_share(right / len(alerts) if alerts else None),
            note=f"{format_count(right)} of {count_of(len(alerts), 'alert')} (a card, a day) reported as fraud",
        ),
        KeyFigure(
            label="Saved at best",
            value=format_share(saved / cost["withoutAlerts"] if cost["withoutAlerts"] else None),
            note=f"of {format_count(cost['withoutAlerts'])} in fraud, with {count_of(cost['alertsAtLowest'], 'alert')} "
            f"at {cost['alertCost']:g} each",
        ),
    ]


def cases_of(
    alerts: Sequence[Mapping[str, Any]], timelines: Sequence[Mapping[str, Any]], model: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the top alerts, each with reasons for people and the last transactions of its card."""
    by_card: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(timelines, key=lambda each: (each["card"], each["time"], each["merchant"])):
        by_card.setdefault(card_name(row["card"]), []).append(row)
    weights = dict(zip(FEATURES, model["beta"], strict=False))
    return [
        {
            **case,
            "why": [explain(reason, weights[reason]) for reason in case["reasons"]],
            "timeline": draw_timeline(by_card.get(case["card"], []), case),
        }
        for case in top_cases(alerts)
    ]


def explain(reason: str, weight: float) -> str:
    """Return a reason for people. What raises the odds is above its mean if the weight is positive, else below."""
    return f"{FEATURES[reason]}: {'high' if weight > 0 else 'low'}"


TIMELINE_SECONDS = 30 * 86_400
TIMELINE_WIDTH, TIMELINE_HEIGHT = 300, 36


def draw_timeline(rows: Sequence[Mapping[str, Any]], case: Mapping[str, Any]) -> list[dict[str, float | bool]]:
    """Return the bars of the card's last 30 days: place and height in a small picture, and which one is the case's."""
    end = case["transactionTime"]
    near = [row for row in rows if end - TIMELINE_SECONDS < row["time"] <= end]
    highest = max((row["amount"] for row in near), default=0) or 1
    return [
        {
            "x": round((row["time"] - end + TIMELINE_SECONDS) / TIMELINE_SECONDS * TIMELINE_WIDTH, 1),
            "height": round(max(row["amount"], 0) / highest * TIMELINE_HEIGHT, 1),
            "is_case": row["time"] == end and row["merchant"] == case["merchant"],
            "is_fraud": row["fraud"] > 0,
        }
        for row in near
    ]
