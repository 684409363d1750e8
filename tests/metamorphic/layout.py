"""Draws where things fall in a run of a job: blocks, flushes, frames, spills, shards, partitions. None may be seen.

The sizes are constants of the runtime, which it reads whenever it uses them. `LIMITS` is the seam: which constants a
limit stands for, and what it may be drawn from. A constant that is renamed is renamed here as well, or nothing runs.
"""

import importlib
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LIMITS", "PLAIN", "Layout", "draw_layout", "limited"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A limit: the constants that it sets, as `module:name`, and its choices."""

    places: tuple[str, ...]
    choices: tuple[float, ...]


LIMITS: dict[str, Limit] = {
    "block bytes": Limit(
        places=("podreduce.task.map_rows:MapLoop.block_bytes", "podreduce.task.map_batches:BatchLoop.block_bytes"),
        choices=(1, 2, 7, 64, 300, 2000),
    ),
    "chunk bytes": Limit(
        places=(
            "podreduce.inputs.blocks:CHUNK_BYTES",
            "podreduce.inputs.reading:CHUNK_BYTES",
            "podreduce.inputs.pairs:CHUNK_BYTES",
        ),
        choices=(17, 100, 1000),
    ),
    "tail bytes": Limit(places=("podreduce.inputs.blocks:TAIL_BYTES",), choices=(1, 10, 100)),
    "budget bytes": Limit(places=("podreduce.watching.memory:LEAST_BUDGET",), choices=(1, 200, 1000, 5000, 30_000)),
    "flush bytes": Limit(places=("podreduce.task.batches_to_rows:COMBINED_BYTES",), choices=(0, 50, 500, 3000)),
    "combine bytes": Limit(places=("podreduce.rows.map_buffer:COMBINE_BYTES",), choices=(1, 500)),
    "trial rows": Limit(places=("podreduce.rows.combining:TRIAL_ROWS",), choices=(1, 20)),
    "combined rows": Limit(places=("podreduce.rows.combining:BATCH_ROWS",), choices=(1, 2, 7)),
    "interning trial": Limit(places=("podreduce.rows.row_stores:TRIAL_RECORDS",), choices=(1, 20)),
    "interned strs": Limit(places=("podreduce.rows.row_stores:MAX_INTERNED",), choices=(0, 1, 5)),
    "frame rows": Limit(places=("podreduce.encoding.frame_packing:MAX_ROWS",), choices=(1, 2, 10)),
    "frame bytes": Limit(places=("podreduce.encoding.frame_packing:MAX_RAW_BYTES",), choices=(1, 40, 400)),
    "listed values": Limit(places=("podreduce.encoding.frame_packing:LEAST_LISTED",), choices=(1, 2)),
    "compressed bytes": Limit(places=("podreduce.encoding.frames:LEAST_COMPRESSED",), choices=(0, 100)),
    "large body bytes": Limit(places=("podreduce.encoding.blobs:LARGE_BODY_BYTES",), choices=(0, 100)),
    "index entries": Limit(places=("podreduce.encoding.blobs:MAX_INDEX_ENTRIES",), choices=(2, 4)),
    "gap bytes": Limit(places=("podreduce.encoding.blobs:GAP_BYTES",), choices=(0, 20)),
    "fan-in": Limit(places=("podreduce.rows.runs:MAX_FAN_IN", "podreduce.columnar.sorting:MAX_FAN_IN"), choices=(2, 3)),
    "run read bytes": Limit(
        places=("podreduce.rows.runs:READ_BYTES", "podreduce.columnar.runs:READ_BYTES"), choices=(60, 500, 4000)
    ),
    "column frame bytes": Limit(places=("podreduce.columnar.runs:FRAME_BYTES",), choices=(1, 60, 500)),
    "batch rows": Limit(places=("podreduce.columnar.runs:BATCH_ROWS",), choices=(1, 3, 10)),
    "batch bytes": Limit(places=("podreduce.columnar.runs:BATCH_BYTES",), choices=(1, 200)),
    "small segments": Limit(places=("podreduce.task.reduce_task:SMALL_BYTES",), choices=(0, 100)),
    "reduced pairs": Limit(places=("podreduce.task.reduce_rows:BATCH_PAIRS",), choices=(1, 3)),
    "written pairs": Limit(
        places=("podreduce.outputs.line_output:PAIRS_AT_ONCE", "podreduce.outputs.pairs_output:PAIRS_AT_ONCE"),
        choices=(1, 3),
    ),
    "pairs in a frame": Limit(places=("podreduce.outputs.pairs_output:FRAME_RECORDS",), choices=(1, 2, 7)),
    "bytes in a frame of pairs": Limit(places=("podreduce.outputs.pairs_output:FRAME_BYTES",), choices=(1, 30, 500)),
    "written bytes": Limit(places=("podreduce.outputs.line_output:FLUSH_BYTES",), choices=(1, 100)),
}
NO_MEMORY_SHARE = "podreduce.watching.memory:BUDGET_SHARE"
"""With 0 the budget is the least there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A layout: `shards` and `partitions` as in the spec (None: the planner decides), and the limits that differ.

    `inputs`: in how many named inputs the objects are, 1 for the plain `input`. `backwards`: the maps run from the last
    to the first.
    """

    shards: int | None = 1
    partitions: int | None = 1
    inputs: int = 1
    backwards: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        limits = ", ".join(f"{name} {value}" for name, value in self.limits.items())
        order = ", maps backwards" if self.backwards else ""
        where = f"{self.inputs} inputs, {self.shards} shards, {self.partitions} partitions"
        return f"{where}{order}; {limits or 'limits as they are'}"


PLAIN = Layout()
"""Everything in one piece, and in memory."""


def draw_layout(chance: random.Random) -> Layout:
    """Draw a layout: each limit is left alone half of the time."""
    wanted = chance.choice((0.1, 0.5, 0.9))
    return Layout(
        shards=chance.choice((1, 2, 3, 5, 9, None)),
        partitions=chance.choice((1, 2, 3, 5, None)),
        inputs=chance.choice((1, 1, 2, 3)),
        backwards=chance.random() < 0.3,
        limits={name: chance.choice(limit.choices) for name, limit in LIMITS.items() if chance.random() < wanted},
    )


@contextmanager
def limited(layout: Layout) -> Iterator[None]:
    """Set the limits of a layout meanwhile."""
    values = {place: value for name, value in layout.limits.items() for place in LIMITS[name].places}
    if "budget bytes" in layout.limits:
        values[NO_MEMORY_SHARE] = 0.0
    before = {place: swap(place, value) for place, value in values.items()}
    try:
        yield
    finally:
        for place, value in before.items():
            swap(place, value)


def swap(place: str, value: Any) -> Any:
    """Set a constant, which must exist, and return what it was."""
    module, _, path = place.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    before = getattr(owner, name)
    setattr(owner, name, value)
    return before
