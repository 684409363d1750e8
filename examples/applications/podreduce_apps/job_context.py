"""What a job's `setup` gets, for type checkers: the members of podreduce's context that the applications use."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

__all__ = ["JobContext"]


class JobContext(Protocol):
    """The context of a task.

    Attributes:
        parameters: the program's, as texts.
        task: `m-3` or `r-0`.
        input: the name of the input that a map task reads.
        uri: the object that is being read.
    """

    parameters: Mapping[str, str]
    task: str
    input: str
    uri: str

    def count(self, group: str, name: str, n: int = 1) -> None:
        """Add to a counter."""
        ...

    def progress(self) -> None:
        """Report that the task is alive."""
        ...

    def side_input(self, name: str) -> Iterator[tuple[Any, Any]]:
        """Return the records of a side input."""
        ...

    def side_table(self, name: str) -> pa.Table:
        """Return a side input as one table."""
        ...

    def side_files(self, name: str) -> tuple[Path, ...]:
        """Return the objects of a side input as local files."""
        ...

    def output_file(self, name: str) -> Path:
        """Return where to write a file of the output."""
        ...
