from podreduce_operator.shuffling import build_shuffle_manifest
from tests.builders import make_commit, make_plan, map_task

SIZES = [900, 10, 10, 10, 10, 10, 10, 10]


def commits(*generations: int) -> dict:
    tasks = [map_task(index) for index in range(len(generations))]
    return {task: make_commit(task, generation=generations[task.index]) for task in tasks}


def test_the_first_manifest_packs_every_bucket_once_and_better_than_hash_mod_r() -> None:
    manifest = build_shuffle_manifest(make_plan(shards=2, partitions=2), commits(0, 0), SIZES, None)
    assert manifest.generation == 0
    assert sorted(bucket for buckets in manifest.partitions for bucket in buckets) == list(range(8))
    assert sum(manifest.partition_bytes) == sum(SIZES)
    assert manifest.imbalance_bytes < manifest.hash_imbalance_bytes


def test_a_later_manifest_keeps_the_packing_and_names_the_new_outputs() -> None:
    plan = make_plan(shards=2, partitions=2)
    first = build_shuffle_manifest(plan, commits(0, 0), SIZES, None)
    second = build_shuffle_manifest(plan, commits(0, 1), SIZES, first)
    assert second.generation == 1
    assert second.map_generations == (0, 1)
    assert second.partitions == first.partitions


def test_a_partition_func_is_not_packed() -> None:
    tasks = commits(0, 0)
    tasks[map_task(0)] = make_commit(map_task(0), user_partitioned=True)
    plan = make_plan(shards=2, partitions=3, user_partitions=3)
    manifest = build_shuffle_manifest(plan, tasks, [5, 0, 1], None)
    assert manifest.partitions == ((0,), (1,), (2,))
    assert manifest.partition_bytes == (5, 0, 1)


def test_without_a_number_of_partitions_their_bytes_choose_it() -> None:
    big = [64 * 2**20] * 16
    manifest = build_shuffle_manifest(make_plan(shards=2, partitions=None), commits(0, 0), big, None)
    assert len(manifest.partitions) == 4
