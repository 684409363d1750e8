import os
from multiprocessing import get_context

import pytest

from podreduce_operator.decide import decide
from tests.policy_examples import RULES, WORKED_EXAMPLE
from tests.simulation.mutants import MUTANTS, Mutant, MutantStaleError, find_killer, load_policy

WORLDS = 60
"""How many worlds a mutant must pass before the examples have a look at it."""


def kill(mutant: Mutant) -> tuple[str, str | None]:
    return mutant.name, find_killer(mutant, WORLDS)


@pytest.fixture(scope="module")
def killers() -> dict[str, str | None]:
    """What caught each mutant."""
    with get_context("spawn").Pool(min(os.cpu_count() or 1, 8)) as pool:
        return dict(pool.imap_unordered(kill, MUTANTS))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_wrong_policy_is_caught(mutant: Mutant, killers: dict[str, str | None]) -> None:
    assert killers[mutant.name] is not None, f"{mutant.module}: {mutant.new!r} in place of {mutant.old!r} survived"


def test_most_mutants_are_caught_by_a_world(killers: dict[str, str | None]) -> None:
    by_world = [name for name, killer in killers.items() if killer is not None and killer.startswith("seed")]
    assert len(by_world) >= len(MUTANTS) * 2 / 3


def test_mutants_have_names_of_their_own() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_policy_without_mutation_decides_as_the_real_one() -> None:
    policy = load_policy()
    assert policy is not decide
    for example in (*WORKED_EXAMPLE, *RULES):
        assert policy(example.observed, example.now) == decide(example.observed, example.now)


def test_mutant_of_a_line_that_is_gone_is_refused() -> None:
    with pytest.raises(MutantStaleError, match="0 times 'no such line'"):
        load_policy(Mutant(name="stale", module="waves", old="no such line", new=""))
