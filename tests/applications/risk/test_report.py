"""The pages where something is missing: no reports yet, no challenger, no alerts."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from podreduce_apps.report_page import Table, draw, format_count, format_number, format_share, render_page
from podreduce_apps.risk.evaluation import OTHERS, evaluate
from podreduce_apps.risk.features import FEATURES
from podreduce_apps.risk.model_card import Learned, model_card
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
LEARNED = Learned(
    moments={
        "rows": 100,
        "frauds": 5,
        "mean": [0.0] * len(FEATURES),
        "deviation": [1.0] * len(FEATURES),
        "dataDigest": "d1",
        "codeDigest": "c1",
    },
    model={"beta": [0.1] * (len(FEATURES) + 1)},
    calibration={},
)


def scored(fraud: list[int]) -> pa.Table:
    count = len(fraud)
    return pa.table(
        {
            "time": [PERIODS.score_from * DAY_SECONDS] * count,
            "card": list(range(count)),
            "amount": [1000] * count,
            "probability": np.linspace(0.9, 0.1, count),
            "model_probability": np.linspace(0.8, 0.2, count),
            "channel": pa.array(["online"] * count, pa.string()),
            "country": pa.array([None] * count, pa.string()),
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
    report.drift, report.benford, report.rings = dict.fromkeys(FEATURES, 0.01), {}, []
    report.metrics = {**evaluate(scored(fraud), PERIODS, PARAMETERS), "drift": report.drift}
    report.learned = LEARNED
    return report, model_card(LEARNED, report.metrics, PARAMETERS)


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

    assert not card["drift"]["isAlarm"]
    report.drift["amount"] = 0.3

    again = model_card(LEARNED, report.metrics, PARAMETERS)["drift"]
    assert (again["largestFeature"], again["largest"], again["isAlarm"]) == ("amount", 0.3, True)
    assert "learn again before you rely" in report.page(card)


def test_a_model_card_says_what_the_model_was_made_of_and_who_answers_for_it() -> None:
    report, card = make_report([1, 0, 0, 1], [])

    assert (card["training"]["dataDigest"], card["training"]["codeDigest"]) == ("d1", "c1")
    assert (card["owner"], card["approval"]) == (PARAMETERS["modelOwner"], "")
    assert (card["champion"]["chooses"], card["challenger"]["chooses"]) == ("the alerts", "nothing")
    assert card["champion"]["auc"] == pytest.approx(0.5)
    assert "auc" not in card["challenger"]
    page = report.page(card)
    assert "SHA-256 d1" in page
    assert "not approved" in page


def test_figures_of_each_part_add_up_to_those_of_the_whole() -> None:
    rows = scored([1, 0, 0, 1, 0, 0])
    other = {
        "channel": ["online", "terminal", "online", "terminal", "online", None],
        "amount": [-5, 5, 999, 1000, 10_000, 10**9],
    }
    for name, values in other.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, pa.array(values))

    metrics = evaluate(rows, PERIODS, PARAMETERS)

    slices = metrics["quality"]["slices"]
    assert {part["name"]: (part["rows"], part["frauds"]) for part in slices["channel"]} == {
        "online": (3, 1), "terminal": (2, 1), "?": (1, 0)
    }  # fmt: skip
    assert {part["name"]: part["rows"] for part in slices["amount"]} == {
        "from 0": 3, "from 10": 1, "from 100": 1, "from 1,000": 1
    }  # fmt: skip
    for parts in slices.values():
        assert sum(part["rows"] for part in parts) == 6
        assert sum(part["expectedFrauds"] for part in parts) == pytest.approx(float(np.sum(rows["probability"])))
    assert [part["auc"] for part in slices["channel"] if part["name"] == "?"] == [None]


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
