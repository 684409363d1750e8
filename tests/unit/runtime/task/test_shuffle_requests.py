"""What a reduce asks the store for: the manifest, one page of offsets, and one range of each map's blob."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from podreduce.contract.bucket_sizes import decode_sizes
from podreduce.contract.layout import DATA_PREFIX, shuffle_key
from podreduce.contract.offsets import stretches_of
from podreduce.contract.task import CommitRecord, ShuffleManifest
from podreduce.contract.wire import encode
from podreduce.encoding.blobs import GAP_BYTES
from podreduce.storage import ObjectStore
from podreduce.task.attempt import open_attempt
from podreduce.task.reduce_task import run_reduce_task
from podreduce_operator.runs.offset_pages import write_offsets
from podreduce_operator.runs.run_records import RunRecords
from podreduce_operator.shuffle.key_spread import KeySpread
from podreduce_operator.shuffle.manifest import build_shuffle_manifest
from tests.support.builders.tasks import reduce_task
from tests.support.task_runs import LOG_ANALYSIS, TaskRun

MAPS = 6


@dataclass(kw_only=True)
class CountingStore:
    """A store that notes each read."""

    inner: ObjectStore
    gets: list[str] = field(default_factory=list)
    ranges: list[tuple[str, int]] = field(default_factory=list)

    def get(self, key: str) -> bytes:
        self.gets.append(key)
        return self.inner.get(key)

    def get_range(self, key: str, start: int, end: int) -> bytes:
        if start < end:
            self.ranges.append((key, end - start))
        return self.inner.get_range(key, start, end)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def map_logs(partitions: int) -> tuple[TaskRun, list[CommitRecord]]:
    """A run whose maps are committed: half a megabyte of lines of a thousand users."""
    rng = random.Random(partitions)  # noqa: S311 - a seeded case
    lines = [f"user{rng.randrange(1000)},/{rng.randbytes(12).hex()}" for _ in range(18_000)]
    data = "\n".join(lines).encode()
    cuts = [number * len(data) // MAPS for number in range(1, MAPS)]
    run = TaskRun(source=LOG_ANALYSIS, objects={"log": data}, cuts=cuts, partitions=partitions)
    return run, [run.map(index) for index in range(MAPS)]


async def freeze(run: TaskRun, previous: ShuffleManifest | None = None, *, offsets: bool = True) -> ShuffleManifest:
    """Freeze the shuffle of what is committed, as the operator does."""
    records = RunRecords(run.store)
    await records.refresh()
    spread = KeySpread()
    manifest = build_shuffle_manifest(
        run.plan, records.commits, records.bucket_bytes, previous, parallelism=1, key_spread=spread
    )
    if offsets:
        manifest = msgspec.structs.replace(manifest, offset_pages=await write_offsets(records, manifest))
    run.store.put(shuffle_key(manifest.generation), encode(manifest))
    return manifest


def reduce_counting(run: TaskRun, partition: int, generation: int = 0) -> tuple[CountingStore, CommitRecord]:
    """Run a reduce; return the store it read from, and its commit."""
    environment = run.environment(reduce_task(partition), shuffle_generation=generation)
    attempt = open_attempt(environment, run.settings)
    store = CountingStore(inner=attempt.run_store)
    commit = run_reduce_task(replace(attempt, run_store=store))
    assert commit is not None
    return store, commit


def blob_reads(store: CountingStore) -> Counter[str]:
    """How often each blob was asked."""
    return Counter(key for key, _ in store.ranges if key.startswith(f"{DATA_PREFIX}map/"))


@pytest.mark.parametrize("partitions", [1, 3, 16, 40])
async def test_a_reduce_asks_for_the_manifest_one_page_and_each_blob_once(partitions: int) -> None:
    run, maps = map_logs(partitions)
    manifest = await freeze(run)
    read = most_between = 0
    for partition in range(partitions):
        store, _ = reduce_counting(run, partition)
        assert store.gets == [shuffle_key(0)]
        pages = [key for key, _ in store.ranges if key.startswith(f"{DATA_PREFIX}offsets/")]
        assert pages == [page.key for page in manifest.offset_pages]
        assert len(pages) == 1
        assert set(blob_reads(store).values()) == {1}
        read += sum(size for key, size in store.ranges if key.startswith(f"{DATA_PREFIX}map/"))
        most_between += (len(list(stretches_of(manifest.partitions[partition]))) - 1) * MAPS * GAP_BYTES
    written = sum(sum(decode_sizes(each.bucket_bytes)) for each in maps)
    assert sum(manifest.partition_bytes) == written
    assert written <= read <= written + most_between  # a short way between two stretches is read along


async def test_the_output_is_the_same_by_pages_by_footers_and_by_footers_where_a_page_is_lost() -> None:
    run, _ = map_logs(3)
    by_footers = [parts(run, await freeze(run, offsets=False))]
    manifest = await freeze(run)
    by_pages = parts(run, manifest)
    page = manifest.offset_pages[0].key
    data = run.store.get(page)
    outputs = [by_pages]
    for harmed in (None, data[:-1], data[:40], b"", bytes(len(data))):
        run.store.delete(page) if harmed is None else run.store.put(page, harmed)
        outputs.append(parts(run, manifest))
    assert [output == by_footers[0] for output in outputs] == [True] * 6


def parts(run: TaskRun, manifest: ShuffleManifest) -> list[bytes]:
    """What the reduces write."""
    commits = [reduce_counting(run, index, manifest.generation)[1] for index in range(len(manifest.partitions))]
    return [run.output.get(commit.part.key) for commit in commits if commit.part]
