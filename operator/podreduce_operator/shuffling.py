"""The shuffle manifest: which map outputs count and which reduce takes which virtual buckets.

Rule: pure. The first manifest packs the buckets by their exact bytes; later generations keep the packing, since
reduces that are committed already have used it.
"""

from collections.abc import Mapping, Sequence

from podreduce.contract.plan import Plan
from podreduce.contract.task import CommitRecord, ShuffleManifest, TaskRef, TaskType
from podreduce.partition import choose_partitions, imbalance, pack_buckets, pack_by_hash

__all__ = ["build_shuffle_manifest"]


def build_shuffle_manifest(
    plan: Plan,
    commits: Mapping[TaskRef, CommitRecord],
    bucket_bytes: Sequence[int],
    previous: ShuffleManifest | None,
) -> ShuffleManifest:
    """Freeze the committed map outputs; `bucket_bytes` are the stored bytes of each virtual bucket over all maps.

    Raises:
        ValueError: a map is not committed, or committed no blob.
    """
    maps = [commits[TaskRef(type=TaskType.MAP, index=index)] for index in range(plan.shards)]
    blobs = tuple(commit.blob for commit in maps if commit.blob is not None)
    if len(blobs) != plan.shards:
        raise ValueError(f"{plan.shards - len(blobs)} of {plan.shards} map commits name no blob")
    partitions = pack(plan, maps, bucket_bytes) if previous is None else previous.partitions
    sizes = partition_sizes(partitions, bucket_bytes)
    by_hash = pack_by_hash(len(bucket_bytes), len(partitions))
    return ShuffleManifest(
        generation=0 if previous is None else previous.generation + 1,
        map_generations=tuple(commit.generation for commit in maps),
        maps=blobs,
        partitions=partitions,
        partition_bytes=sizes,
        imbalance_bytes=imbalance(sizes),
        hash_imbalance_bytes=imbalance(partition_sizes(by_hash, bucket_bytes)),
    )


def pack(plan: Plan, maps: Sequence[CommitRecord], bucket_bytes: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Give each partition its buckets: as packed, or as the program's own `partition_func` chose them."""
    if any(commit.user_partitioned for commit in maps):
        return tuple((bucket,) for bucket in range(plan.user_partitions))
    partitions = plan.partitions or choose_partitions(sum(bucket_bytes))
    return pack_buckets(bucket_bytes, partitions)


def partition_sizes(partitions: Sequence[Sequence[int]], bucket_bytes: Sequence[int]) -> tuple[int, ...]:
    """Return the bytes of each partition."""
    return tuple(sum(bucket_bytes[bucket] for bucket in buckets) for buckets in partitions)
