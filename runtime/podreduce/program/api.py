"""What a job's author sees: the members that a job class may have, and the context that its `setup` gets.

A job class needs none of these names: no base class, no import. They are for type checkers and readers.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from structlog.typing import FilteringBoundLogger

from podreduce.contract.task import TaskRef
from podreduce.program.counters import Counters

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Combiner", "Context", "FilesBeside", "JobClass", "Pairs", "SideReader"]

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


class CombinesBatches(Protocol):
    """A job class that shrinks its map's columns: it may be called never, or repeatedly on parts of a key's rows."""

    def combine_batch(self, batch: "pa.RecordBatch") -> Any:  # noqa: ANN401 - a batch, a table, several, or None
        """Return rows with the columns and some of the keys of `batch`, whose rows are in the order of their keys."""
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


class SideReader(Protocol):
    """Reads side inputs, by name. See the methods of `Context`."""

    def records(self, name: str) -> Iterator[tuple[Any, Any]]:
        """Return the records, in the order of the objects."""
        ...

    def table(self, name: str) -> "pa.Table":
        """Return the records as columns."""
        ...

    def files(self, name: str) -> tuple[Path, ...]:
        """Return the objects as local files."""
        ...


class FilesBeside(Protocol):
    """Takes the files that a program writes beside its part of the output."""

    def place(self, name: str) -> Path:
        """Return where the program may write a file."""
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
        self,
        *,
        parameters: Mapping[str, str],
        task: TaskRef,
        counters: Counters,
        logger: FilteringBoundLogger,
        side_inputs: SideReader,
        files: FilesBeside,
    ) -> None:
        self.parameters: Mapping[str, str] = MappingProxyType(dict(parameters))
        self.task = str(task)
        self.input = ""
        self.uri = ""
        self.start = 0
        self.end = 0
        self.logger = logger
        self._counters = counters
        self._side_inputs = side_inputs
        self._files = files

    def progress(self) -> None:
        """Report that the task is not stuck; for work on one record, or one key, that takes minutes.

        A task is started again if it does nothing for `spec.progressDeadlineSeconds`: no record read, no value read,
        nothing yielded or counted.
        """
        self._counters.beats += 1

    def count(self, group: str, name: str, n: int = 1) -> None:
        """Add `n` to the counter `name` of `group`; the job's status has the totals of all committed tasks."""
        self._counters.count(group, name, n)

    def side_input(self, name: str) -> Iterator[tuple[Any, Any]]:
        """Iterate over (key, value) of all records of a side input, as `map_func` would get them.

        The first use on a machine fetches the side input; every call reads it from the start.
        """
        return self._side_inputs.records(name)

    def side_table(self, name: str) -> "pa.Table":
        """Return a side input as one `pyarrow.Table`, with the columns that `map_batch` would get.

        It lies in a file that is mapped into memory, and all tasks of a machine share that memory.
        """
        return self._side_inputs.table(name)

    def side_files(self, name: str) -> tuple[Path, ...]:
        """Return the objects of a side input as local files, which must not be changed.

        They keep their names, and their places below the directory that all of them have in common.
        """
        return self._side_inputs.files(name)

    def output_file(self, name: str) -> Path:
        """Return a path. What the program has written there by the end of the task becomes a file of the output.

        It is published together with the output, as `_files/<name>`, from the one attempt that counts. Only tasks that
        write the output may call this: reduces, and maps of a job without a reduce. No two tasks may use one name.
        """
        return self._files.place(name)
