"""Prints how long the Handbook's 183 days take from CSV to alerts and report. The goal is 60 s on two cores."""

import os
import statistics
import sys
import tempfile
from pathlib import Path

from tests.applications.risk.handbook_data import prepare_data, run_application, say

GOAL_SECONDS = 60
REPEATS = 3


def main() -> int:
    """Print the median, the slowest, and the load of the machine before."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="risk-") as directory:
        data = prepare_data(Path(directory) / "data")
        seconds = [run_application(data, Path(directory) / f"output-{turn}")[0] for turn in range(REPEATS)]
    say(f"1.8 million transactions, CSV to alerts and report, {os.cpu_count()} cores, load before {load:.1f}")
    say(f"median {statistics.median(seconds):.1f} s, slowest {max(seconds):.1f} s, goal {GOAL_SECONDS} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
