"""The pages where something is missing: no reports yet, no challenger, no alerts."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from podreduce_apps.report_page import Table, draw, format_count, format_number, format_share, render_page
from podreduce_apps.risk.evaluation import OTHERS, evaluate
from podreduce_apps.risk.features import FEATURES
from podreduce_apps.risk.model_card import model_card
from podreduce_apps.risk.periods import DAY_SECONDS, Periods
from podreduce_apps.risk.report import Report, key_figures, read_metrics
from podreduce_apps.risk.training import read_scaler

PARAMETERS = {
    "trainFrom": "2018-07-25",
    "trainDays": "7",
    "delayDays": "7",
    "scoreDays": "7",
    "cardsPerDay": "2",
    "alertCost": "10",
    "inversePenalty": "1",
    "modelOwner": "Risk & Co <risk@example.org>",
}
PERIODS = Periods.read(PARAMETERS)
MOMENTS = {"rows": 100, "frauds": 5, "mean": [0.0] * len(FEATURES), "deviation": [1.0] * len(FEATURES)}
MODEL = {"beta": [0.1] * (len(FEATURES) + 1)}


def scored(fraud: list[int]) -> pa.Table:
    count = len(fraud)
    return pa.table(
        {
            "time": [PERIODS.score_from * DAY_SECONDS] * count,
            "card": list(range(count)),
            "amount": [1000] * count,
            "probability": np.linspace(0.9, 0.1, count),
            "fraud": pa.array(fraud, pa.int8()),
            **{name: np.full(count, np.nan if name == "boosted" else 1.0) for name in OTHERS},
        }
    )


class FakeContext:
    task = "r-0"
    parameters = PARAMETERS


def make_report(fraud: list[int], alerts: list[dict[str, Any]]) -> tuple[Report, dict[str, Any]]:
    report = Report()
    report.context, report.alerts, report.timelines = FakeContext(), alerts, []
    report.metrics = evaluate(scored(fraud), PERIODS, PARAMETERS)
    report.moments, report.model = MOMENTS, MODEL
    report.drift, report.benford, report.rings = dict.fromkeys(FEATURES, 0.01), {}, []
    return report, model_card(MOMENTS, MODEL, report.metrics, PARAMETERS)


@pytest.mark.parametrize(
    ("fraud", "text"),
    [
        pytest.param([0] * 6, "No fraud is reported on these days yet", id="no reports yet"),
        pytest.param([], "No fraud is reported on these days yet", id="nothing to score"),
        pytest.param([1, 0, 0, 1, 0, 0], "Average precision", id="no alerts, and no challenger"),
    ],
)
def test_a_page_says_what_is_missing(fraud: list[int], text: str) -> None:
    report, card = make_report(fraud, [])

    page = report.page(card)

    assert text in page
    assert ("auc" in card["evaluation"]) == (1 in fraud)
    assert card["owner"] == PARAMETERS["modelOwner"]


def test_a_challenger_that_could_not_learn_has_no_figures() -> None:
    report, _ = make_report([1, 0, 0, 1], [])

    assert report.metrics["quality"]["scores"]["boosted"] is None
    assert report.metrics["quality"]["scores"]["probability"]["auc"] == pytest.approx(0.5)
    assert [figure.label for figure in key_figures(report.metrics, [])][:2] == ["Scored", "Average precision"]


def test_a_drift_beyond_the_limit_is_a_warning() -> None:
    report, card = make_report([1, 0, 0, 1], [])
    assert "learn again before you rely" not in report.page(card)

    report.drift["amount"] = 0.3

    assert "learn again before you rely" in report.page(card)


def test_days_without_transactions_are_named() -> None:
    with pytest.raises(ValueError, match="training days"):
        read_scaler({})
    with pytest.raises(ValueError, match="scored days"):
        read_metrics({})


def test_scoring_never_begins_before_training_and_delay_are_over() -> None:
    assert Periods.read({**PARAMETERS, "scoreFrom": "2018-08-20"}).score_from == PERIODS.score_from + 12
    with pytest.raises(ValueError, match="2018-08-08"):
        Periods.read({**PARAMETERS, "scoreFrom": "2018-08-07"})
    with pytest.raises(ValueError, match="trainFrom: '25"):
        Periods.read({**PARAMETERS, "trainFrom": "25.07.2018"})
    with pytest.raises(ValueError, match="delayDays: '-1'"):
        Periods.read({**PARAMETERS, "delayDays": "-1"})


def test_plots_take_the_colours_of_the_page_and_are_always_the_same() -> None:
    svgs = []
    for _ in range(2):
        with draw("Cost & <more>") as drawing:
            drawing.axes.plot([1, 2], [2, 1])
        svgs.append(drawing.finished().svg)

    assert svgs[0] == svgs[1]
    assert svgs[0].startswith('<svg role="img" aria-label="Cost &amp; &lt;more&gt;"')
    assert "var(--series-1)" in svgs[0]
    assert "currentColor" in svgs[0]
    with pytest.raises(RuntimeError, match="finished"), draw("Begun") as drawing:
        drawing.finished()


def test_cells_are_escaped_and_numbers_read_well(tmp_path: Path) -> None:
    template = tmp_path / "page.html.jinja"
    template.write_text(
        '{% extends "base.html.jinja" %}{% import "parts.html.jinja" as parts %}'
        "{% block title %}{{ title }}{% endblock %}{% block content %}{{ parts.table(table) }}{% endblock %}"
    )
    table = Table(columns=["name", "value"], rows=[("<b>", format_count(1234567))], numeric=frozenset({"value"}))

    page = render_page(template, title="A & B", table=table)

    assert "<td>&lt;b&gt;</td>" in page
    assert '<td class="number">1,234,567</td>' in page
    assert "<title>A &amp; B</title>" in page
    assert (format_number(None), format_number(0.12345), format_share(float("nan")), format_share(0.5)) == (
        "-",
        "0.123",
        "-",
        "50.0 %",
    )
