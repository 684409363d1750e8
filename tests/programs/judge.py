"""Runs a program as it is written and as it is rewritten, through the real map loop, and compares all that can be seen.

As it is written means drained: the generator is iterated, and nothing of the rewriting runs.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from types import ModuleType
from typing import Any

from podreduce.contract.errors import PodreduceError
from podreduce.contract.plan import Program
from podreduce.contract.task import TaskRef, TaskType
from podreduce.encoding.codec import capture, encode_key
from podreduce.inputs import RecordBlock
from podreduce.program.loading import LoadedProgram, load_program
from podreduce.rows.row_stores import Aggregates, ListGroups
from podreduce.task.attempt import Attempt, open_attempt
from podreduce.task.map_rows import MapLoop, Sink
from tests.programs.given import LOG
from tests.support.task_runs import TaskRun

__all__ = ["KINDS", "Outcome", "an_attempt", "compare", "differences", "lines_block", "open_sink", "run_program"]

KINDS = ("list", "not interned", "sum", "count", "min", "max", "part")
"""What the pairs go into: each kind of store, or an output part."""
LINES = ("the quick the fox", "a,b,,a", "", "A b", "7", "ünï the 日本 the")
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class DrainedLoop(MapLoop):
    """A map loop that rewrites nothing."""

    def _fuse(self) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What can be seen of a run.

    Attributes:
        error: class, message, traceback and record of the error that ended it; None if none did.
        stored: what was put where pairs go, in order as far as it counts.
        records: how many pairs that says it was.
        state: the attributes of the job's instance, and the module's globals.
        fused: whether the map function was rewritten; not compared.
    """

    error: tuple[str, ...] | None
    stored: list[str]
    records: int
    state: list[str]
    fused: bool


def compare(source: str, kind: str) -> tuple[list[str], bool]:
    """What differs between the program as written and as rewritten, a line each; and whether it was rewritten."""
    rewritten = run_program(source, kind, rewritten=True)
    if not rewritten.fused:
        return [], False
    return differences(run_program(source, kind, rewritten=False), rewritten), True


def differences(written: Outcome, rewritten: Outcome) -> list[str]:
    """What differs between two runs."""
    names = [each.name for each in fields(Outcome) if each.name != "fused"]
    pairs = [(name, getattr(written, name), getattr(rewritten, name)) for name in names]
    return [f"{name}: as written {one!r}\n{name}: as rewritten {other!r}" for name, one, other in pairs if one != other]


def run_program(source: str, kind: str, *, rewritten: bool) -> Outcome:
    """Run the program over some lines."""
    LOG.clear()
    try:
        program = load_program(Program(source=source, class_name="Job"), name="job")
    except PodreduceError as error:
        return Outcome(error=describe_error(error), stored=[], records=0, state=[], fused=False)
    sink, stored = open_sink(kind)
    error, loop = None, None
    try:
        loop = (MapLoop if rewritten else DrainedLoop)(an_attempt(), program, sink)
        loop.map_block(lines_block())
    except Exception as raised:  # noqa: BLE001 - it is compared
        error = describe_error(raised)
    return Outcome(
        error=error,
        stored=stored(),
        records=loop.records() if loop else 0,
        state=describe_state(program),
        fused=loop is None or loop.fused is not None,
    )


def lines_block() -> RecordBlock:
    """The records."""
    return RecordBlock(
        stored_bytes=1,
        make_values=lambda: LINES,
        make_keys=lambda: range(0, 3 * len(LINES), 3),
        make_arrow=NotImplemented,
    )


@cache
def an_attempt() -> Attempt:
    """An attempt that all programs share: the loop needs one."""
    run = TaskRun(objects={"in.txt": b"a\n"})
    return open_attempt(run.environment(TaskRef(type=TaskType.MAP, index=0)), run.settings)


def open_sink(kind: str) -> tuple[Sink, Callable[[], list[str]]]:
    """Where pairs go, and what tells what has come there."""
    if kind == "part":
        return open_part_sink()
    store = ListGroups(lambda _: 500) if kind in ("list", "not interned") else Aggregates(kind, lambda _: 500)
    if isinstance(store, ListGroups):
        store.interns = kind == "list"

    def stored() -> list[str]:
        store.settle()
        ranges = store.ranges.items() if isinstance(store, Aggregates) else ()
        groups = [*store.plain.items(), *store.others.items(), *ranges]
        return sorted(
            f"{describe(key)}: {rounded(values) if kind == 'sum' else describe(values)}" for key, values in groups
        )

    return Sink(add=store.add, records=lambda: store.records, store=store), stored


def open_part_sink() -> tuple[Sink, Callable[[], list[str]]]:
    """A sink without a store: it takes each pair as it is then."""
    taken: list[str] = []

    def add(key: Any, value: Any) -> None:
        taken.append(f"{encode_key(key)!r}: {describe(capture(value))}")

    return Sink(add=add, records=lambda: len(taken)), lambda: taken


def rounded(value: Any) -> str:
    """A sum without the last digits of a float: it may be added up in another order."""
    return f"{value:.9e}" if isinstance(value, float) else describe(value)


def describe_error(error: Exception) -> tuple[str, ...]:
    """An error as its user sees it.

    But not the place where an unbound name is read, by the error or by one that it followed: Python itself may show the
    instruction before that.
    """
    is_unbound = "UnboundLocalError" in f"{error} {getattr(error, 'user_traceback', '')}"
    names = ("record",) if is_unbound else ("user_traceback", "record")
    seen = (getattr(error, name, None) for name in names)
    return tuple(ADDRESS.sub("", f"{each}") for each in (type(error).__name__, error, *seen))


def describe_state(program: LoadedProgram) -> list[str]:
    """The attributes of the job's instance and its module's globals."""
    instance: Any = getattr(program.map_func, "__self__", None)
    module = getattr(program.map_func, "__func__", program.map_func).__globals__  # type: ignore[union-attr]
    names = [*vars(instance).items(), *((f"global {name}", value) for name, value in module.items())]
    return [f"{name}: {describe(value)}" for name, value in names if not name.startswith("global __")]


def describe(value: Any) -> str:
    """A value without what is another in each run."""
    if isinstance(value, type | ModuleType):
        return f"{type(value).__name__} {value.__qualname__ if isinstance(value, type) else value.__name__}"
    return ADDRESS.sub("", repr(value))
