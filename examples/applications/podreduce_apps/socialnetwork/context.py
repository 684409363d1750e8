"""What the jobs use of podreduce's context, for the type checker."""

from pathlib import Path
from typing import Any, Protocol

__all__ = ["JobContext"]


class JobContext(Protocol):
    """The context that `setup` gets."""

    parameters: dict[str, str]
    task: str
    input: str
    uri: str

    def count(self, group: str, name: str, n: int = 1) -> None:
        """Add to a counter."""

    def progress(self) -> None:
        """Report that the task is alive."""

    def side_table(self, name: str) -> Any:  # noqa: ANN401 - a pyarrow.Table
        """Return a side input as one table."""

    def output_file(self, name: str) -> Path:
        """Return the path of a file of the output."""
