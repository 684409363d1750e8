"""Plans for 1 GB to 100 TB, without the data: no empty reduce, even partitions, and an operator that stays small."""

import random
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from podreduce.contract.bucket_sizes import decode_sizes, encode_sizes
from podreduce.contract.layout import PLAN_KEY, commit_key
from podreduce.contract.offsets import find_bounds, stretches_of
from podreduce.contract.plan import Plan
from podreduce.contract.task import BlobRef, CommitRecord, KeySample, ShuffleManifest, TaskRef, TaskType
from podreduce.contract.wire import decode, encode
from podreduce.encoding.key_sampler import KeySampler
from podreduce.storage import open_store
from podreduce_operator.balance.partition_count import MOST_SMALL_PARTITIONS, virtual_buckets
from podreduce_operator.planning.build_plan import plan_shards
from podreduce_operator.planning.packed_input import InputObject
from podreduce_operator.planning.shard_count import MAX_SHARDS
from podreduce_operator.runs.offset_pages import write_offsets
from podreduce_operator.runs.run_records import RunRecords
from podreduce_operator.shuffle.key_spread import MAX_POINTS, KeySpread
from podreduce_operator.shuffle.manifest import build_shuffle_manifest
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task
from tests.support.searching import TIMES, first_seed, seeds, tries

DRAWS = 25
GB, TB, MIB = 10**9, 10**12, 1 << 20
MOST_EVEN = 1.1
KEYS_AT_LEAST = 64
"""So many filled buckets a partition leave no doubt that they can be shared out evenly."""


def even(rng: random.Random, buckets: int) -> list[float]:
    """Many keys: each bucket is within a tenth of the mean."""
    return [rng.uniform(0.9, 1.1) for _ in range(buckets)]


def zipf(rng: random.Random, buckets: int) -> list[float]:
    """Words: the k-th most frequent key has 1/k of the first one's bytes."""
    sizes = [rng.uniform(0.9, 1.1) for _ in range(buckets)]
    for rank in range(1, 20_000):
        sizes[rng.randrange(buckets)] += buckets / 20 / rank
    return sizes


def lumpy(rng: random.Random, buckets: int) -> list[float]:
    """Some ten keys a bucket, of any size."""
    return [rng.lognormvariate(0, 0.5) for _ in range(buckets)]


def one_heavy(rng: random.Random, buckets: int) -> list[float]:
    """One key has a third of all."""
    return [rng.uniform(0.9, 1.1) * (buckets / 2 if bucket == 7 else 1) for bucket in range(buckets)]


def few(rng: random.Random, buckets: int) -> list[float]:
    """Hardly any keys: most buckets are empty."""
    sizes = [0.0] * buckets
    for _ in range(rng.choice([1, 2, 3, 20, 60, 200, 1000])):
        sizes[rng.randrange(buckets)] += rng.uniform(0.5, 1.5)
    return sizes


SPREADS: list[Callable[[random.Random, int], list[float]]] = [even, zipf, lumpy, one_heavy, few]


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A job: its plan as far as the shuffle needs it, and the bytes of its buckets over all maps."""

    plan: Plan
    bucket_bytes: list[int]
    parallelism: int
    name: str


def draw_job(seed: int, *, decided: bool) -> Drawn:
    rng = random.Random(seed)  # noqa: S311 - a seeded case
    input_bytes = round(GB * 10 ** rng.uniform(0, 5))
    partitions = rng.choice([1, 2, 7, 64, 200, 256]) if decided else None
    buckets = virtual_buckets(partitions, input_bytes=input_bytes)
    spread = rng.choice(SPREADS)
    shares = spread(rng, buckets)
    output_bytes = input_bytes * rng.choice([0.001, 0.1, 0.5, 1, 1, 1.5])
    sizes = [round(share / sum(shares) * output_bytes) for share in shares]
    plan = make_plan(shards=1, partitions=partitions, virtual_buckets=buckets, bytes=input_bytes)
    name = f"seed {seed}: {spread.__name__}, {input_bytes / GB:.0f} GB to {output_bytes / GB:.2f} GB"
    return Drawn(plan=plan, bucket_bytes=sizes, parallelism=rng.choice([1, 8, 5000]), name=name)


def freeze(job: Drawn) -> ShuffleManifest:
    commits = {map_task(0): make_commit(map_task(0))}
    return build_shuffle_manifest(
        job.plan, commits, job.bucket_bytes, None, parallelism=job.parallelism, key_spread=KeySpread()
    )


@pytest.mark.parametrize("decided", [False, True], ids=["undecided", "decided"])
def test_no_partition_is_empty_and_none_has_much_more_than_another_could_take(decided: bool) -> None:
    slowest = 0.0
    for seed in seeds(DRAWS):
        job = draw_job(seed, decided=decided)
        started = time.process_time()
        manifest = freeze(job)
        slowest = max(slowest, time.process_time() - started)
        check_partitions(job, manifest)
    assert slowest < 10  # about 1 s where nobody else works


def check_partitions(job: Drawn, manifest: ShuffleManifest) -> None:
    filled = sum(map(bool, job.bucket_bytes))
    partitions = len(manifest.partitions)
    found = sorted(bucket for each in manifest.partitions for bucket in each)
    assert found == list(range(len(job.bucket_bytes))), job.name
    assert job.plan.partitions is None or partitions == job.plan.partitions, job.name
    assert manifest.partition_bytes.count(0) == (max(partitions - filled, 0) if job.plan.partitions else 0), job.name
    mean = sum(job.bucket_bytes) / partitions
    for buckets, size in zip(manifest.partitions, manifest.partition_bytes, strict=True):
        sizes = [job.bucket_bytes[bucket] for bucket in buckets if job.bucket_bytes[bucket]]
        if size > MOST_EVEN * mean and len(sizes) > 1:  # so few buckets that one more or less is more than a tenth
            assert size - min(sizes) < mean, job.name
            assert filled < KEYS_AT_LEAST * partitions, job.name
            assert job.plan.partitions or partitions <= 16, job.name


@pytest.mark.parametrize("decided", [False, True], ids=["undecided", "decided"])
def test_a_partition_is_read_with_hardly_more_than_a_request_a_map(decided: bool) -> None:
    for seed in seeds(DRAWS):
        job = draw_job(seed, decided=decided)
        manifest = freeze(job)
        stretches = sum(
            any(job.bucket_bytes[bucket] for bucket in range(start, end))
            for buckets in manifest.partitions
            for start, end in stretches_of(buckets)
        )
        filled = sum(map(bool, job.bucket_bytes))
        most = 3 if len(manifest.partitions) > MOST_SMALL_PARTITIONS else 6  # balance comes first where they are few
        assert stretches <= most * len(manifest.partitions) or filled < 0.7 * len(job.bucket_bytes), job.name


@pytest.mark.parametrize("seed", range(first_seed(), first_seed() + tries(12)))
def test_shards_are_within_the_limits_and_have_every_byte_once(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - a seeded case
    total, count = GB * 10 ** rng.uniform(0, 5), rng.choice([1, 10, 1000, 20_000])
    sizes = [round(total / count * rng.lognormvariate(0, 1)) for _ in range(count)]
    objects = [
        InputObject(uri=f"s3://b/{number}", size_bytes=size, etag=None, is_splittable=rng.random() < 0.9)
        for number, size in enumerate(sizes)
    ]
    parallelism = rng.choice([None, 1, 100, 5000])
    started = time.process_time()
    planned = plan_shards(objects, parallelism=parallelism)
    pages = [len(encode(page)) for page in planned.pages()] if len(planned) < 20_000 else []
    assert time.process_time() - started < 60
    assert 1 <= len(planned) <= MAX_SHARDS
    assert (planned.cuts[0], planned.cuts[-1]) == (0, sum(sizes))
    assert list(planned.cuts) == sorted(planned.cuts)
    assert max(pages, default=0) < 2 * MIB


def make_record(index: int, sizes: bytes, samples: tuple[KeySample, ...] = ()) -> CommitRecord:
    """A map's commit as large as a real one."""
    names = ["recordsRead", "bytesRead", "recordsWritten", "bytesWritten", "spills", "combineInput", "combineOutput"]
    attempt_id = f"{index:08x}-89ab-4def-8123-456789abcdef-0"
    return CommitRecord(
        task=TaskRef(type=TaskType.MAP, index=index),
        generation=0,
        attempt_id=attempt_id,
        pod_name=f"a-name-of-a-job-0123456789-m-{index}-1",
        started_at=1.7e9 + index,
        finished_at=1.7e9 + 2 * index,
        records_in=1_000_000 + index,
        bytes_in=128 * MIB,
        records_out=1_000_000 + index,
        bytes_out=128 * MIB,
        counters={"podreduce": dict.fromkeys(names, 1000000 + index)},
        blob=BlobRef(
            key=f"data/map/{index}/{attempt_id}", bytes=128 * MIB, footer_offset=127 * MIB, footer_crc32=index
        ),
        bucket_bytes=sizes,
        key_samples=samples,
        encoded_bytes=256 * MIB,
    )


@pytest.mark.parametrize("order", ["Partition", "Total"])
async def test_what_the_operator_holds_of_100_000_maps_is_small(order: str) -> None:
    """What is held of some maps tells what is held of all."""
    maps = 5000 if TIMES > 4 else 400
    rng = random.Random(7)  # noqa: S311 - a seeded case
    store = open_store(f"memory://plans-{order}/")
    sizes = [encode_sizes([rng.randrange(20_000, 45_000) for _ in range(4096)]) for _ in range(5)]
    samples = sample_keys(rng)
    store.put(PLAN_KEY, encode(make_plan(shards=maps, partitions=None, virtual_buckets=4096, order=order)))
    for index in range(maps):
        record = (
            make_record(index, sizes[index % 5])
            if order == "Partition"
            else make_record(index, encode_sizes([127 * MIB]), samples)
        )
        data = encode(record)
        store.put(commit_key(record.task, 0), data)
    assert len(data) < 14_000
    first, records = RunRecords(store), RunRecords(store)
    await first.refresh()  # what is made once for all is there now
    tracemalloc.start()
    try:
        await records.refresh()
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(records.commits) == maps
    kept = sum(len(commit.bucket_bytes) for commit in records.commits.values())
    points = 0 if order == "Partition" else 200 * len(records.sums.key_spread.points)
    assert kept <= MIB
    assert kept + 200 * 2 * MAX_POINTS + (held - kept - points) * (100_000 / maps) < 300 * MIB
    assert peak - held < 100 * MIB


def sample_keys(rng: random.Random) -> tuple[KeySample, ...]:
    """What one of 100,000 maps says of its keys."""
    sampler = KeySampler(maps=100_000, index=7)
    keys = sorted(rng.randbytes(16) for _ in range(50_000))
    for start in range(0, len(keys), 2500):
        sampler.add(MIB, keys[start : start + 2500])
    return sampler.samples()


@dataclass
class StoredSizes:
    """Stands for the records of a run whose commits have these sizes: reading them is tested elsewhere."""

    store: object
    sizes: list[bytes]

    async def read_sizes(self, tasks: list[TaskRef]) -> list[bytes]:
        return [self.sizes[task.index % len(self.sizes)] for task in tasks]


async def test_the_pages_of_1000_maps_and_1000_partitions_are_small_and_soon_made() -> None:
    maps, partitions = 10_000 if TIMES > 4 else 1000, 1000
    rng = random.Random(7)  # noqa: S311 - a seeded case
    rows = [[rng.randrange(20_000, 45_000) for _ in range(4000)] for _ in range(20)]
    totals = [maps // 20 * sum(column) for column in zip(*rows, strict=True)]
    commits = {map_task(index): make_record(index, b"") for index in range(maps)}
    plan = make_plan(shards=maps, partitions=partitions, virtual_buckets=4000)
    manifest = build_shuffle_manifest(plan, commits, totals, None, parallelism=1, key_spread=KeySpread())
    store = open_store("memory://pages/")
    started = time.process_time()
    pages = await write_offsets(StoredSizes(store, list(map(encode_sizes, rows))), manifest)  # type: ignore[arg-type]
    assert (time.process_time() - started) / maps < 0.003  # 0.4 ms where nobody else works: 4 s for 10,000
    bounds = len(find_bounds(manifest.partitions))
    assert bounds < 1.5 * partitions
    assert [store.head(page.key).size for page in pages] == [bounds * (page.maps * 4 + 4) for page in pages]
    assert max(store.head(page.key).size for page in pages) < 20 * MIB
    assert sum(page.maps for page in pages) == maps
    assert len(encode(manifest)) < 60_000 + 220 * maps
    assert decode(encode(manifest), ShuffleManifest) == manifest
    assert sum(decode_sizes(encode_sizes(rows[0]))) == sum(rows[0])
