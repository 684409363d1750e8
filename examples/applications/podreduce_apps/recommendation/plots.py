"""The report's plots."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from podreduce_apps.counted_nouns import count_of
from podreduce_apps.recommendation.leaderboard import Sums, activity_groups, mean_of_group, shown_shares
from podreduce_apps.report_page import SERIES, Plot, draw

__all__ = ["plot_activity", "plot_events", "plot_histories", "plot_models", "plot_popularity", "plot_shown"]

SECONDS_OF_A_DAY = 86_400
MOST_BARS = 120


def plot_models(sums: Sums, models: Sequence[str]) -> Plot:
    """Return the models' NDCG with its confidence intervals."""
    means = [mean_of_group(sums, "ndcg@10", model, list(sums["users"][model])) for model in models]
    with draw("NDCG@10 of each model.", "The lines are 95 % confidence intervals.") as drawing:
        axes = drawing.axes
        places = range(len(models))
        axes.barh(places, [mean.value for mean in means], color=SERIES[0], height=0.6)
        axes.errorbar(
            [m.value for m in means], places, xerr=[m.half_width for m in means], fmt="none", ecolor=SERIES[1]
        )
        axes.set_yticks(places, models)
        axes.invert_yaxis()
        axes.set_xlabel("NDCG@10 (1 is perfect)")
    return drawing.finished()


def plot_activity(sums: Sums, models: Sequence[str]) -> Plot:
    """Return the models' NDCG by how much is known of users."""
    groups = activity_groups(sums, models[0])
    labels = [group[0] if len(group) == 1 else f"{group[0]}-{group[-1]}" for group in groups]
    caption = "Users in up to ten groups of about the same number, by how many of their items are known."
    with draw("NDCG@10 by activity.", caption) as drawing:
        for model in models:
            values = [mean_of_group(sums, "ndcg@10", model, group).value for group in groups]
            drawing.axes.plot(range(len(groups)), values, marker="o", markersize=3, label=model)
        drawing.axes.set_xticks(range(len(groups)), labels, rotation=35)
        drawing.axes.set_xlabel("known items of the user")
        drawing.axes.set_ylabel("NDCG@10")
        drawing.name_lines_above()
    return drawing.finished()


def plot_shown(sums: Sums, models: Sequence[str], counts: Sequence[int]) -> Plot:
    """Return how the places of the lists are shared among popular and rare items."""
    caption = (
        "The share of all first ten places that goes to each tenth of the items. A flat line treats all items the same."
    )
    with draw("Who gets the places.", caption) as drawing:
        for model in models:
            shares = shown_shares(sums, model, counts)
            drawing.axes.plot(
                range(1, len(shares) + 1), [100 * share for share in shares], marker="o", markersize=3, label=model
            )
        drawing.axes.set_xticks(range(1, 11))
        drawing.axes.set_xlabel("tenth of the items, the most popular first")
        drawing.axes.set_ylabel("share of places, %")
        drawing.name_lines_above()
    return drawing.finished()


def plot_events(times: Mapping[int, int], cut: int | None) -> Plot:
    """Return how many events there are by time, and where the test begins."""
    first, last = min(times), max(times)
    width = max(-(-(last - first + 1) // MOST_BARS), SECONDS_OF_A_DAY)
    bins: Counter[int] = Counter()
    for time, count in times.items():
        bins[(time - first) // width] += count
    days = width / SECONDS_OF_A_DAY
    caption = "Right of the line is what is predicted." if cut is not None else ""
    with draw("Events by time.", caption, is_wide=True) as drawing:
        xs = [datetime.fromtimestamp(first + number * width, UTC) for number in sorted(bins)]
        drawing.axes.bar(xs, [bins[number] for number in sorted(bins)], width=days, align="edge", color=SERIES[0])  # type: ignore[arg-type]
        if cut is not None:
            drawing.axes.axvline(datetime.fromtimestamp(cut, UTC), color=SERIES[1])  # type: ignore[arg-type]
        drawing.axes.set_ylabel(f"events in {count_of(round(days), 'day')}")
    return drawing.finished()


def plot_histories(sums: Sums) -> Plot:
    """Return how many users have how many known items."""
    sizes = sorted((int(size), numbers[""]) for size, numbers in sums["history"].items())
    total = sum(count for _, count in sizes)
    xs, shares, left = [], [], total
    for size, count in sizes:
        xs.append(max(size, 0.5))
        shares.append(100 * left / total)
        left -= count
    with draw("How much is known of users.", "The share of users with at least so many known items.") as drawing:
        drawing.axes.plot(xs, shares)
        drawing.axes.set_xscale("log")
        drawing.axes.set_xlabel("known items (0 is drawn at 0.5)")
        drawing.axes.set_ylabel("share of users, %")
    return drawing.finished()


def plot_popularity(counts: Sequence[int]) -> Plot:
    """Return how many users each item has, the most popular item first."""
    with draw("How popular items are.", "Each item's users; both axes are logarithmic.") as drawing:
        drawing.axes.plot(range(1, len(counts) + 1), sorted(counts, reverse=True))
        drawing.axes.set_xscale("log")
        drawing.axes.set_yscale("log")
        drawing.axes.set_xlabel("place of the item")
        drawing.axes.set_ylabel("users")
    return drawing.finished()
