"""The texts that the simulation's mutants change are in the sources: said in seconds, before worlds are played."""

from collections.abc import Iterator

from tests.simulation.model_mutants import MODEL_MUTANTS
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutation import MODELS, POLICY, source_of
from tests.simulation.test_pipelines import MUTANTS as PIPELINE_MUTANTS
from tests.simulation.test_schedules import MUTANTS as SCHEDULE_MUTANTS


def changed_texts() -> Iterator[tuple[str, str, str]]:
    """Which mutant, the name of the module that it changes, as it has it, and the text that it replaces."""
    for mutant in (*MUTANTS, *MODEL_MUTANTS):
        yield mutant.name, mutant.module, mutant.old
    for wrong in (*PIPELINE_MUTANTS, *SCHEDULE_MUTANTS):
        yield wrong.breaks, wrong.module, wrong.old


def describe_stale(name: str, module: str, old: str) -> str | None:
    """What is wrong with a mutant's place; None if its text is in one module, once."""
    own = f"podreduce_operator.{module}"
    found = [own] if "." in module else [each for each in (*POLICY, *MODELS) if each.rpartition(".")[2] == module]
    if len(found) != 1:
        return f"the mutant {name!r} is of {module}, and there are {len(found)} such modules: name one that there is"
    count = source_of(found[0]).count(old)
    if count == 1:
        return None
    return f"the mutant {name!r} changes a text that {found[0]} has {count} times: take one that it has once: {old!r}"


def test_the_text_of_each_mutant_is_in_its_module_once() -> None:
    stale = [said for text in changed_texts() if (said := describe_stale(*text)) is not None]
    assert not stale, "\n".join(["", *stale])


def test_a_mutant_whose_text_or_module_is_gone_is_named() -> None:
    gone = describe_stale("nobody waits", "waves", "no such line")
    assert gone is not None
    assert gone.startswith("the mutant 'nobody waits' changes a text that podreduce_operator.policy.waves has 0 times")
    moved = describe_stale("nobody waits", "tides", "no such line")
    assert moved is not None
    assert "there are 0 such modules" in moved
