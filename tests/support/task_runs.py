"""Whole runs of tasks in this process, with plans made by hand: for tests of the runtime without an operator."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from podreduce.contract.bucket_sizes import decode_sizes
from podreduce.contract.environment import StorageSettings, TaskEnvironment
from podreduce.contract.layout import PLAN_KEY, offsets_key, shard_page_key, shuffle_key
from podreduce.contract.offsets import OffsetTable, find_bounds
from podreduce.contract.plan import JobIdentity, PageRef, Piece, Plan, Program, Shard, ShardPage
from podreduce.contract.task import CommitRecord, OffsetPage, ShuffleManifest, TaskRef, TaskType
from podreduce.contract.wire import digest_bytes, encode
from podreduce.storage import open_store
from podreduce.task.attempt import open_attempt
from podreduce.task.map_task import run_map_task
from podreduce.task.reduce_task import run_reduce_task
from podreduce_operator.balance.bucket_packing import pack_by_hash
from podreduce_operator.balance.partition_count import virtual_buckets
from podreduce_operator.shuffle.key_spread import KeySpread

NUMBERS = itertools.count()

WORD_COUNT = """
class WordCount:
    def map_func(self, key, value):
        for word in value.split():
            yield word, 1

    def reduce_func(self, key, values):
        yield key, sum(values)
"""

LOG_ANALYSIS = """
class LogAnalysis:
    def map_func(self, key, value):
        fields = value.split(',')
        yield (fields[0], fields[1])

    def reduce_func(self, key, values):
        counts = {}
        for url in values:
            counts[url] = counts.get(url, 0) + 1
        for url, count in counts.items():
            yield key, (url, count)
"""


@dataclass(kw_only=True)
class TaskRun:
    """A run whose tasks are called one by one. `root` is a store URI; input, run and output lie below it.

    `cuts` are byte offsets in the concatenation of the objects (in name order) where a shard ends and the next begins.
    """

    source: str = WORD_COUNT
    objects: Mapping[str, bytes] = field(default_factory=dict)
    cuts: Sequence[int] = ()
    partitions: int = 2
    root: str = ""
    settings: StorageSettings = field(default_factory=StorageSettings)
    plan_changes: Mapping[str, Any] = field(default_factory=dict)
    program: Program | None = None
    memory_bytes: int | None = 512 * 1024 * 1024
    scratch_directory: str = "/tmp"  # noqa: S108 - what a task has by default
    plan: Plan = field(init=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.root or f"memory://run-{next(NUMBERS)}/"
        self.input = open_store(f"{self.root}input/", self.settings)
        self.store = open_store(f"{self.root}work/", self.settings)
        self.output = open_store(f"{self.root}output/", self.settings)
        for name, data in self.objects.items():
            self.input.put(name, data)
        shards = tuple(Shard(index=index, pieces=pieces) for index, pieces in enumerate(self._cut_pieces()))
        page = encode(ShardPage(shards=shards))
        self.store.put(shard_page_key(0), page)
        self.plan = self._make_plan(len(shards), digest_bytes(page))
        data = encode(self.plan)
        self.store.put(PLAN_KEY, data)
        self.digest = digest_bytes(data)

    def environment(self, task: TaskRef, *, generation: int = 0, pod_uid: str = "", **changes: Any) -> TaskEnvironment:
        reduces = task.type is TaskType.REDUCE
        fields = {
            "run_uri": self.store.uri,
            "plan_digest": self.digest,
            "task": task,
            "generation": generation,
            "shuffle_generation": 0 if reduces else None,
            "pod_uid": pod_uid or f"pod-{next(NUMBERS)}",
            "pod_name": f"wordcount-{task}",
            "memory_bytes": self.memory_bytes,
            "scratch_directory": self.scratch_directory,
        }
        return TaskEnvironment(**{**fields, **changes})

    def map(self, index: int, **changes: Any) -> CommitRecord:
        environment = self.environment(TaskRef(type=TaskType.MAP, index=index), **changes)
        return run_map_task(open_attempt(environment, self.settings))

    def reduce(self, index: int, **changes: Any) -> CommitRecord:
        environment = self.environment(TaskRef(type=TaskType.REDUCE, index=index), **changes)
        return run_reduce_task(open_attempt(environment, self.settings))

    def shuffle(self, maps: Sequence[CommitRecord], generation: int = 0, *, offsets: bool = True) -> ShuffleManifest:
        """Write the manifest over these maps; without `offsets`, as releases before did, the footers are read."""
        buckets = len(decode_sizes(maps[0].bucket_bytes))
        packing = pack_by_hash(buckets, buckets if maps[0].user_partitioned else self.partitions)
        ranges = None
        if self.plan.order == "Total":
            packing, ranges = ((0,),) * self.partitions, self._cut_ranges(maps)
        manifest = ShuffleManifest(
            generation=generation,
            map_generations=tuple(record.generation for record in maps),
            maps=tuple(record.blob for record in maps if record.blob),
            partitions=packing,
            ranges=ranges,
            partition_bytes=(0,) * len(packing),
            imbalance_bytes=0.0,
            hash_imbalance_bytes=0.0,
            offset_pages=tuple(self._write_offsets(maps, packing, generation)) if offsets and ranges is None else (),
        )
        self.store.put(shuffle_key(generation), encode(manifest))
        return manifest

    def run(self) -> list[CommitRecord]:
        """Run every task; return the records of those that wrote output."""
        maps = [self.map(index) for index in range(self.plan.shards)]
        return maps if maps[0].part else self.reduce_all(maps)

    def reduce_all(self, maps: Sequence[CommitRecord]) -> list[CommitRecord]:
        """Run every reduce over these maps."""
        partitions = self.shuffle(maps).partitions
        return [self.reduce(index) for index in range(len(partitions))]

    def output_lines(self) -> list[str]:
        """Run every task; return the lines of all parts, in part order."""
        return self.lines_of(self.run())

    def lines_of(self, records: Sequence[CommitRecord]) -> list[str]:
        """Return the lines of the parts of these records."""
        parts = (record.part for record in records)
        text = b"".join(self.output.get(part.key) for part in parts if part).decode()
        return text.splitlines(keepends=False) if "\r" not in text else text.split("\n")[:-1]

    def _cut_ranges(self, maps: Sequence[CommitRecord]) -> tuple[bytes, ...]:
        spread = KeySpread()
        for record in maps:
            spread.add(record.key_samples)
        return spread.cut(self.partitions).cuts

    def _write_offsets(
        self, maps: Sequence[CommitRecord], packing: Sequence[Sequence[int]], generation: int
    ) -> Iterator[OffsetPage]:
        """Write where the partitions lie, two maps a page."""
        for number, first_map in enumerate(range(0, len(maps), 2)):
            group = maps[first_map : first_map + 2]
            largest = max(record.blob.bytes for record in group if record.blob)
            table = OffsetTable(bounds=find_bounds(packing), maps=len(group), most_bytes=largest)
            for place, record in enumerate(group):
                table.add(place, decode_sizes(record.bucket_bytes))
            data = table.encode()
            key = offsets_key(generation, number, digest_bytes(data))
            self.store.put(key, data)
            yield OffsetPage(key=key, first_map=first_map, maps=len(group), width=table.width)

    def _cut_pieces(self) -> Iterator[tuple[Piece, ...]]:
        edges = [0, *self.cuts, sum(map(len, self.objects.values()))]
        for low, high in itertools.pairwise(edges):
            yield tuple(self._pieces_between(low, high))

    def _pieces_between(self, low: int, high: int) -> Iterator[Piece]:
        begin = 0
        for name, data in sorted(self.objects.items()):
            whole = name.endswith(".gz")
            start, end = max(low - begin, 0), min(high - begin, len(data))
            if start < end and not (whole and start):
                meta = self.input.head(name)
                yield Piece(
                    uri=self.input.uri_of(name),
                    start=start,
                    end=len(data) if whole else end,
                    object_bytes=len(data),
                    etag=meta.etag,
                )
            begin += len(data)

    def _make_plan(self, shards: int, page_digest: str) -> Plan:
        fields: dict[str, Any] = {
            "job": JobIdentity(namespace="default", name="wordcount", uid="uid", run_id="1"),
            "program": self.program or Program(source=self.source),
            "input_format": "Text",
            "encoding_errors": "Strict",
            "objects": len(self.objects),
            "bytes": sum(map(len, self.objects.values())),
            "shards": shards,
            "imbalance_bytes": 0.0,
            "pages": (PageRef(number=0, first_shard=0, digest=page_digest),),
            "virtual_buckets": virtual_buckets(self.partitions, order=self.plan_changes.get("order", "Partition")),
            "partitions": self.partitions,
            "user_partitions": self.partitions,
            "output_uri": self.output.uri,
            "output_format": "Text",
            "if_exists": "Fail",
            "spec": {},
        }
        return Plan(**{**fields, **self.plan_changes})
