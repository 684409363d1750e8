"""`python -m tests.programs [PROGRAMS] [SEED]`: judge that many programs; each that differs is shown, made small."""

import argparse
import os
import sys

from tests.programs.runner import Summary, render_fault, run_programs

MAX_SHOWN = 20
TOLD_EVERY = 10_000


def main() -> int:
    """Run what the command line asks for; 1 if a program differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.programs", description=__doc__)
    parser.add_argument("programs", type=int, nargs="?", default=20_000)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    summary = run_programs(range(arguments.seed, arguments.seed + arguments.programs), arguments.processes, tell)
    write(describe(summary))
    for seed, kind in summary.faults[:MAX_SHOWN]:
        write(render_fault(seed, kind))
    return 1 if summary.faults else 0


def tell(summary: Summary) -> None:
    """Show how far it is, now and then."""
    if summary.counts["drawn"] % TOLD_EVERY == 0:
        sys.stderr.write(f"{describe(summary)}\n")


def describe(summary: Summary) -> str:
    """Return what has come of the programs."""
    counts = ", ".join(f"{count:,} {what}" for what, count in summary.counts.items())
    return f"{counts}, {len(summary.faults)} differ"


def write(text: str) -> None:
    """Show it."""
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
