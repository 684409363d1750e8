"""A pipeline that somebody edits between its runs, its data, and what a run from nothing gives by plain Python.

Rule: a step's output is a function of its program, its parameters and what it reads, so reuse must not be seen in it.
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.support.program_context import Pairs, ProgramContext, run_class

__all__ = ["EDITS", "EditedPipeline", "draw_pipeline"]

WORDS = ("ant", "bee", "cow", "dog", "elk", "fox", "gnu", "hen")
PROGRAM = """\
def scale(number):
    return number * {helper}


class Words:
    def map_func(self, key, line):
        for word in line.split():
            yield word, {words}

    def reduce_func(self, word, counts):
        yield word, sum(counts)


class Lengths:
    def map_func(self, word, count):
        yield str(len(word) + {lengths}), scale(count)

    def reduce_func(self, length, counts):
        yield length, sum(counts)


class Keep:
    def setup(self, context):
        self.least = int(context.parameters["least"])

    def map_func(self, key, count):
        if count >= self.least:
            yield key, count{remark}

    def reduce_func(self, key, counts):
        yield key, max(counts)


class Merge:
    def setup(self, context):
        self.context = context

    def map_func(self, key, count):
        yield f"{{self.context.input}} {{key}}", count + {merge}

    def reduce_func(self, key, counts):
        yield key, sum(counts)
"""


@dataclass(kw_only=True)
class EditedPipeline:
    """A pipeline as it is now.

    Attributes:
        place: the directory of its inputs `a/` and `b/`, its outputs and its records `kept/`.
        out: the directory of its output.
        numbers: what stands in the program's gaps.
        remark: a comment in the program, which changes nothing.
        least: the parameter of the step `keep`.
        reads: which steps `keep` and `merge` read.
    """

    place: Path
    numbers: dict[str, int] = field(default_factory=lambda: {"helper": 2, "words": 1, "lengths": 0, "merge": 0})
    out: str = "out"
    remark: str = ""
    least: int = 2
    reads: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {"keep": ("lengths",), "merge": ("keep", "others")}
    )

    @property
    def source(self) -> str:
        """The program."""
        return PROGRAM.format(**self.numbers, remark=self.remark)

    def manifest(self) -> dict[str, Any]:
        """Return the pipeline's file."""
        steps: list[dict[str, Any]] = [
            {"name": "words", "className": "Words", "inputs": [{"uris": [f"{self.place}/a/"]}]},
            {"name": "others", "className": "Words", "inputs": [{"uris": [f"{self.place}/b/"]}]},
            {"name": "lengths", "className": "Lengths", "inputs": [{"from": "words"}]},
            {
                "name": "keep",
                "className": "Keep",
                "inputs": [{"from": each} for each in self.reads["keep"]],
                "parameters": {"least": str(self.least)},
            },
            {
                "name": "merge",
                "className": "Merge",
                "inputs": [{"from": each} for each in self.reads["merge"]],
                "output": {"uri": f"{self.place}/{self.out}/", "format": "JSONLines"},
            },
        ]
        return {
            "apiVersion": "podreduce.dev/v1beta1",
            "kind": "MapReducePipeline",
            "metadata": {"name": "edited"},
            "spec": {"program": {"source": self.source}, "steps": steps},
        }

    def expected(self) -> Pairs:
        """Return what a run from nothing gives."""
        classes: dict[str, Any] = {}
        exec(self.source, classes)  # noqa: S102 - our own program
        known: dict[str, Pairs] = {name: read_lines(self.place / name) for name in ("a", "b")}
        for name, job, reads in (
            ("words", "Words", ("a",)),
            ("others", "Words", ("b",)),
            ("lengths", "Lengths", ("words",)),
            ("keep", "Keep", self.reads["keep"]),
            ("merge", "Merge", self.reads["merge"]),
        ):
            context = ProgramContext({"least": str(self.least)})
            known[name] = run_class(classes[job], context, {each: known[each] for each in reads})
        return sorted(known["merge"])

    def found(self) -> Pairs:
        """Return what the last run has published."""
        lines = [
            line for part in sorted((self.place / self.out).glob("part-*")) for line in part.read_text().splitlines()
        ]
        return sorted((record["key"], record["value"]) for record in map(json.loads, lines))


def read_lines(directory: Path) -> Pairs:
    """Return the lines of a directory's files as records."""
    return [(0, line) for path in sorted(directory.iterdir()) for line in path.read_text().splitlines()]


def draw_pipeline(place: Path, rng: Random) -> EditedPipeline:
    """Return a pipeline with drawn data."""
    for name in ("a", "b"):
        (place / name).mkdir(parents=True)
        write_file(place / name / "1.txt", rng)
    return EditedPipeline(place=place)


def write_file(path: Path, rng: Random) -> None:
    """Write some lines of words."""
    lines = (" ".join(rng.choices(WORDS, k=rng.randint(1, 6))) for _ in range(rng.randint(1, 8)))
    path.write_text("".join(f"{line}\n" for line in lines))


def change_program(pipeline: EditedPipeline, rng: Random) -> str:
    """Change a number in a class, or in a function that a class calls."""
    name = rng.choice(sorted(pipeline.numbers))
    pipeline.numbers[name] += rng.randint(1, 3)
    return f"{name} is {pipeline.numbers[name]}"


def comment(pipeline: EditedPipeline, rng: Random) -> str:
    """Change a comment."""
    pipeline.remark = f"  # {rng.random()}"
    return "a comment"


def change_parameter(pipeline: EditedPipeline, rng: Random) -> str:
    """Change a step's parameter."""
    pipeline.least = rng.randint(0, 12)
    return f"least is {pipeline.least}"


def change_graph(pipeline: EditedPipeline, rng: Random) -> str:
    """Let a step read others."""
    if rng.random() < 0.5:
        pipeline.reads["keep"] = tuple(rng.sample(["words", "others", "lengths"], rng.randint(1, 3)))
    else:
        pipeline.reads["merge"] = tuple(rng.sample(["words", "others", "lengths", "keep"], rng.randint(1, 4)))
    return f"reads {pipeline.reads}"


def change_objects(pipeline: EditedPipeline, rng: Random) -> str:
    """Change an input's file, add one, or remove one."""
    directory = pipeline.place / rng.choice("ab")
    files = sorted(directory.iterdir())
    if len(files) > 1 and rng.random() < 0.3:
        files[0].unlink()
        return f"{files[0].name} of {directory.name} is gone"
    target = rng.choice([*files, directory / f"{len(files) + 2}.txt"])
    write_file(target, rng)
    return f"{target.name} of {directory.name} is new"


def lose_data(pipeline: EditedPipeline, rng: Random) -> str:
    """Delete what a step has kept, the result, or a part of one of them."""
    kept = sorted((pipeline.place / "kept").glob("**/_steps/data/*")) + sorted(
        (pipeline.place / "kept").glob("**/data/*")
    )
    target = rng.choice([*kept, pipeline.place / pipeline.out])
    parts = sorted(target.glob("part-*"))
    if parts and rng.random() < 0.5:
        parts[0].unlink()
        return f"a part of {target.name} is lost"
    shutil.rmtree(target, ignore_errors=True)
    return f"{target.name} is lost"


def move_output(pipeline: EditedPipeline, rng: Random) -> str:
    """Let the result go to another place, or back to one that has an earlier result."""
    pipeline.out = rng.choice(("out", "elsewhere", "third"))
    return f"the result goes to {pipeline.out}"


def change_nothing(pipeline: EditedPipeline, rng: Random) -> str:
    """Run again."""
    del pipeline, rng
    return "nothing"


EDITS = (
    change_program,
    change_program,
    comment,
    change_parameter,
    change_graph,
    change_objects,
    lose_data,
    move_output,
    change_nothing,
)
