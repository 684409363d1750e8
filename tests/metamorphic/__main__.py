"""`python -m tests.metamorphic [JOBS] [FIRST_SEED]`: that many jobs; `--seed N`: one, and how it differs."""

import argparse
import sys

from tests.metamorphic.job import draw_job
from tests.metamorphic.judge import LAYOUTS, find_difference
from tests.metamorphic.search import render_summary, search


def main() -> int:
    """Run what the command line asks for; 1 if something differed."""
    parser = argparse.ArgumentParser(prog="python -m tests.metamorphic", description=__doc__)
    parser.add_argument("jobs", type=int, nargs="?", default=5000)
    parser.add_argument("first_seed", type=int, nargs="?", default=0)
    parser.add_argument("--seed", type=int, help="run the one job of this seed and show it")
    parser.add_argument("--layouts", type=int, default=LAYOUTS, help="with --seed: in how many layouts")
    parser.add_argument("--most", type=int, default=5, help="stop at so many differences")
    arguments = parser.parse_args()
    if arguments.seed is not None:
        return show_job(arguments.seed, arguments.layouts)
    summary = search(jobs=arguments.jobs, first_seed=arguments.first_seed, most=arguments.most)
    sys.stdout.write(f"{render_summary(summary)}\n")
    return 1 if summary.differences else 0


def show_job(seed: int, layouts: int) -> int:
    """Run one job  and show its program and its objects."""
    job = draw_job(seed)
    difference = find_difference(job, layouts)
    sys.stdout.write(f"{job.program.source}\n")
    for name, data in job.input.objects.items():
        sys.stdout.write(f"{name}: {data!r}\n")
    sys.stdout.write(f"{difference or f'{job}: no difference'}\n")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
