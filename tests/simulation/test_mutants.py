import os
from collections.abc import Sequence
from multiprocessing import get_context

import pytest

from podreduce_operator.policy.decide import decide
from tests.simulation import judge
from tests.simulation.model_mutants import MODEL_MUTANTS
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutation import Mutant, MutantStaleError, find_worlds, load_policy
from tests.support.policy_examples.rules import RULES
from tests.support.policy_examples.whole_run import WORKED_EXAMPLE

WORLDS = 100
"""How many worlds a mutant may pass before one that shows its fault. Most do in the first ten."""

ALL: Sequence[Mutant] = (*MUTANTS, *MODEL_MUTANTS)


def kill(mutant: Mutant) -> tuple[str, int | None]:
    worlds = find_worlds(mutant, WORLDS)
    return mutant.name, next((world.seed for world in worlds if world.invariant == mutant.breaks), None)


@pytest.fixture(scope="module")
def killers() -> dict[str, int | None]:
    """The seed of the world in which each mutant broke its invariant."""
    with get_context("spawn").Pool(min(os.cpu_count() or 1, 8)) as pool:
        return dict(pool.imap_unordered(kill, ALL))


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_what_is_wrong_is_caught(mutant: Mutant, killers: dict[str, int | None]) -> None:
    where = f"{mutant.module}: {mutant.new!r} in place of {mutant.old!r}"
    by = f"no world from seed {mutant.first_seed} on broke: {mutant.breaks}"
    assert killers[mutant.name] is not None, f"{where} survived: {by} (see seeds.find_seed)"


def test_every_invariant_is_broken_by_some_mutant() -> None:
    sentences = {value for name, value in vars(judge).items() if name.isupper() and isinstance(value, str)}
    invariants = {sentence for sentence in sentences if " " in sentence}
    assert len(invariants) > 50
    assert {mutant.breaks for mutant in ALL} == invariants


def test_mutants_have_names_of_their_own() -> None:
    assert len({mutant.name for mutant in ALL}) == len(ALL)


def test_policy_without_mutation_decides_as_the_real_one() -> None:
    policy = load_policy()
    assert policy is not decide
    for example in (*WORKED_EXAMPLE, *RULES):
        assert policy(example.observed, example.now) == decide(example.observed, example.now)


def test_mutant_of_a_line_that_is_gone_is_refused() -> None:
    with pytest.raises(MutantStaleError, match="0 times 'no such line'"):
        load_policy(Mutant(name="stale", module="waves", old="no such line", new="", breaks=judge.PROGRESS))
