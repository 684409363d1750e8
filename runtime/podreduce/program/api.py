"""What a job's author sees: the members that a job class may have, and the context that its `setup` gets.

A job class needs none of these names: no base class, no import. They are for type checkers and readers.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal, Protocol

from structlog.typing import FilteringBoundLogger

from podreduce.contract.task import TaskRef
from podreduce.program.counters import Counters

__all__ = ["Combiner", "Context", "JobClass", "Pairs"]

Combiner = Literal["sum", "min", "max", "count"]
"""The combiners that aggregate; `largest:N` and `smallest:N`, which keep N values, are others."""

Pairs = Iterable[tuple[Any, Any]] | None
"""What a function of the program yields or returns: (key, value) pairs; None means no pairs."""


class JobClass(Protocol):
    """A job class: only `map_func` is required. The other members are found by name."""

    def map_func(self, key: int, value: str) -> Pairs:
        """Return or yield the pairs of one record; for Text, `key` is its byte offset and `value` the line."""
        ...


class Reduces(Protocol):
    """A job class with its own reduce function."""

    def reduce_func(self, key: Any, values: Iterator[Any]) -> Pairs:  # noqa: ANN401 - anything map_func yields
        """Return or yield the output of one key; `values` is an iterator, in the order (shard, position)."""
        ...


class Combines(Protocol):
    """A job class that shrinks its map output: it may be called never, or repeatedly on parts of a key's values."""

    def combine_func(self, key: Any, values: Iterator[Any]) -> Pairs:  # noqa: ANN401 - anything map_func yields
        """Return or yield pairs with the same key."""
        ...


class Aggregates(Protocol):
    """A job class whose reduce is a built-in one: the output is (key, aggregate)."""

    combiner: Combiner


class Ranks(Protocol):
    """A job class of which each key keeps its largest or smallest values, for `reduce_func` or the output."""

    combiner: str


class SortsBatches(Protocol):
    """A job class whose batches have several key columns: rows are sorted by the first, then the second, and so on."""

    key_columns: tuple[str, ...]


class Partitions(Protocol):
    """A job class that chooses the partition of a key."""

    def partition_func(self, key: Any, partitions: int) -> int:  # noqa: ANN401 - anything map_func yields
        """Return 0 to `partitions` - 1, the same for equal keys."""
        ...


class SetsUp(Protocol):
    """A job class that needs to know where it runs, or holds something while a task runs."""

    def setup(self, context: "Context") -> None:
        """Run once in each task, before the first record."""
        ...

    def teardown(self) -> None:
        """Run once in each task, after the last record."""
        ...


class Context:
    """What a program can know about its task.

    Attributes:
        parameters: `spec.program.parameters`.
        task: `m-3` or `r-0`.
        input: the name of the input that a map task reads: one of `spec.inputs`, or `input` if the job has only that;
            empty in a reduce.
        uri: the current input object, with `start` and `end` (exclusive) of the piece, in stored bytes; empty and 0
            in a reduce, and before the first piece.
        logger: a structlog logger; its lines appear in the task's log.
    """

    def __init__(
        self, *, parameters: Mapping[str, str], task: TaskRef, counters: Counters, logger: FilteringBoundLogger
    ) -> None:
        self.parameters: Mapping[str, str] = MappingProxyType(dict(parameters))
        self.task = str(task)
        self.input = ""
        self.uri = ""
        self.start = 0
        self.end = 0
        self.logger = logger
        self._counters = counters

    def progress(self) -> None:
        """Report that the task is not stuck; for work on one record, or one key, that takes minutes.

        A task is started again if it does nothing for `spec.progressDeadlineSeconds`: no record read, no value read,
        nothing yielded or counted.
        """
        self._counters.beats += 1

    def count(self, group: str, name: str, n: int = 1) -> None:
        """Add `n` to the counter `name` of `group`; the job's status has the totals of all committed tasks."""
        self._counters.count(group, name, n)
