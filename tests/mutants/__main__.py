"""`python -m tests.mutants [MODULE …]`: changes modules a little; tells which changes no test sees.

Tools exist: mutmut copies the tree and calls every function through a trampoline, which code that looks at frames and
sources can tell, and wants what is equal marked in the product's code; cosmic-ray rewrites the files that everybody
in the checkout imports, and starts Python anew for each mutant. Here a mutant lives in a forked process alone, and the
list of equals is ours.
"""

import argparse
import random
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutants.changes import Mutant, find_mutants
from tests.mutants.equals import EQUALS
from tests.mutants.targets import TARGETS, name_of, source_of, tests_of
from tests.mutants.trial import SURVIVED, Limit, import_libraries, run_tests

SLOWER = 10
LEAST_SECONDS = 60.0
BUSIER = 4
LEAST_PROCESSOR_SECONDS = 15
LONGEST = Limit(seconds=1800.0, processor_seconds=1800)
WANTED_SHARE = 0.9


@dataclass(slots=True, kw_only=True)
class Report:
    """What became of a module's mutants."""

    module: str
    killed: int = 0
    equal: int = 0
    survivors: list[Mutant] = field(default_factory=list)

    @property
    def share(self) -> float:
        """How many of those that are not equal were killed."""
        return self.killed / max(self.killed + len(self.survivors), 1)


def main() -> int:
    """Try the mutants that the command line asks for; 1 if too few of a module are killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help=f"of {', '.join(TARGETS)}; all of them by default")
    parser.add_argument("--sample", type=int, help="try so many of a module's mutants, drawn by --seed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--place", type=int, help="try only this one")
    arguments = parser.parse_args()
    import_libraries()
    reports = [
        try_module(module, sample=arguments.sample, seed=arguments.seed, place=arguments.place)
        for module in arguments.modules or TARGETS
    ]
    tell(
        "\n".join(
            f"{each.module:24}{each.killed:6} killed{len(each.survivors):6} survived{each.equal:6} equal"
            f"{each.share:8.0%}"
            for each in reports
        )
    )
    return 1 if any(each.share < WANTED_SHARE for each in reports) else 0


def try_module(module: str, *, sample: int | None, seed: int, place: int | None) -> Report:
    """Try a module's mutants and tell of the survivors as they come."""
    path, tests = Path(source_of(module)), tests_of(module)
    mutants = find_mutants(path.read_text())
    refuse_stale(module, mutants)
    limit = time_tests(module, path, tests)
    report = Report(module=module)
    for mutant in choose(mutants, sample, f"{module}/{seed}"):
        if place is not None and mutant.place != place:
            continue
        if mutant.change in EQUALS.get(module, {}):
            report.equal += 1
        elif run_tests(name_of(module), path, mutant.place, tests, limit) != SURVIVED:
            report.killed += 1
        else:
            report.survivors.append(mutant)
            tell(f"survived: {path}:{mutant.line} --place {mutant.place}\n    {mutant.change}")
    return report


def choose(mutants: Sequence[Mutant], sample: int | None, seed: str) -> Sequence[Mutant]:
    """Return so many of the mutants, in their order."""
    if sample is None or sample >= len(mutants):
        return mutants
    chosen = random.Random(seed).sample(range(len(mutants)), sample)  # noqa: S311 - no secret
    return [mutants[number] for number in sorted(chosen)]


def time_tests(module: str, path: Path, tests: Sequence[str]) -> Limit:
    """Return how long a mutant's tests may take; ends everything if they fail without a mutant."""
    started, before = time.monotonic(), processor_seconds()
    if run_tests(name_of(module), path, None, tests, LONGEST) != SURVIVED:
        sys.exit(f"{module}: its tests fail without any change: {' '.join(tests)}")
    return Limit(
        seconds=max(SLOWER * (time.monotonic() - started), LEAST_SECONDS),
        processor_seconds=max(BUSIER * round(processor_seconds() - before), LEAST_PROCESSOR_SECONDS),
    )


def processor_seconds() -> float:
    """Return the processor time of all trials until now."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def refuse_stale(module: str, mutants: Sequence[Mutant]) -> None:
    """End everything if the list of equals names a change that there is not."""
    stale = EQUALS.get(module, {}).keys() - {mutant.change for mutant in mutants}
    if stale:
        sys.exit(f"{module}: tests/mutants/equals.py names what is no mutant any more: {'; '.join(sorted(stale))}")


def tell(text: str) -> None:
    """Show it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
