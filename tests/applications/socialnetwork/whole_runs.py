"""Runs the application as a person does, on files, with any number of shards."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from podreduce_apps.catalog import find_pipeline
from tests.support.podreduce_command import COMMAND

__all__ = ["Run", "run_command", "run_pipeline", "say", "write_edges"]

SECONDS = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run has written, and what it printed."""

    output: Path
    printed: str

    def table(self, step: str) -> Any:
        """The records of a step with a result, in the order of the parts."""
        parts = [pq.read_table(path) for path in sorted((self.output / step).glob("part-*.parquet"))]
        return pa.concat_tables([part for part in parts if part.num_rows])

    def file(self, name: str) -> Path:
        """A file of the report."""
        return self.output / "report" / "_files" / name


def write_edges(directory: Path, graph: Any, files: int = 3) -> None:
    """Write a graph of networkx as some files of edges."""
    directory.mkdir(parents=True)
    lines = [f"v{a} v{b} {data.get('weight', 1)}" for a, b, data in graph.edges.data()]
    for number in range(files):
        (directory / f"edges-{number}.txt").write_text("\n".join(lines[number::files]) + "\n")


def run_pipeline(directory: Path, data: Path, *options: str, shards: int | None = None, **parameters: object) -> Run:
    """Run the application's pipeline; with `shards`, steps that say nothing have so many, and as many partitions."""
    pipeline = yaml.safe_load(find_pipeline("socialnetwork").read_text())
    for step in pipeline["spec"]["steps"]:
        if shards is not None:
            step.setdefault("map", {"shards": shards})
            step.setdefault("reduce", {}).setdefault("partitions", shards)
    directory.mkdir(parents=True)
    file, output = directory / "pipeline.json", directory / "out"
    file.write_text(json.dumps(pipeline))
    values = {"input": f"{data}/", "output": str(output), **parameters}
    named = [part for name, value in values.items() for part in ("-p", f"{name}={value}")]
    command = [*COMMAND, "run", str(file), *named, "--log-format", "lines", *options]
    return Run(output=output, printed=run_command(command))


def run_command(command: list[str]) -> str:
    """Run a command that must complete, and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout


def say(*lines: object) -> None:
    """Print lines at once."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
