"""Draws jobs from seeds: an input, a program, and how the output is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.metamorphic.chance import seeded
from tests.metamorphic.data import FORMATS, Input, Shape, draw_input
from tests.metamorphic.programs import BATCH_REDUCES, Program, draw_program
from tests.support.builders.jobs import make_raw_output

__all__ = ["Job", "draw_job"]

FORMAT_WEIGHTS = {"Text": 3, "JSONLines": 4, "CSV": 5, "Parquet": 3, "FixedLength": 2, "WholeObject": 2, "Pairs": 3}
KEEP_VALUES = (
    "each",
    *BATCH_REDUCES,
    "map-only",
    "first only",
    "written min",
    "declared max",
    "recognised min",
    "largest",
    "sorted",
)
HASHED_PARTITIONS = 4
RECORD_LINES = ("Text", "JSONLines", "CSV")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job; all that is drawn of it follows from its seed."""

    seed: int
    shape: Shape
    input: Input
    program: Program
    output: str
    order: str = "Partition"
    partitioning: str = "Balanced"
    bad_records: str = "Fail"
    sample: Mapping[str, Any] | None = None
    output_spec: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        program = self.program
        traits = [name for name in SHAPE_TRAITS if getattr(self.shape, name)]
        return (
            f"seed {self.seed}: {self.shape.format} ({', '.join(traits)}) of {self.shape.key_kind} and "
            f"{self.shape.kind}, {program.map} -> {program.reduce} -> {self.output}, order {self.order}, "
            f"partitioning {self.partitioning}, badRecords {self.bad_records}, "
            f"sample {self.sample}"
        )

    def spec(self, root: str, *, shards: int | None, partitions: int | None, inputs: int = 1) -> dict[str, Any]:
        """Return the changes to the default spec, for input, output and work below `root`."""
        return {
            "program": {"source": self.program.source},
            **self._place_inputs(f"{root}in/", inputs),
            "output": make_raw_output(uri=f"{root}out/", format=self.output, order=self.order, **self.output_spec),
            "map": {} if shards is None else {"shards": shards},
            "reduce": self._reduce(partitions),
            "badRecords": self.bad_records,
        }

    def _reduce(self, partitions: int | None) -> dict[str, Any]:
        """Return the fields of `spec.reduce`; partitioning by hash needs a number of partitions."""
        fields: dict[str, Any] = {} if partitions is None else {"partitions": partitions}
        if self.partitioning == "Hash":
            fields = {"partitions": partitions or HASHED_PARTITIONS, "partitioning": "Hash"}
        return {**fields, "partitionKeyLength": 1} if self.program.reduce == "sorted" else fields

    def _place_inputs(self, place: str, inputs: int) -> dict[str, Any]:
        """Return the fields that name the objects at a place: as one input, or as several of the same format.

        Several inputs of JSON have columns of their own, so as columns there is one.
        """
        options = {"encodingErrors": "Strict", **self.input.spec, "sample": self.sample}
        names = sorted(self.input.objects)
        if inputs == 1 or not names or (self.shape.format == "JSONLines" and self.program.is_columnar):
            return {"input": {"uris": [place], **options}}
        parts = share_out(names, inputs)
        named = [
            {"name": f"part-{number}", "uris": [f"{place}{name}" for name in part], **options}
            for number, part in enumerate(parts)
        ]
        return {"input": None, "inputs": named}


def share_out(names: Sequence[str], parts: int) -> list[Sequence[str]]:
    """Return names in so many parts, or fewer, in their order; none is empty."""
    cuts = [len(names) * number // parts for number in range(parts + 1)]
    return [names[start:end] for start, end in pairwise(cuts) if start < end]


SHAPE_TRAITS = ("header", "multiline", "ragged", "nulls", "line_ends", "bad", "bom", "empty")


def draw_job(seed: int) -> Job:
    """Draw the job of a seed."""
    chance = seeded("job", seed)
    shape = draw_shape(chance)
    program = draw_program(chance, shape)
    order = "Total" if can_be_total(program) and chance.random() < 0.2 else "Partition"
    can_hash = order == "Partition" and program.reduce not in ("map-only", "placed by the program")
    return Job(
        seed=seed,
        shape=shape,
        input=draw_input(chance, shape),
        program=program,
        output=draw_output(chance, shape, program),
        order=order,
        partitioning="Hash" if can_hash and chance.random() < 0.25 else "Balanced",
        bad_records="Skip" if chance.random() < (0.6 if shape.bad else 0.1) else "Fail",
        sample=draw_sample(chance) if chance.random() < 0.15 else None,
    )


def draw_shape(chance: Any) -> Shape:
    """Draw what a job's records are like."""
    name = chance.choices(list(FORMAT_WEIGHTS), list(FORMAT_WEIGHTS.values()))[0]
    assert name in FORMATS
    typed = name in ("JSONLines", "Parquet", "Pairs")
    lines, multiline = name in RECORD_LINES, name == "CSV" and chance.random() < 0.35
    bad, nulls = (
        (lines or name == "Pairs") and not multiline and chance.random() < 0.12,
        typed and chance.random() < 0.3,
    )
    return Shape(
        format=name,
        kind=chance.choice(("int", "int", "float", "str")),
        key_kind=chance.choice(("str", "str", "int")) if typed else "str",
        header=chance.random() < 0.6 if name == "CSV" else False,
        multiline=multiline,
        ragged=lines and chance.random() < 0.5,
        nulls=nulls,
        line_ends=chance.random() < 0.4,
        bad=bad,
        bom=lines
        and not bad
        and not nulls
        and chance.random() < 0.06,  # one fault a job: which is met first is nobody's promise
        empty=chance.random() < 0.2,
    )


def draw_sample(chance: Any) -> dict[str, Any]:
    """Draw which part of the records a job reads."""
    return {"fraction": chance.choice((0, 0.25, 0.5, 0.9, 1.0)), "seed": chance.randint(-5, 2**60)}


def can_be_total(program: Program) -> bool:
    """Tell whether total order is for such a program."""
    return program.reduce not in ("map-only", "placed by the program") and program.key_kind != "tuple"


def draw_output(chance: Any, shape: Shape, program: Program) -> str:
    """Draw the format of the output, of those that can hold what the program yields."""
    if program.map == "as they come":
        return "JSONLines"
    keeps_width = program.key_kind == "plain" and program.reduce in KEEP_VALUES
    if shape.format == "FixedLength" and program.value_kind == "bytes" and keeps_width:
        return "FixedLength"
    return str(chance.choice(("Text", "JSONLines", "CSV", "Pairs", *(() if shape.nulls else ("Parquet",)))))
