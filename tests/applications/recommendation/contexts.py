"""What a job of the application is given in its unit tests: parameters, side tables, and a place for files."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from podreduce_apps.catalog import find_pipeline

__all__ = ["Given", "default_parameters"]


def default_parameters(**changed: str) -> dict[str, str]:
    """The pipeline's own parameters, some of them changed."""
    return {**read_parameters(), **changed}


@cache
def read_parameters() -> dict[str, str]:
    """Those of the file, which takes long to read as YAML."""
    parameters: dict[str, str] = yaml.safe_load(find_pipeline("recommendation").read_text("utf-8"))["spec"][
        "parameters"
    ]
    return parameters


@dataclass
class Given:
    """Stands for the context."""

    parameters: dict[str, str] = field(default_factory=default_parameters)
    sides: dict[str, pa.Table] = field(default_factory=dict)
    input: str = "input"
    task: str = "m-0"
    directory: Path = Path()
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def side_table(self, name: str) -> pa.Table:
        return self.sides[name]

    def count(self, group: str, name: str, n: int = 1) -> None:
        self.counts[group, name] += n

    def output_file(self, name: str) -> Path:
        return self.directory / name


def one_batch(table: pa.Table) -> Any:
    """All rows of a table as one batch."""
    (batch,) = table.combine_chunks().to_batches()
    return batch
