"""The kernels of a task, each by itself on a few megabytes of the benchmark's data.

A kernel is prepared anew for each time it is run: what it takes may be used up. It returns what to call, and how many
records that works on. Rule: only what the task itself calls, the way it calls it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Final, TypeAlias

from podreduce.contract.task import TaskRef
from podreduce.contract.uris import split_object_uri
from podreduce.encoding.codec import encode_values
from podreduce.encoding.frame_packing import FramePacker
from podreduce.encoding.frames import StoredFrame, unpack_frame
from podreduce.encoding.key_hash import hash_bucket
from podreduce.encoding.merge import merge_runs
from podreduce.inputs import RecordBlock, read_records
from podreduce.program.calling import combine_by_program
from podreduce.program.loading import LoadedProgram
from podreduce.rows.aggregate_input import AggregateInput
from podreduce.rows.combining import Combiner
from podreduce.rows.reduce_input import ReduceInput
from podreduce.rows.row_stores import Aggregates, ListGroups, sorted_by_bucket
from podreduce.storage import open_store
from podreduce.task.attempt import Attempt, open_attempt, read_shard
from podreduce.task.map_rows import MapLoop, Sink
from podreduce.task.map_task import open_row_buffer
from tests.bench.data import Kind, prepare_data
from tests.support.task_runs import LOG_ANALYSIS, WORD_COUNT, TaskRun

__all__ = ["KERNELS", "SAMPLES", "Kernel", "Sample"]

Prepared: TypeAlias = tuple[Callable[[], object], int]

MEGABYTES: Final = 8
BUDGET_BYTES: Final = 4 << 30
BUCKETS: Final = 64
RUNS: Final = 4
SCRATCH: Final = "/tmp"  # noqa: S108 - nothing is spilled

COMBINING: Final = (
    WORD_COUNT
    + """
    def combine_func(self, key, values):
        yield key, sum(values)
"""
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A program and the kind of data it maps."""

    name: str
    source: str
    kind: Kind


SAMPLES: Final = {
    sample.name: sample
    for sample in (
        Sample("word count", WORD_COUNT, Kind.WORDS),
        Sample("word count, combine_func", COMBINING, Kind.WORDS),
        Sample("log analysis", LOG_ANALYSIS, Kind.LOG),
    )
}
LISTED: Final = ("word count, combine_func", "log analysis")
"""Samples whose values are kept in lists; the others are aggregated as they come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A part of a task. `samples` are those that it makes sense for."""

    name: str
    prepare: Callable[[Sample], Prepared]
    samples: tuple[str, ...] = tuple(SAMPLES)


@cache
def read_data(kind: Kind) -> bytes:
    """Return the data of all kernels of that kind."""
    return b"".join(path.read_bytes() for path in sorted(prepare_data(kind, MEGABYTES).iterdir()))


@cache
def open_map(sample: Sample) -> Attempt:
    """Return a map task's attempt over the data, in a store in memory."""
    run = TaskRun(source=sample.source, objects={"data": read_data(sample.kind)}, memory_bytes=BUDGET_BYTES)
    return open_attempt(run.environment(TaskRef.parse("m-0")), run.settings)


def iterate_blocks(attempt: Attempt) -> Iterator[RecordBlock]:
    """Yield the shard's records as the map task reads them."""
    for piece in read_shard(attempt.run_store, attempt.plan, 0).pieces:
        store_uri, key = split_object_uri(piece.uri)
        yield from read_records(attempt.plan, open_store(store_uri, attempt.settings), key, piece)


@cache
def read_sample(sample: Sample) -> tuple[LoadedProgram, list[RecordBlock], int]:
    """Return the program, its records by blocks, and how many pairs it makes of them."""
    attempt = open_map(sample)
    program, blocks = attempt.load_program(), list(iterate_blocks(attempt))
    store = fill_store(sample, program, blocks)
    return program, blocks, store.records if isinstance(store, Aggregates) else sum(map(len, store.plain.values()))


def open_loop(sample: Sample, program: LoadedProgram, *, fused: bool) -> tuple[MapLoop, ListGroups | Aggregates]:
    """Return a map loop over a new store, draining generators if it is not to be fused."""
    store = open_row_buffer(open_map(sample), program).store
    loop = MapLoop(open_map(sample), program, Sink(add=store.add, records=lambda: store.records, store=store))
    if not fused:
        loop.fused = None
    return loop, store


def fill_store(sample: Sample, program: LoadedProgram, blocks: list[RecordBlock]) -> ListGroups | Aggregates:
    """Return a store with all of the sample's pairs."""
    loop, store = open_loop(sample, program, fused=True)
    run_loop(loop, store, blocks)
    return store


def run_loop(loop: MapLoop, store: ListGroups | Aggregates, blocks: list[RecordBlock]) -> None:
    """Map all blocks into the store."""
    for block in blocks:
        loop.map_block(block)
    store.settle()


def prepare_reading(sample: Sample) -> Prepared:
    """Read blocks, split them into lines, decode these."""
    _, blocks, _ = read_sample(sample)
    return partial(exhaust, iterate_blocks(open_map(sample))), sum(len(block.values) for block in blocks)


def prepare_calling(sample: Sample) -> Prepared:
    """Call map_func and drain what it yields, into nothing."""
    program, blocks, pairs = read_sample(sample)
    loop = MapLoop(open_map(sample), program, Sink(add=lambda _key, _value: None, records=lambda: 0))
    loop.fused = None

    def drain() -> None:
        for block in blocks:
            loop.map_block(block)

    return drain, pairs


def prepare_map(sample: Sample, *, fused: bool) -> Prepared:
    """Map into the store."""
    program, blocks, pairs = read_sample(sample)
    loop, store = open_loop(sample, program, fused=fused)
    return partial(run_loop, loop, store, blocks), pairs


def list_groups(sample: Sample) -> dict[Any, list[Any]]:
    """Return the sample's values by key."""
    program, blocks, _ = read_sample(sample)
    store = fill_store(sample, program, blocks)
    return dict(store.groups()) if isinstance(store, ListGroups) else {}


def prepare_combine(sample: Sample) -> Prepared:
    """Combine every key's values by combine_func."""
    program, _, pairs = read_sample(sample)
    combine = combine_by_program(program)
    groups = list_groups(sample)
    combiner = Combiner(combine) if combine else None

    def combine_all() -> None:
        for key, values in groups.items():
            if combiner:
                combiner.combine(key, values)

    return combine_all, pairs


def prepare_sort(sample: Sample) -> Prepared:
    """Encode and sort the distinct keys."""
    program, blocks, _ = read_sample(sample)
    keys = list(fill_store(sample, program, blocks).plain)
    return lambda: exhaust(sorted_by_bucket(keys, (), 1, lambda _: 0)), len(keys)


def prepare_encode(sample: Sample) -> Prepared:
    """Encode values, a group at once."""
    groups = list(list_groups(sample).values())
    return lambda: exhaust(map(encode_values, groups)), sum(map(len, groups))


def prepare_packing(sample: Sample) -> Prepared:
    """Pack sorted groups into compressed frames, values encoded."""
    groups = [(encoded, values) for (encoded, _), values in sorted_groups(sample)]
    packer = FramePacker(lambda *_: None)

    def pack() -> None:
        for key, values in groups:
            packer.add_values(0, key, values)
        packer.flush()

    return pack, sum(len(values) for _, values in groups)


def sorted_groups(sample: Sample) -> list[tuple[tuple[bytes, Any], list[Any]]]:
    """Return each key, encoded and as it is, with its values, in order."""
    groups = list_groups(sample)
    return [(pair, groups[pair[1]]) for pairs in sorted_by_bucket(groups, (), 1, lambda _: 0) for pair in pairs]


def prepare_writing(sample: Sample) -> Prepared:
    """Write a store: hash the keys, sort, encode, pack."""
    program, blocks, pairs = read_sample(sample)
    store = fill_store(sample, program, blocks)
    packer = FramePacker(lambda *_: None)
    return partial(store.write, packer, BUCKETS, partial(hash_bucket, buckets=BUCKETS)), pairs


@cache
def make_segments(sample: Sample) -> list[list[StoredFrame]]:
    """Return what a reduce gets of four maps with a quarter of the data each, all of one bucket."""
    program, blocks, _ = read_sample(sample)
    return [make_segment(fill_store(sample, program, blocks[number::RUNS])) for number in range(RUNS)]


def make_segment(store: ListGroups | Aggregates) -> list[StoredFrame]:
    """Return the frames of a store written as one bucket."""
    frames: list[StoredFrame] = []
    packer = FramePacker(lambda frame, *_: frames.append(frame))
    store.write(packer, 1, lambda _key: 0)
    packer.flush()
    return [*frames[:-1], replace(frames[-1], ends_segment=True)]


def count_rows(segments: list[list[StoredFrame]]) -> int:
    """Return how many values the segments hold."""
    return sum(frame.rows for segment in segments for frame in segment)


def prepare_merge(sample: Sample) -> Prepared:
    """Merge four segments, without looking at the values."""
    segments = make_segments(sample)

    def merge() -> None:
        for _, pieces in merge_runs(map(iter, segments)):
            exhaust(pieces)

    return merge, count_rows(segments)


def prepare_grouping(sample: Sample) -> Prepared:
    """Take four segments and hand out every key's values, decoded, as the reduce does."""
    segments = make_segments(sample)
    taken = ReduceInput(budget_bytes=BUDGET_BYTES, scratch_directory=SCRATCH)

    def group() -> None:
        for segment in segments:
            taken.add_blob(segment)
        for _, values in taken.groups():
            exhaust(values)

    return group, count_rows(segments)


def prepare_aggregation(sample: Sample) -> Prepared:
    """Take four segments of sums and hand out the totals in order."""
    segments = make_segments(sample)
    taken = AggregateInput("sum", budget_bytes=BUDGET_BYTES, scratch_directory=SCRATCH)

    def aggregate() -> None:
        for segment in segments:
            taken.add_blob(segment)
        exhaust(taken.aggregates())

    return aggregate, count_rows(segments)


def prepare_decoding(sample: Sample) -> Prepared:
    """Decompress frames and decode all their values."""
    segments = make_segments(sample)

    def decode() -> None:
        for segment in segments:
            for stored in segment:
                frame = unpack_frame(stored)
                exhaust(map(frame.values, range(len(frame.keys))))

    return decode, count_rows(segments)


def exhaust(items: Any) -> None:
    """Take all and keep none."""
    deque(items, maxlen=0)


AGGREGATED: Final = ("word count",)
MAPPED: Final = ("word count", "log analysis")

KERNELS: Final = (
    Kernel(name="read and split lines", prepare=prepare_reading, samples=MAPPED),
    Kernel(name="map, drained into nothing", prepare=prepare_calling, samples=MAPPED),
    Kernel(name="map, drained", prepare=partial(prepare_map, fused=False)),
    Kernel(name="map, fused", prepare=partial(prepare_map, fused=True)),
    Kernel(name="combine", prepare=prepare_combine, samples=("word count, combine_func",)),
    Kernel(name="sort keys", prepare=prepare_sort, samples=MAPPED),
    Kernel(name="encode values", prepare=prepare_encode, samples=LISTED),
    Kernel(name="pack frames", prepare=prepare_packing, samples=LISTED),
    Kernel(name="hash, sort, encode, pack", prepare=prepare_writing),
    Kernel(name="merge", prepare=prepare_merge, samples=LISTED),
    Kernel(name="group for reduce_func", prepare=prepare_grouping, samples=LISTED),
    Kernel(name="decode frames", prepare=prepare_decoding, samples=LISTED),
    Kernel(name="take aggregates", prepare=prepare_aggregation, samples=AGGREGATED),
)
