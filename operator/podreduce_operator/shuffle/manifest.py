"""The shuffle manifest: which map outputs count, and which virtual buckets or key range each reduce takes.

Rule: pure. The first manifest packs the buckets by their exact bytes, or cuts the ranges by the maps' samples. Later
generations keep its choice, because committed reduces have already used it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from podreduce.contract.plan import Plan
from podreduce.contract.task import BlobRef, CommitRecord, ShuffleManifest, TaskRef, TaskType
from podreduce.contract.texts import render_count
from podreduce_operator.balance.bucket_packing import choose_packing, imbalance, pack_buckets, pack_by_hash
from podreduce_operator.balance.partition_count import choose_partitions
from podreduce_operator.shuffle.key_spread import KeySpread

__all__ = ["build_shuffle_manifest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Which keys each partition takes. The fields are the manifest's."""

    partitions: tuple[tuple[int, ...], ...]
    ranges: tuple[bytes, ...] | None
    partition_bytes: tuple[int, ...]


def build_shuffle_manifest(
    plan: Plan,
    commits: Mapping[TaskRef, CommitRecord],
    bucket_bytes: Sequence[int],
    previous: ShuffleManifest | None,
    *,
    parallelism: int,
    key_spread: KeySpread,
) -> ShuffleManifest:
    """Freeze the committed map outputs.

    Args:
        plan: the run's plan.
        commits: all commits.
        bucket_bytes: the stored bytes of each virtual bucket over all maps.
        previous: the manifest of the previous generation.
        parallelism: how many reduces may run at a time.
        key_spread: the samples of the keys, in total order.

    Raises:
        KeyError: a map is not committed.
        ValueError: a map's commit has no blob.
    """
    maps = [commits[TaskRef(type=TaskType.MAP, index=index)] for index in range(plan.shards)]
    blobs = tuple(commit.blob for commit in maps if commit.blob is not None)
    if len(blobs) != plan.shards:
        raise ValueError(f"no blob in {plan.shards - len(blobs)} of {render_count(plan.shards, 'map commit')}")
    if previous is not None:
        assigned = keep(previous, bucket_bytes)
    elif plan.order == "Total":
        assigned = cut(plan, sum(bucket_bytes), parallelism, key_spread)
    else:
        assigned = pack(plan, maps, bucket_bytes, parallelism)
    return freeze(maps, blobs, assigned, bucket_bytes, previous)


def freeze(
    maps: Sequence[CommitRecord],
    blobs: tuple[BlobRef, ...],
    assigned: Assignment,
    bucket_bytes: Sequence[int],
    previous: ShuffleManifest | None,
) -> ShuffleManifest:
    """Return the manifest of the next generation, with these blobs and this assignment."""
    return ShuffleManifest(
        generation=0 if previous is None else previous.generation + 1,
        map_generations=tuple(commit.generation for commit in maps),
        maps=blobs,
        partitions=assigned.partitions,
        ranges=assigned.ranges,
        partition_bytes=assigned.partition_bytes,
        imbalance_bytes=imbalance(assigned.partition_bytes),
        hash_imbalance_bytes=imbalance(sizes_by_hash(assigned, bucket_bytes)),
    )


def keep(previous: ShuffleManifest, bucket_bytes: Sequence[int]) -> Assignment:
    """Let each partition keep what it had."""
    sizes = previous.partition_bytes
    if previous.ranges is None:
        sizes = partition_sizes(previous.partitions, bucket_bytes)
    return Assignment(partitions=previous.partitions, ranges=previous.ranges, partition_bytes=sizes)


def cut(plan: Plan, total_bytes: int, parallelism: int, key_spread: KeySpread) -> Assignment:
    """Give each partition a range of keys. All keys are in one bucket. If the user set no number, no range is empty."""
    ranges = key_spread.cut(plan.partitions or choose_partitions(total_bytes, parallelism))
    if not plan.partitions:
        ranges = ranges.without_empty()
    partitions = len(ranges.partition_bytes)
    return Assignment(partitions=((0,),) * partitions, ranges=ranges.cuts, partition_bytes=ranges.partition_bytes)


def pack(plan: Plan, maps: Sequence[CommitRecord], bucket_bytes: Sequence[int], parallelism: int) -> Assignment:
    """Give each partition its buckets: by packing, by hash, or by the program's `partition_func`."""
    if plan.partitioning == "Hash":
        refuse_other_partitioning(maps)
        partitions = pack_by_hash(plan.virtual_buckets, plan.virtual_buckets)
    elif any(commit.user_partitioned for commit in maps):
        partitions = pack_by_hash(plan.user_partitions, plan.user_partitions)
    else:
        partitions = (
            pack_buckets(bucket_bytes, plan.partitions)
            if plan.partitions
            else choose_packing(bucket_bytes, choose_partitions(sum(bucket_bytes), parallelism))
        )
    return Assignment(partitions=partitions, ranges=None, partition_bytes=partition_sizes(partitions, bucket_bytes))


def refuse_other_partitioning(maps: Sequence[CommitRecord]) -> None:
    """Make sure that the maps partitioned by hash: tasks of an earlier release do not know that they should.

    Raises:
        ValueError: a map did not.
    """
    if not all(commit.partitioning == "Hash" for commit in maps):
        raise ValueError(
            "a map did not partition by reduce.partitioning: Hash, because its image has an earlier release of "
            "podreduce: use an image of the operator's release and a new spec.runId"
        )


def sizes_by_hash(assigned: Assignment, bucket_bytes: Sequence[int]) -> tuple[int, ...]:
    """Return the bytes of each partition with plain hash partitioning. With ranges, return the actual bytes."""
    if assigned.ranges is not None:
        return assigned.partition_bytes
    return partition_sizes(pack_by_hash(len(bucket_bytes), len(assigned.partitions)), bucket_bytes)


def partition_sizes(partitions: Sequence[Sequence[int]], bucket_bytes: Sequence[int]) -> tuple[int, ...]:
    """Return the bytes of each partition."""
    return tuple(sum(bucket_bytes[bucket] for bucket in buckets) for buckets in partitions)
