"""Worlds in which the policy was once wrong: what went wrong, and in which seed it shows.

Rule: `mutant` brings the fault back; the seed is told good by passing without it and failing with it. Draws that change
make other worlds of the seeds: then a new seed is looked for (`find_seed`), and the sentence stays.
"""

from dataclasses import dataclass, replace

from tests.simulation.model_mutants import MODEL_MUTANTS
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutation import Mutant, find_worlds

__all__ = ["NAMED_SEEDS", "NamedSeed", "find_seed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSeed:
    """A fault that a world found."""

    name: str
    seed: int
    mutant: str
    sentence: str


NAMED_SEEDS = (
    NamedSeed(
        name="failed past its intent",
        seed=28,
        mutant="the intent does not protect from the deadline",
        sentence="The deadline came while the store was away, and failed a run past its point of no return.",
    ),
    NamedSeed(
        name="failed unseen",
        seed=89,
        mutant="blind runs fail past their intent",
        sentence="The Secret was missing for a moment, long after the start: a run that had just published failed.",
    ),
    NamedSeed(
        name="records gone too early",
        seed=61,
        mutant="records go while pods run",
        sentence="At the ttl a pod was still terminating: the plan, which says where output and claim lie, went first.",
    ),
    NamedSeed(
        name="a twin before its time",
        seed=5,
        mutant="twins before their time",
        sentence="An attempt had failed and its twin ran: the next twin did not wait for the backoff.",
    ),
    NamedSeed(
        name="given up after its start",
        seed=1577,
        mutant="waiting pods are given up by an old list",
        sentence="An old list showed a pod that waits for its image, past its deadline: it ran, and the job failed.",
    ),
)


def find_mutant(name: str) -> Mutant:
    """Return the mutant of that name."""
    return next(mutant for mutant in (*MUTANTS, *MODEL_MUTANTS) if mutant.name == name)


def find_seed(name: str, first: int = 0, last: int = 10_000) -> int | None:
    """Return the first seed in whose world the mutant breaks its invariant."""
    mutant = replace(find_mutant(name), first_seed=first)
    results = find_worlds(mutant, last - first)
    return next((result.seed for result in results if mutant.breaks == result.invariant), None)
