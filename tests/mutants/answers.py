"""Tells a changed policy by its answers: to the worked example, to the rules, and in some hostile worlds.

Rule: in this process, without pytest: that is quick, and most changes show here.
"""

import ast

from tests.simulation.draw import run_world
from tests.simulation.mutation import POLICY, Policy, load_changed_policy
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.rules import RULES
from tests.support.policy_examples.whole_run import WORKED_EXAMPLE

__all__ = ["is_noticed", "is_policy"]

WORLDS = 40


def is_policy(module: str) -> bool:
    """Tell whether a module, by its whole name, is one of those that decide."""
    return module in POLICY


def is_noticed(module: str, tree: ast.Module) -> bool:
    """Tell whether an example or a world shows that this is not the policy's module."""
    policy = load_changed_policy({module: tree})
    examples = (*WORKED_EXAMPLE, *RULES)
    return any(answer(policy, example) != example.expected for example in examples) or any(
        run_world(seed, policy).violation for seed in range(WORLDS)
    )


def answer(policy: Policy, example: Example) -> str:
    """Return what the policy decides; a policy that raises says that."""
    try:
        return str(policy(example.observed, example.now))
    except Exception as error:  # noqa: BLE001 - a wrong policy may raise anything
        return repr(error)
