from typing import Any

import pytest

from podreduce.contract.plan import Plan
from podreduce.contract.task import CommitRecord, KeySample, ShuffleManifest, TaskRef
from podreduce_operator.shuffle.key_spread import KeySpread
from podreduce_operator.shuffle.manifest import build_shuffle_manifest
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task

SIZES = [900, 10, 10, 10, 10, 10, 10, 10]
MIB = 1 << 20


def commits(*generations: int) -> dict[TaskRef, CommitRecord]:
    tasks = [map_task(index) for index in range(len(generations))]
    return {task: make_commit(task, generation=generations[task.index]) for task in tasks}


def freeze(
    plan: Plan,
    sizes: list[int] = SIZES,
    previous: ShuffleManifest | None = None,
    *,
    maps: dict[TaskRef, CommitRecord] | None = None,
    parallelism: int = 1,
    key_spread: KeySpread | None = None,
) -> ShuffleManifest:
    return build_shuffle_manifest(
        plan, maps or commits(0, 0), sizes, previous, parallelism=parallelism, key_spread=key_spread or KeySpread()
    )


def make_total(partitions: int | None) -> dict[str, Any]:
    """A plan in total order, and how its keys are spread: a, b, c, d with as many bytes."""
    key_spread = KeySpread()
    key_spread.add([KeySample(key.encode(), 25) for key in "abcd"])
    return {"plan": make_plan(partitions=partitions, order="Total"), "sizes": [100], "key_spread": key_spread}


def test_the_first_manifest_packs_every_bucket_once_and_better_than_hash_mod_r() -> None:
    manifest = freeze(make_plan(shards=2, partitions=2))
    assert manifest.generation == 0
    assert sorted(bucket for buckets in manifest.partitions for bucket in buckets) == list(range(8))
    assert sum(manifest.partition_bytes) == sum(SIZES)
    assert manifest.imbalance_bytes < manifest.hash_imbalance_bytes
    assert manifest.ranges is None


def test_a_later_manifest_keeps_the_packing_and_names_the_new_outputs() -> None:
    plan = make_plan(shards=2, partitions=2)
    first = freeze(plan)
    second = freeze(plan, previous=first, maps=commits(0, 1), parallelism=7)
    assert second.generation == 1
    assert second.map_generations == (0, 1)
    assert second.partitions == first.partitions


def test_a_partition_func_is_not_packed() -> None:
    tasks = commits(0, 0)
    tasks[map_task(0)] = make_commit(map_task(0), user_partitioned=True)
    manifest = freeze(make_plan(shards=2, partitions=3, user_partitions=3), [5, 0, 1], maps=tasks)
    assert manifest.partitions == ((0,), (1,), (2,))
    assert manifest.partition_bytes == (5, 0, 1)


def test_with_partitioning_by_hash_a_bucket_is_a_partition_whatever_its_size() -> None:
    tasks = {task: make_commit(task, partitioning="Hash") for task in commits(0, 0)}
    plan = make_plan(shards=2, partitions=8, virtual_buckets=8, partitioning="Hash")
    manifest = freeze(plan, [0, *SIZES[1:]], maps=tasks)
    assert manifest.partitions == tuple((bucket,) for bucket in range(8))
    assert manifest.partition_bytes == (0, *SIZES[1:])


def test_a_map_of_an_earlier_release_cannot_partition_by_hash() -> None:
    tasks = commits(0, 0)
    tasks[map_task(1)] = make_commit(map_task(1), partitioning="Hash")
    plan = make_plan(shards=2, partitions=8, virtual_buckets=8, partitioning="Hash")
    with pytest.raises(ValueError, match="image has an earlier release"):
        freeze(plan, maps=tasks)


def test_without_a_number_of_partitions_their_bytes_choose_it() -> None:
    assert len(freeze(make_plan(shards=2, partitions=None), [64 * MIB] * 16).partitions) == 4


def test_small_outputs_make_as_many_partitions_as_may_run() -> None:
    assert len(freeze(make_plan(shards=2, partitions=None), [MIB] * 16, parallelism=3).partitions) == 3


def test_in_total_order_each_partition_takes_a_range_of_the_one_bucket() -> None:
    manifest = freeze(**make_total(2))
    assert (manifest.partitions, manifest.ranges) == (((0,), (0,)), (b"c",))
    assert (manifest.partition_bytes, manifest.imbalance_bytes) == ((50, 50), 0.0)


def test_in_total_order_too_the_bytes_choose_the_number_of_partitions() -> None:
    manifest = freeze(**{**make_total(None), "sizes": [12 * MIB]}, parallelism=4)
    assert (len(manifest.partitions), len(manifest.ranges or ())) == (3, 2)


def test_a_later_manifest_keeps_the_ranges() -> None:
    first = freeze(**make_total(4))
    second = freeze(**{**make_total(4), "key_spread": KeySpread()}, previous=first, maps=commits(1, 0), parallelism=7)
    assert second.ranges == first.ranges == (b"b", b"c", b"d")
    assert (second.partitions, second.partition_bytes) == (first.partitions, first.partition_bytes)
