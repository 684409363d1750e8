"""`python -m tests.chaos`: one job under every fault, on a real cluster of two nodes, and the table of how it ended."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.paths import RESULTS
from tests.bench.results import write_json
from tests.bench.telling import say
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.rehearsal import Outcome, rehearse
from tests.chaos.stage import open_stage

WIDTH = 120


def main(argv: Sequence[str]) -> int:
    """Rehearse the faults asked for; 1 if a job did not end as it should."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--only", action="append", metavar="WORDS", help="faults whose name holds WORDS; may be repeated"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIRECTORY", help="where the JSON goes")
    arguments = parser.parse_args(argv)
    outcomes: list[Outcome] = []
    with open_stage() as stage:
        for fault in choose(arguments.only):
            say(f"{fault.name} …")
            outcomes.append(rehearse(fault, stage))
            say(f"    {outcomes[-1].seconds:.0f} s, {outcomes[-1].ended} {outcomes[-1].problem}")
            write_json({"outcomes": [asdict(outcome) for outcome in outcomes]}, arguments.results / "chaos.json")
    Console(width=WIDTH).print(render(outcomes))
    return int(any(outcome.problem for outcome in outcomes))


def choose(words: Sequence[str] | None) -> list[Fault]:
    """Return the faults asked for, in their order."""
    return [fault for fault in FAULTS if not words or any(each in fault.name for each in words)]


def render(outcomes: Sequence[Outcome]) -> Table:
    """Return the table: the time of each beside that of the run without a fault."""
    calm = next((outcome.seconds for outcome in outcomes if outcome.fault == "nothing"), None)
    table = Table("fault", "seconds", "more than calm", "ended", "attempts", "failed", "lost", "doubled")
    for outcome in outcomes:
        more = "" if calm is None else f"{outcome.seconds - calm:+.0f}"
        records = ["-" if count is None else str(count) for count in (outcome.lost, outcome.doubled)]
        cells = (
            outcome.fault,
            f"{outcome.seconds:.0f}",
            more,
            outcome.ended,
            str(outcome.attempts),
            str(outcome.failed),
        )
        table.add_row(*cells, *records, style="red" if outcome.problem else None)
    return table


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
