"""Prints the application's figures on a history of the Handbook's size beside those of the book, and fails if far off.

The history is our own draw from the book's formulae, not the book's file, so rows and figures differ by the draw: of
5,000 customers, and some 400 frauds in the test days. Of seeds 0 to 4 AUC is 0.853 to 0.885, average precision 0.601 to
0.638, card precision 0.276 to 0.331: the tolerances are about three of their standard deviations.
"""

import sys
import tempfile
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from tests.applications.risk.handbook_data import prepare_data, run_application, say

BOOK = {
    "transactions": (1_754_155, 0.03 * 1_754_155),
    "frauds": (14_681, 0.15 * 14_681),
    "test transactions": (58_264, 0.05 * 58_264),
    "test frauds": (385, 0.35 * 385),
    "AUC": (0.871, 0.04),
    "average precision": (0.606, 0.06),
    "card precision at 100, found cards leave": (0.291, 0.06),
    "challenger (published: XGBoost), AUC": (0.862, 0.04),
    "challenger (published: XGBoost), average precision": (0.639, 0.06),
}
"""The published figure, and by how much ours may differ."""


def count_rows(directory: Path) -> int:
    """Return the rows of all CSV files in a directory."""
    return sum(pa_csv.read_csv(path).num_rows for path in directory.glob("*.csv"))


def measure(directory: Path) -> dict[str, float]:
    """Return our figures."""
    data = prepare_data(directory / "data")
    _, metrics = run_application(data, directory / "output")
    quality = metrics["quality"]
    reports = pa_csv.read_csv(data / "labels" / "reports.csv")
    return {
        "transactions": count_rows(data / "transactions"),
        "frauds": pc.count_distinct(reports["id"]).as_py(),
        "test transactions": metrics["rows"],
        "test frauds": metrics["frauds"],
        "AUC": quality["auc"],
        "average precision": quality["averagePrecision"],
        "card precision at 100, found cards leave": quality["cardPrecision"]["foundCardsLeave"],
        "challenger (published: XGBoost), AUC": quality["scores"]["boosted"]["auc"],
        "challenger (published: XGBoost), average precision": quality["scores"]["boosted"]["averagePrecision"],
    }


def main() -> int:
    """Print the table; 1: a figure is outside of its tolerance."""
    with tempfile.TemporaryDirectory(prefix="risk-") as directory:
        ours = measure(Path(directory))
    say("logistic regression of 15 features; train 2018-07-25 to 31, delay 7 days, test 2018-08-08 to 14")
    say(f"{'':52} {'published':>12} {'ours':>12} {'tolerance':>10}")
    far = []
    for name, (published, tolerance) in BOOK.items():
        say(f"{name:52} {published:12,.5g} {ours[name]:12,.5g} {tolerance:10,.3g}")
        far += [name] if abs(ours[name] - published) > tolerance else []
    for name in far:
        say(f"outside of the tolerance: {name}")
    return int(bool(far))


if __name__ == "__main__":
    sys.exit(main())
