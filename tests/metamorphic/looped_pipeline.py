"""Draws pipelines with a loop in which some inputs never change, and runs them with and without carried map output.

Rule: the program's maps write down which input they read, so that a test can see how often something was mapped.
"""

import json
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

from podreduce_operator.cli.overrides import Overrides, StepOverrides
from podreduce_operator.cli.run import ExitStatus, RunOptions
from podreduce_operator.cli.run_any import run_any
from podreduce_operator.cluster.local.fork_server import ForkServer

__all__ = ["Looped", "Outcome", "draw_looped", "run_looped"]

WORDS = ("ant", "bee", "cow", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay")

PROGRAM = """\
class Seed:
    def map_func(self, key, line):
        for word in line.split():
            yield word, 1

    def reduce_func(self, word, counts):
        yield word, sum(counts)


class Grow:
    def setup(self, context):
        self.context = context
        self.marks = context.parameters["marks"]
        self.bonus = sum(int(line) for _, line in context.side_input("bonus")) if {side} else 0

    def map_func(self, key, value):
        name = self.context.input
        with open(f"{{self.marks}}/{{name}}", "a") as file:
            file.write(".")
        self.context.count("read", name)
        if name == "ranks":
            yield key, value + self.bonus
        else:
            for word in value.split():
                yield word, len(value)

    def reduce_func(self, word, values):
        total = sum(values) % 1009
        self.context.count("sum", "all", total)
        yield word, total
{members}

class Show:
    def map_func(self, word, total):
        yield word, total
"""
COMBINER = """
    def combine_func(self, word, values):
        yield word, sum(values)
"""
PARTITIONER = """
    def partition_func(self, word, partitions):
        return len(word) % partitions
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looped:
    """A drawn pipeline.

    Attributes:
        place: the directory of its data.
        fixed: the inputs of the loop's step that never change.
        step: further fields of that step.
        loop: how often it runs.
    """

    place: Path
    fixed: tuple[str, ...]
    ranks_first: bool
    members: str
    has_side_input: bool
    step: dict[str, Any]
    iterations: int

    def manifest(self, out: Path, *, carries: bool) -> dict[str, Any]:
        """Return the pipeline's file. Without carrying, each iteration maps everything."""
        fixed: list[dict[str, Any]] = [{"name": name, "uris": [f"{self.place}/{name}/"]} for name in self.fixed]
        ranks: dict[str, Any] = {"name": "ranks", "previous": "grow", "first": {"from": "seed"}}
        side = {"sideInputs": [{"name": "bonus", "uris": [f"{self.place}/bonus/"]}]} if self.has_side_input else {}
        grow = {
            "name": "grow",
            "className": "Grow",
            "inputs": [ranks, *fixed] if self.ranks_first else [*fixed, ranks],
            "parameters": {"marks": str(out / "marks")},
            "reuse": "Unchanged" if carries else "Never",
            **self.step,
            **side,
        }
        show = {
            "name": "show",
            "className": "Show",
            "inputs": [{"from": "grow"}],
            "reduce": {"partitions": 0},
            "output": {"uri": f"{out}/result/", "format": "JSONLines"},
        }
        seed = {"name": "seed", "className": "Seed", "inputs": [{"uris": [f"{self.place}/{self.fixed[0]}/"]}]}
        return {
            "apiVersion": "podreduce.dev/v1beta1",
            "kind": "MapReducePipeline",
            "metadata": {"name": "looped"},
            "spec": {
                "program": {"source": PROGRAM.format(members=self.members, side=self.has_side_input)},
                "steps": [seed, grow, show],
                "loops": [{"name": "growth", "steps": ["grow"], "maxIterations": self.iterations, "keep": "All"}],
            },
        }

    def lines(self, name: str) -> int:
        """Return how many lines an input has."""
        return sum(len(path.read_text().splitlines()) for path in (self.place / name).iterdir())


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run gave: its records, the counters of each iteration, and how often each input's records were mapped."""

    records: list[tuple[str, int]]
    counters: dict[str, dict[str, dict[str, int]]]
    mapped: Counter[str]


def draw_looped(place: Path, rng: Random) -> Looped:
    """Return a drawn pipeline, with its data written."""
    fixed = ("links", "names")[: rng.randint(1, 2)]
    for name in fixed:
        write_input(place / name, rng)
    (place / "bonus").mkdir(parents=True)
    (place / "bonus" / "1.txt").write_text("3\n")
    order: dict[str, Any] = {"output": {"order": "Total"}} if rng.random() < 0.3 else {}
    members = rng.choice(("", COMBINER, COMBINER if order else PARTITIONER))
    partitions = rng.choice((None, 1, 2, 3))
    return Looped(
        place=place,
        fixed=fixed,
        ranks_first=rng.random() < 0.5,
        members=members,
        has_side_input=rng.random() < 0.3,
        step={
            "map": {"shards": rng.randint(len(fixed) + 1, 8)},
            **({} if partitions is None else {"reduce": {"partitions": partitions}}),
            **order,
        },
        iterations=rng.randint(2, 4),
    )


def write_input(directory: Path, rng: Random) -> None:
    """Write some files of lines, of which one may be empty."""
    directory.mkdir(parents=True)
    for number in range(rng.randint(1, 3)):
        lines = [" ".join(rng.choices(WORDS, k=rng.randint(1, 5))) for _ in range(rng.randint(0, 9))]
        (directory / f"{number}.txt").write_text("".join(f"{line}\n" for line in lines))
    (directory / "last.txt").write_text("ant bee\n")


def run_looped(looped: Looped, out: Path, fork_server: ForkServer, *, carries: bool) -> Outcome:
    """Run a pipeline into an empty directory.

    Raises:
        AssertionError: it is not complete.
    """
    (out / "marks").mkdir(parents=True)
    file = out / "pipeline.json"
    file.write_text(json.dumps(looped.manifest(out, carries=carries)))
    options = RunOptions(file=str(file), overrides=Overrides(parallelism=2), as_json=True, log_format="lines")
    told = StringIO()
    with redirect_stdout(StringIO()), redirect_stderr(told):
        ended = run_any(options, StepOverrides(keep=out / "kept"), fork_server)
    assert ended == ExitStatus.COMPLETE, told.getvalue()
    lines = [line for part in sorted((out / "result").glob("part-*")) for line in part.read_text().splitlines()]
    manifests = sorted((out / "kept").glob("**/data/grow/*/_MANIFEST.json"), key=lambda path: int(path.parent.name))
    return Outcome(
        records=sorted((record["key"], record["value"]) for record in map(json.loads, lines)),
        counters={path.parent.name: read_counters(path) for path in manifests},
        mapped=Counter({path.name: len(path.read_text()) for path in (out / "marks").iterdir()}),
    )


def read_counters(manifest: Path) -> dict[str, dict[str, int]]:
    """Return the program's counters, and of podreduce's own those that do not depend on where shards end."""
    counters: dict[str, dict[str, int]] = json.loads(manifest.read_text())["counters"]
    own = counters.pop("podreduce")
    steady = {name: own[name] for name in own if name.endswith("Tasks") or name in {"mapRecordsIn", "reduceRecordsOut"}}
    return counters | {"podreduce": steady}
