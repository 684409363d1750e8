"""Loads policies and worlds with modules changed, and finds the worlds that catch the change.

Rule: nothing on disk changes, and the real modules are back when a mutant is loaded.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from types import CodeType, ModuleType
from typing import Protocol

from podreduce_operator.model.decisions import Decision
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.observed import Observed
from podreduce_operator.pods.task_sequences import History
from tests.simulation.draw import run_world
from tests.simulation.world import Decide, Result

__all__ = [
    "POLICY",
    "Mutant",
    "MutantStaleError",
    "find_worlds",
    "in_order_of_imports",
    "load",
    "load_changed_policy",
    "load_policy",
    "load_worlds",
    "mutate_source",
    "source_of",
]


def in_order_of_imports(package: str, *more: str) -> tuple[str, ...]:
    """Return the names of a package's modules and of `more`, each after those that it imports."""
    names = {*more, *(f"{package}.{found.name}" for found in iter_modules(import_module(package).__path__))}
    imports = {name: set(re.findall(r"^from ([\w.]+) import", source_of(name), re.MULTILINE)) & names for name in names}
    return tuple(TopologicalSorter({name: sorted(imports[name]) for name in sorted(names)}).static_order())


def source_of(name: str) -> str:
    """Return the source of a module."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).read_text()


POLICY = in_order_of_imports("podreduce_operator.policy", "podreduce_operator.pods.task_sequences")
"""What decides, in the order of the imports."""

MODELS = (
    "podreduce_operator.runs.expected_commits",
    *(
        f"tests.simulation.{name}"
        for name in ("chaos", "object_store", "pods", "sight", "judge", "actions", "user", "world", "draw")
    ),
)
"""The models of operator, cluster and store, and the judge over them, in the order of the imports."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A wrong policy, or a wrong model: in `module`, `new` stands where `old` should.

    Attributes:
        module: the last part of its name.
        breaks: the invariant that a world with it must break.
        first_seed: where to begin to look for that world; it is near.
        faultless: the world is one without faults.
    """

    name: str
    module: str
    old: str
    new: str
    breaks: str
    first_seed: int = 0
    faultless: bool = False


class MutantStaleError(Exception):
    """The line that a mutant changes is not in the source, or not only once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy as loaded: decide, what is made of pods before it, and which run a job is to have."""

    decide: Decide
    history: type[History]
    choose: Callable[[JobView], str]

    def __call__(self, observed: Observed, now: float) -> Decision:
        return self.decide(observed, now)


class Worlds(Protocol):
    """Runs the world of a seed."""

    def __call__(self, seed: int, policy: Decide, *, faultless: bool) -> Result: ...


def load_policy(mutant: Mutant | None = None) -> Policy:
    """Return the policy with this mutation.

    Raises:
        MutantStaleError: `old` does not occur just once.
    """
    return load_changed_policy({} if mutant is None else mutated_sources(POLICY, mutant))


def load_changed_policy(changed: Mapping[str, str | ast.Module]) -> Policy:
    """Return the policy with other sources, or syntax trees, of the modules of these names."""
    modules = load(POLICY, changed)
    names = ("policy.decide", "pods.task_sequences", "policy.run_choice")
    decide, turns, choice = (modules[f"podreduce_operator.{name}"] for name in names)
    return Policy(decide=decide.decide, history=turns.History, choose=choice.choose_run_id)


def load_worlds(mutant: Mutant) -> Worlds:
    """Return what runs worlds with the mutant in their models; the real one if it is of the policy."""
    if is_policy(mutant):
        return run_world
    worlds: Worlds = load(MODELS, mutated_sources(MODELS, mutant))["tests.simulation.draw"].run_world
    return worlds


def is_policy(mutant: Mutant) -> bool:
    """Tell whether the mutant decides, rather than does."""
    return any(name.rpartition(".")[2] == mutant.module for name in POLICY)


def load(names: Sequence[str], changed: Mapping[str, str | ast.Module]) -> dict[str, ModuleType]:
    """Return fresh modules of these names, those of `changed` from there."""
    with fresh_modules(names):
        for name in names:
            code = compile(changed[name], f"<mutant {name}>", "exec") if name in changed else code_of(name)
            sys.modules[name] = module = ModuleType(name)
            exec(code, module.__dict__)  # noqa: S102 - our own source
        return {name: sys.modules[name] for name in names}


@cache
def code_of(name: str) -> CodeType:
    """Return a module's code as it is."""
    return compile(source_of(name), f"<fresh {name}>", "exec")


def mutated_sources(names: Sequence[str], mutant: Mutant) -> dict[str, str]:
    """Return the source of the mutant's module, mutated, by its whole name."""
    return {name: mutate(source_of(name), mutant) for name in names if name.rpartition(".")[2] == mutant.module}


def mutate(source: str, mutant: Mutant) -> str:
    """Replace the mutant's line."""
    try:
        return mutate_source(source, mutant.old, mutant.new)
    except MutantStaleError as error:
        raise MutantStaleError(f"mutant {mutant.name!r}: {mutant.module}.py {error}") from error


def mutate_source(source: str, old: str, new: str) -> str:
    """Replace a line of a source.

    Raises:
        MutantStaleError: `old` does not occur just once.
    """
    if source.count(old) != 1:
        raise MutantStaleError(f"has {source.count(old)} times {old!r}; make the mutant's line follow the source")
    return source.replace(old, new)


@contextmanager
def fresh_modules(names: Sequence[str]) -> Iterator[None]:
    """Put the modules back where they were."""
    kept = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    try:
        yield
    finally:
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(kept)


def find_worlds(mutant: Mutant, worlds: int) -> Iterator[Result]:
    """Yield how the worlds went in which the mutant breaks an invariant, any one."""
    policy, run = load_policy(mutant if is_policy(mutant) else None), load_worlds(mutant)
    for seed in range(mutant.first_seed, mutant.first_seed + worlds):
        result = run(seed, policy, faultless=mutant.faultless)
        if result.violation:
            yield result
