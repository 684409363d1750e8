"""What a job author sees: the members a job class may have, and the context its `setup` gets.

A job class needs none of these names: no base class, no import. They are here for type checkers and for reading.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, Protocol

from structlog.typing import FilteringBoundLogger

from podreduce.contract.task import TaskRef
from podreduce.program.counters import Counters

__all__ = ["Combiner", "Context", "JobClass", "Pairs"]

Combiner = Literal["sum", "min", "max", "count"]

Pairs = Iterable[tuple[Any, Any]] | None
"""What a function of the program yields or returns: (key, value) pairs; None is none."""


class JobClass(Protocol):
    """What a job class may have; only `map_func` is required. The others are found by name."""

    def map_func(self, key: int, value: str) -> Pairs:
        """Return or yield the pairs of one record; for Text, its byte offset in the object and the line."""
        ...


class Reduces(Protocol):
    """A job class with a reduce of its own."""

    def reduce_func(self, key: Any, values: Iterator[Any]) -> Pairs:  # noqa: ANN401 - whatever map_func yields
        """Return or yield the output of one key; `values` come one by one, in the order (shard, position)."""
        ...


class Combines(Protocol):
    """A job class that shrinks its map output: may run never, or repeatedly on parts of a key's values, in order."""

    def combine_func(self, key: Any, values: Iterator[Any]) -> Pairs:  # noqa: ANN401 - whatever map_func yields
        """Return or yield pairs with that same key."""
        ...


class Aggregates(Protocol):
    """A job class whose reduce is one of the ready-made ones: output is (key, aggregate)."""

    combiner: Combiner


class Partitions(Protocol):
    """A job class that chooses the partition of a key."""

    def partition_func(self, key: Any, partitions: int) -> int:  # noqa: ANN401 - whatever map_func yields
        """Return 0 to `partitions` - 1, the same for equal keys."""
        ...


class SetsUp(Protocol):
    """A job class that wants to know where it runs, or holds something for the time of a task."""

    def setup(self, context: "Context") -> None:
        """Run once in each task, before the first record."""
        ...

    def teardown(self) -> None:
        """Run once in each task, after the last record."""
        ...


class Context:
    """What a program may know of its task.

    Attributes:
        parameters: `spec.program.parameters`.
        task: `m-3` or `r-0`.
        uri: the input object that is being read, with `start` and `end` (exclusive) of the piece, in stored bytes;
            empty and 0 in a reduce, and before the first piece.
        logger: a structlog logger; what it logs shows up in the task's log.
    """

    def __init__(
        self, *, parameters: Mapping[str, str], task: TaskRef, counters: Counters, logger: FilteringBoundLogger
    ) -> None:
        self.parameters: Mapping[str, str] = MappingProxyType(dict(parameters))
        self.task = str(task)
        self.uri = ""
        self.start = 0
        self.end = 0
        self.logger = logger
        self._counters = counters

    def progress(self) -> None:
        """Say that the task is not stuck; for work on one record, or one key, that takes minutes.

        A task of which nothing is heard for `spec.progressDeadlineSeconds` is started again: no record read, no value
        taken, nothing yielded or counted.
        """
        self._counters.beats += 1

    def count(self, group: str, name: str, n: int = 1) -> None:
        """Add `n` to the counter `name` of `group`; the totals of all committed tasks are in the job's status."""
        self._counters.count(group, name, n)
