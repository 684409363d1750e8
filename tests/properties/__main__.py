"""`python -m tests.properties [NAME ...] --minutes 60`: search for exceptions to each property for so long.

Rounds of pytest with new seeds; each tells the command that repeats it. The first exception ends the search for its
property.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.properties.properties import PROPERTIES, Property

HYPOTHESIS = re.compile(r"- (\d+) passing, (\d+) failing")
DRAWN = re.compile(r"(\d+) cases drawn by seed")


@dataclass(slots=True)
class Found:
    """How long a property was searched: `cases` are those that were judged, in so many `rounds`."""

    rounds: int = 0
    cases: int = 0
    seconds: float = 0.0
    failed: int = 0


def main() -> int:
    """Search as the command line says; 1 if there was an exception."""
    parser = argparse.ArgumentParser(prog="python -m tests.properties", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PROPERTIES)}; all without")
    parser.add_argument("--minutes", type=float, default=60.0, help="for each property")
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    arguments = parser.parse_args()
    if unknown := set(arguments.names).difference(PROPERTIES):
        parser.error(f"no property {', '.join(sorted(unknown))}: there are {', '.join(PROPERTIES)}")
    failed = 0
    for name in arguments.names or PROPERTIES:
        failed += search(name, PROPERTIES[name], arguments.minutes * 60, arguments.seed).failed
    return 1 if failed else 0


def search(name: str, wanted: Property, seconds: float, seed: int) -> Found:
    """Run rounds until `seconds` have passed or one failed."""
    found, started = Found(), time.monotonic()
    tell(f"{name}: {wanted.claim}")
    while found.seconds < seconds and not found.failed:
        run_round(found, wanted, seed + found.rounds)
        found.seconds = time.monotonic() - started
        tell(f"  {found.rounds} rounds, {found.cases:,} cases, {found.seconds / 60:.0f} min, {found.failed} failed")
    return found


def run_round(found: Found, wanted: Property, seed: int) -> None:
    """Run pytest once, count its cases, and show what failed."""
    variables = {"PODREDUCE_SEED": str(seed), "PODREDUCE_SEARCH": f"{wanted.times:g}"}
    flags = (
        f"--hypothesis-seed={seed}",
        "--hypothesis-show-statistics",
        "--quiet",
        "-p",
        "no:cacheprovider",
        "--timeout=0",
    )
    command = (sys.executable, "-m", "pytest", *flags, *wanted.tests)
    ran = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    found.rounds += 1
    found.cases += sum(int(cases) for cases in DRAWN.findall(ran.stdout))
    found.cases += sum(int(passed) + int(failing) for passed, failing in HYPOTHESIS.findall(ran.stdout))
    if ran.returncode:
        found.failed += 1
        words = " ".join([*(f"{key}={value}" for key, value in variables.items()), *command])
        tell(f"{ran.stdout[-20_000:]}{ran.stderr[-2000:]}\nto repeat it: {words}")


def tell(line: str) -> None:
    """Show it at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
