"""Tries a mutant: a forked copy of this process imports the changed module in place of the real one and runs tests.

Rule: what is mutated is imported after the fork, by the tests: what of podreduce is there before is forgotten. A mutant
that never ends is known by its processor time, on which other programs have little influence.
"""

import ast
import importlib.abc
import importlib.machinery
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest
from hypothesis import Phase, settings

from tests.mutants.answers import is_noticed, is_policy
from tests.mutants.changes import mutated_tree

__all__ = ["SURVIVED", "Limit", "import_libraries", "run_tests"]

SURVIVED = 0
NOTICED = 1
LIBRARIES = ("hypothesis", "numpy", "pyarrow", "pyarrow.compute", "pyarrow.parquet", "obstore.store", "msgspec")
POLL_SECONDS = 0.02


class Limit(NamedTuple):
    """What a trial may take, in seconds: as long as it may last, and the time of a processor."""

    seconds: float
    processor_seconds: int


class FirstFailureIsEnough:
    """A plugin of pytest: no time goes into the smallest case of a failure."""

    def pytest_collection(self) -> None:
        settings.register_profile("trial", settings(), phases=(Phase.explicit, Phase.generate))
        settings.load_profile("trial")


def import_libraries() -> None:
    """Import what takes long, for all trials."""
    for name in LIBRARIES:
        __import__(name)


class ChangedModule(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module, and loads it changed."""

    def __init__(self, name: str, path: Path, tree: ast.Module) -> None:
        self._name = name
        self._path = path
        self._code = compile(tree, str(path), "exec")

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> object:
        del path, target
        if fullname != self._name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=str(self._path))

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self._path)
        exec(self._code, module.__dict__)  # noqa: S102 - the changed module


def run_tests(module: str, path: Path, place: int | None, tests: Sequence[str], limit: Limit) -> int:
    """Run tests against the mutant at `place` (None: the module as it is); return `SURVIVED`, or else it is killed."""
    pid = os.fork()
    if not pid:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_CPU, (limit.processor_seconds, limit.processor_seconds))
        try:
            os._exit(be_trial(module, path, place, tests))
        finally:
            os._exit(99)
    deadline = time.monotonic() + limit.seconds
    while time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(POLL_SECONDS)
    os.killpg(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def be_trial(module: str, path: Path, place: int | None, tests: Sequence[str]) -> int:
    """Run the tests in this process, in silence."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    tree = None if place is None else mutated_tree(path.read_text(), place)
    if tree is not None and is_policy(module) and is_noticed(module, tree):
        return NOTICED
    forget_the_project()
    if tree is not None:
        sys.meta_path.insert(0, ChangedModule(module, path, tree))
    options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider"]
    return int(pytest.main([*options, *tests], plugins=[FirstFailureIsEnough()]))


def forget_the_project() -> None:
    """Let what follows import all of the project anew."""
    for name in [*sys.modules]:
        if name.partition(".")[0] in ("podreduce", "podreduce_operator", "tests"):
            del sys.modules[name]
