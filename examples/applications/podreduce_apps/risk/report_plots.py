"""The plots of the report, from the figures of `evaluation` and the alerts. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.ticker import MaxNLocator

from podreduce_apps.counted_nouns import count_of
from podreduce_apps.report_page import SERIES, Plot, draw

__all__ = ["draw_all"]

SMALLEST_SHARE = 1e-6
"""Nothing is 0 on a logarithmic scale."""

Metrics = Mapping[str, Any]
Alerts = Sequence[Mapping[str, Any]]


def draw_all(metrics: Metrics, alerts: Alerts) -> list[Plot]:
    """Return the plots in the order of the page."""
    quality = metrics["quality"]
    if quality is None:
        return [draw_alerts(alerts)]
    base = metrics["frauds"] / metrics["rows"]
    return [draw_alerts(alerts), draw_precision(quality, base), draw_calibration(quality), draw_cost(quality)]


def draw_alerts(alerts: Alerts) -> Plot:
    """Draw the alerts of each day, the right ones below."""
    days = sorted({each["day"] for each in alerts})
    right = [sum(each["day"] == day and each["isReported"] for each in alerts) for day in days]
    wrong = [sum(each["day"] == day and not each["isReported"] for each in alerts) for day in days]
    with draw("Alerts a day", "Which of the alerted cards were later reported as misused on that day.") as drawing:
        axes = drawing.axes
        axes.bar(range(len(days)), right, color=SERIES[2], label="reported as fraud")
        axes.bar(range(len(days)), wrong, bottom=right, color=SERIES[0], label="not reported")
        axes.set_xticks(range(len(days)), [day[5:] for day in days])
        axes.set_ylabel("cards")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        drawing.name_lines_above()
        axes.grid(visible=False, axis="x")
    return drawing.finished()


def draw_precision(quality: Metrics, base: float) -> Plot:
    """Draw precision over recall, with the line of a blind choice."""
    points = quality["curve"]
    with draw(
        "Precision over recall",
        "Of the transactions above a threshold, the share that is fraud, over the share of all fraud that is found. "
        "The lower line is a blind choice.",
    ) as drawing:
        axes = drawing.axes
        axes.plot([each["recall"] for each in points], [each["precision"] for each in points], label="model")
        axes.axhline(base, color=SERIES[1], linestyle="--", label=f"blind choice, {100 * base:.2f} %")
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="upper right")
    return drawing.finished()


def draw_calibration(quality: Metrics) -> Plot:
    """Draw how often rows of a probability are fraud."""
    bins = quality["calibration"]["bins"]
    means = [max(each["meanProbability"], SMALLEST_SHARE) for each in bins]
    shares = [max(each["shareOfFraud"], SMALLEST_SHARE) for each in bins]
    with draw(
        "Calibration",
        "Ten groups of equally many transactions, by probability. On the dashed line the model says what then happens; "
        "below it, it says too much. A group without fraud stands at the lower edge.",
    ) as drawing:
        axes = drawing.axes
        low = min(*means, *[share for share in shares if share > SMALLEST_SHARE]) / 2
        axes.plot([low, 1], [low, 1], color=SERIES[1], linestyle="--", label="perfect")
        axes.plot(means, [max(share, low) for share in shares], "o-", label="model")
        axes.set(xscale="log", yscale="log", xlim=(low, 1), ylim=(low, 1))
        axes.set(xlabel="probability that the model says", ylabel="share that is fraud")
        axes.legend(loc="upper left")
    return drawing.finished()


def draw_cost(quality: Metrics) -> Plot:
    """Draw the cost over the number of alerts."""
    cost = quality["cost"]
    with draw(
        "Cost of alerts",
        f"Fraud that is missed, plus {cost['alertCost']:g} for each alerted transaction, by expected loss, all scored "
        f"days together. Lowest at {count_of(cost['alertsAtLowest'], 'alert')}.",
    ) as drawing:
        axes = drawing.axes
        points = [each for each in cost["curve"] if each["alerts"]]
        axes.plot([each["alerts"] for each in points], [each["cost"] for each in points], label="with alerts")
        axes.axhline(cost["withoutAlerts"], color=SERIES[1], linestyle="--", label="without alerts")
        axes.set(xscale="log", xlabel="alerted transactions", ylabel="cost", ylim=(0, 1.5 * cost["withoutAlerts"]))
        axes.legend(loc="upper left", ncols=2)
    return drawing.finished()
