"""The report's page: its tables and plots, from what was found."""

from collections.abc import Sequence
from pathlib import Path

from podreduce_apps.counted_nouns import count_of
from podreduce_apps.recommendation.findings import Findings
from podreduce_apps.recommendation.leaderboard import (
    Mean,
    coverage,
    measures_of,
    models_of,
    novelty,
)
from podreduce_apps.recommendation.measures import MEASURES
from podreduce_apps.recommendation.models import NO_REASON
from podreduce_apps.recommendation.plots import (
    plot_activity,
    plot_events,
    plot_histories,
    plot_models,
    plot_popularity,
    plot_shown,
)
from podreduce_apps.recommendation.rank import MODELS
from podreduce_apps.recommendation.rating_errors import rating_errors
from podreduce_apps.recommendation.shown_users import Drawn
from podreduce_apps.report_page import (
    KeyFigure,
    Plot,
    Table,
    format_count,
    format_number,
    format_share,
    render_page,
)

__all__ = ["render_report"]

TEMPLATE = Path(__file__).parent / "report.html.jinja"
SECTIONS = (
    ("models", "How good the lists are"),
    ("shown", "What they show"),
    ("users", "Customers and their lists"),
    ("data", "The data"),
)
TABLE_MEASURES = ("ndcg@10", "precision@10", "recall@10", "ap@10", "hit@10", "recall@20")
CLEAN_LABELS = {
    "another type": "left out: events of another type",
    "events merged": "left out: repeats of a user and item",
    "events of robots": "left out: events of robots",
    "neither train nor test": "left out: events whose set is neither train nor test",
    "no item": "left out: events without an item",
    "no user": "left out: events without a user",
    "robots": "robots: users with too many events in an hour, or in all",
    "time not readable": "left out: events whose time cannot be read",
}
HISTORY = 8
LIST = 10


def render_report(findings: Findings) -> str:
    """Return the page."""
    models = models_of(findings.sums)
    return render_page(
        TEMPLATE,
        sections=SECTIONS,
        figures=key_figures(findings, models),
        protocol=findings.protocol,
        verdict=state_verdict(findings, models),
        leaderboard=tabulate_models(findings, models) if models else None,
        ratings=tabulate_ratings(findings) if rating_errors(findings.sums) else None,
        measures=list(MEASURES.items()),
        models=[(model, MODELS[model]) for model in models],
        model_plots=[plot_models(findings.sums, models), plot_activity(findings.sums, models)] if models else [],
        shown=tabulate_shown(findings, models) if models else None,
        shown_plots=[plot_shown(findings.sums, models, findings.counts)] if models else [],
        users=[describe_user(findings, user) for user in findings.users],
        cleaned=tabulate_cleaned(findings),
        data_plots=plot_data(findings),
        parameters=sorted(findings.parameters.items()),
        served=findings.parameters["serve"],
    )


def key_figures(findings: Findings, models: Sequence[str]) -> list[KeyFigure]:
    """Return the numbers at the top."""
    events = findings.fact("events to learn from") + findings.fact("events to predict")
    figures = [
        KeyFigure(label="events", value=format_count(events), note="to learn from and to predict; one a user and item"),
        KeyFigure(label="users", value=format_count(findings.fact("users"))),
        KeyFigure(label="items", value=format_count(len(findings.counts)), note="that the models know"),
    ]
    served = findings.parameters["serve"]
    if served in models:
        mean = measures_of(findings.sums, served)["hit@10"]
        note = f"have a hit among 10, by {served}; ± {format_number(100 * mean.half_width, 1)} points (95 %)"
        figures.append(KeyFigure(label="users served well", value=format_share(mean.value), note=note))
    return figures


def state_verdict(findings: Findings, models: Sequence[str]) -> str:
    """Return what the leaderboard says, in a sentence or two."""
    served = findings.parameters["serve"]
    if served not in models:
        return ""
    means = {model: measures_of(findings.sums, model)["ndcg@10"] for model in models}
    base, own = means["popularity"], means[served]
    if served == "popularity" or not base.value:
        return f"{models[0]} is the best model here."
    change = f"{format_share(abs(own.value / base.value - 1), 0)} {'better' if own.value >= base.value else 'worse'}"
    best = name_best(models[0], served, is_clear=not overlap(means[models[0]], own))
    doubt = "Their intervals overlap: with other users it may be otherwise. " if overlap(own, base) else ""
    return f"{served}, whose lists are written, is {change} than popular items (NDCG@10). {doubt}{best}"


def overlap(one: Mean, other: Mean) -> bool:
    """Tell whether the confidence intervals of two means overlap."""
    return abs(one.value - other.value) <= one.half_width + other.half_width


def name_best(best: str, served: str, *, is_clear: bool) -> str:
    """Return which model should be served."""
    if best == served:
        return "It is the best model here."
    if best == "popularity":
        return "Popular items are the best offer here: set serve=popularity, or give the models more events."
    return f"{best} {'is' if is_clear else 'may be'} better still: see the table, and set serve={best}."


def tabulate_models(findings: Findings, models: Sequence[str]) -> Table:
    """Return the leaderboard."""
    rows = []
    for model in models:
        means = measures_of(findings.sums, model)
        cells = [f"{means[name].value:.3f} ± {means[name].half_width:.3f}" for name in TABLE_MEASURES]
        rows.append([model, *cells])
    served = findings.parameters["serve"]
    return Table(
        columns=["model", *TABLE_MEASURES],
        rows=rows,
        caption="Means over users, with 95 % confidence intervals. The best model is first; the marked one is served.",
        numeric=frozenset(TABLE_MEASURES),
        marked=frozenset([models.index(served)] if served in models else []),
    )


def tabulate_ratings(findings: Findings) -> Table:
    """Return how far predicted ratings are off."""
    errors = rating_errors(findings.sums)
    count = max(each.ratings for each in errors.values())
    rows = [
        [name, f"{each.root_mean_square:.3f} ± {each.half_width:.3f}", f"{each.mean_absolute:.3f}"]
        for name, each in errors.items()
    ]
    return Table(
        columns=["model", "RMSE", "mean error"],
        rows=rows,
        caption=f"How far off: {count_of(count, 'predicted rating')}, with 95 % confidence intervals over users. "
        "Baseline: the mean of all ratings, with what is usual for the item and for the user.",
        numeric=frozenset(["RMSE", "mean error"]),
    )


def tabulate_shown(findings: Findings, models: Sequence[str]) -> Table:
    """Return how much of the catalogue each model shows."""
    users = findings.fact("users models learn from")
    rows = [
        [
            model,
            format_share(coverage(findings.sums, model, len(findings.counts))),
            format_number(novelty(findings.sums, model, findings.counts, users), 1),
        ]
        for model in models
    ]
    return Table(
        columns=["model", "coverage", "novelty"],
        rows=rows,
        caption="Coverage: the share of items that are among the first 10 of anybody's list. Novelty: the mean of "
        "-log2(share of users that have the item), in bits; 1 more means half as many users.",
        numeric=frozenset(["coverage", "novelty"]),
    )


def describe_user(findings: Findings, user: Drawn) -> dict[str, object]:
    """Return a user's history and list, with titles."""
    chosen, titles = set(user["chosen"]), findings.names.titles
    rows = [
        {
            "title": titles[item].as_py(),
            "reason": "popular" if reason == NO_REASON else f"because of {titles[reason].as_py()}",
            "is_hit": item in chosen,
        }
        for item, reason in zip(user["items"][:LIST], user["reasons"][:LIST], strict=True)
    ]
    return {
        "name": user["user"],
        "history": [titles[item].as_py() for item in user["history"][:HISTORY]],
        "more": max(len(user["history"]) - HISTORY, 0),
        "list": rows,
        "hits": sum(bool(row["is_hit"]) for row in rows),
        "chosen": len(user["chosen"]),
    }


def tabulate_cleaned(findings: Findings) -> Table:
    """Return what was read, left out and used."""
    notes = {name: numbers[""] for name, numbers in findings.sums.get("clean", {}).items()}
    first, last = notes.pop("events read", 0), notes.pop("events used", 0)
    left_out = sorted((CLEAN_LABELS.get(name, name), number) for name, number in notes.items())
    rows = [["events read", format_count(first)], *([label, format_count(number)] for label, number in left_out)]
    rare = last - findings.fact("events to learn from") - findings.fact("events to predict")
    facts = findings.sums["data"].items()
    rows += [
        ["events used", format_count(last)],
        ["left out: events of items with too few users", format_count(max(rare, 0))],
    ]
    rows += [*([name, format_count(numbers[""])] for name, numbers in facts)]
    return Table(
        columns=["what", "number"],
        rows=rows,
        caption="Lines that are no rows of CSV are not counted here: the step clean skips them, and counts them.",
        numeric=frozenset(["number"]),
    )


def plot_data(findings: Findings) -> list[Plot]:
    """Return the plots of the data."""
    plots = [plot_histories(findings.sums), plot_popularity(findings.counts)]
    return [plot_events(findings.times, findings.cut), *plots] if len(findings.times) > 1 else plots
