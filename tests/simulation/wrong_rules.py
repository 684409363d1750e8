"""Wrong rules of pipelines and schedules, and what a world's judge says of a policy that has one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulation.mutation import load, mutate_source, source_of

__all__ = ["Wrong", "is_found"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A wrong rule: in `module`, `new` stands where `old` should. `breaks` begins what the judge says."""

    module: str
    old: str
    new: str
    breaks: str


def is_found(
    wrong: Wrong, modules: Sequence[str], decides: str, play: Callable[[int, Any], object], worlds: int
) -> tuple[bool, list[str]]:
    """Play worlds until one breaks as it should; return whether one did, and what all of them said.

    Args:
        wrong: the rule.
        modules: what is loaded anew with it, in the order of the imports.
        decides: the module and the function of the policy, such as `decide_pipeline`.
        play: plays the world of a seed by a policy; raises AssertionError if an invariant is broken.
        worlds: how many at most.
    """
    name = f"podreduce_operator.{wrong.module}"
    changed = {name: mutate_source(source_of(name), wrong.old, wrong.new)}
    decide = getattr(load(modules, changed)[f"podreduce_operator.policy.{decides}"], decides)
    heard: list[str] = []
    for seed in range(worlds):
        try:
            play(seed, decide)
        except AssertionError as error:
            heard.append(str(error).partition("\n")[0])
            if heard[-1].startswith(wrong.breaks):
                return True, heard
    return False, heard
