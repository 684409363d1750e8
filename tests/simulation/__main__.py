"""`python -m tests.simulation [WORLDS] [FIRST_SEED]`: that many hostile worlds; `--seed N`: one, with its whole log."""

import argparse
import sys
from collections.abc import Callable

from podreduce_operator.policy.decide import decide
from tests.simulation.draw import draw_world
from tests.simulation.judge import ViolationError
from tests.simulation.pipeline_world import play
from tests.simulation.runner import render_coverage, render_failure, run_worlds
from tests.simulation.schedule_world import play_schedule


def main() -> int:
    """Run what the command line asks for; 1 if an invariant broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("worlds", type=int, nargs="?", default=5000)
    parser.add_argument("first_seed", type=int, nargs="?", default=0)
    parser.add_argument("--seed", type=int, help="run the one world of this seed and show its decision log")
    parser.add_argument("--pipelines", action="store_true", help="play worlds of pipelines")
    parser.add_argument("--schedules", action="store_true", help="play worlds of schedules")
    arguments = parser.parse_args()
    if arguments.pipelines:
        return play_all("pipelines", play, arguments.first_seed, arguments.worlds)
    if arguments.schedules:
        return play_all("schedules", play_schedule, arguments.first_seed, arguments.worlds)
    if arguments.seed is not None:
        return show_world(arguments.seed)
    summary = run_worlds(arguments.worlds, first_seed=arguments.first_seed)
    write(render_coverage(summary))
    for result in summary.violations:
        write(render_failure(result))
    return 1 if summary.violations else 0


def play_all(kind: str, play_one: Callable[[int], object], first_seed: int, worlds: int) -> int:
    """Play worlds of pipelines or schedules; 1 if an invariant broke."""
    broken = 0
    for seed in range(first_seed, first_seed + worlds):
        try:
            play_one(seed)
        except AssertionError as violation:
            broken += 1
            write(f"{kind}, seed {seed}: {violation}")
    write(f"{worlds} worlds of {kind}, {broken} of them broken")
    return 1 if broken else 0


def show_world(seed: int) -> int:
    """Run one world and show its log."""
    world = draw_world(seed, decide)
    try:
        world.run()
    except ViolationError as violation:
        write("\n".join(world.render_log()))
        write(f"seed {seed}: {violation}")
        return 1
    write("\n".join(world.render_log()))
    return 0


def write(text: str) -> None:
    """Show it."""
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
