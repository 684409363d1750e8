"""Prints how long MovieLens 100k takes to the report, and 10 million events to the neighbours. Goals: two cores.

Spark's ALS stands beside ours, on ratings whose factors are planted.

A number as the argument stands for the 10 million; users become fewer with it.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from tests.applications.recommendation.movielens import NoDataError, write_movielens
from tests.applications.recommendation.runs import run_application, say
from tests.applications.recommendation.spark_als import (
    FACTORS,
    NOISE,
    PENALTY,
    ROUNDS,
    find_error,
    run_spark,
    why_no_spark,
    write_ratings,
)

REPORT_GOAL_SECONDS = 20
NEIGHBOURS_GOAL_SECONDS = 120
EVENTS = 10_000_000
USERS = 100_000
ITEMS = 20_000
FILES = 8
RATERS, RATED_ITEMS, RATED_SHARE = 10_000, 2000, 0.06


def main() -> int:
    """Print both."""
    say(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="recommendation-") as directory:
        root = Path(directory)
        try:
            write_movielens(root / "movielens")
        except NoDataError as error:
            say(f"skipped: {error}")
        else:
            seconds, _ = run_application(root / "movielens", root / "small", {})
            say(f"MovieLens 100k to the report: {seconds:.1f} s, goal {REPORT_GOAL_SECONDS} s")
        events = int(sys.argv[1]) if sys.argv[1:] else EVENTS
        write_events(root / "large", events)
        seconds, _ = run_application(root / "large", root / "output", {}, "--to", "similar")
        say(f"{events:,} events to neighbours: {seconds:.1f} s, goal {NEIGHBOURS_GOAL_SECONDS} s for {EVENTS:,}")
        compare_spark(root, max(RATERS * events // EVENTS, 100))
    return 0


def compare_spark(root: Path, raters: int) -> None:
    """Print how long both take from ratings to factors, and how far the predicted ratings are off."""
    count = write_ratings(root / "ratings", raters, RATED_ITEMS, RATED_SHARE)
    say(f"ALS of {count:,} ratings: {FACTORS} factors, {ROUNDS} rounds, penalty {PENALTY} for each rating")
    say(f"  nobody's root mean square error can be below the noise, {NOISE}")
    seconds, error = find_error(root / "ratings", root / "ours")
    say(f"  podreduce    {seconds:6.1f} s, error {error:.4f}")
    missing = why_no_spark()
    if missing:
        say(f"  Spark's ALS is left out: not installed: {missing} (packages: make .venv-bench/.installed)")
        return
    seconds, error = run_spark(root / "ratings", root)
    say(f"  Spark's ALS  {seconds:6.1f} s, error {error:.4f}")


def write_events(directory: Path, events: int) -> None:
    """Write events of users with a few of a hundred interests each, and items of very different popularity."""
    chance = np.random.default_rng(1)
    (directory / "events").mkdir(parents=True)
    (directory / "items").mkdir()
    (directory / "items" / "items.csv").write_text("item,title\n")
    for number in range(FILES):
        size = events // FILES
        users = chance.integers(max(USERS * events // EVENTS, 1), size=size)
        items = (ITEMS * chance.random(size) ** 3).astype(np.int64)
        items = (items + (users * 7919 % 100) * (ITEMS // 100)) % ITEMS
        columns = {
            "user": pa.array(users).cast(pa.string()),
            "item": pa.array(items).cast(pa.string()),
            "time": 1_700_000_000 + chance.integers(20_000_000, size=size),
        }
        pa_csv.write_csv(pa.table(columns), directory / "events" / f"{number}.csv")


if __name__ == "__main__":
    sys.exit(main())
