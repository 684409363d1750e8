"""How many virtual buckets and partitions there are. Rule: pure, and stable over versions.

Keys are hashed into many more buckets than there are reduce tasks. `bucket_packing` packs them into partitions when the
maps are done and the size of every bucket is known.
"""

from typing import Final

__all__ = ["MAX_PARTITIONS", "MOST_SMALL_PARTITIONS", "choose_partitions", "virtual_buckets"]

BUCKETS_PER_PARTITION: Final = 16
MAX_PARTITIONS: Final = 4096
MAX_BUCKETS: Final = 4096
"""Each bucket is a frame in every blob, and small frames compress badly.

With four times as many buckets, a blob of 27 MB of log lines takes 2.2 times the space.
"""
LEAST_UNDECIDED_BUCKETS: Final = 256
INPUT_BYTES_PER_BUCKET: Final = 8 << 20
"""Used if the partitions are chosen later. It gives 32 buckets per partition if map output is as large as the input."""
PARTITION_BYTES: Final = 256 << 20
LEAST_PARTITION_BYTES: Final = 4 << 20
"""Partitions this small are still worth it, if a core would be idle otherwise."""
MOST_SMALL_PARTITIONS: Final = 16
"""Starting a pod takes about a second, so more pods with little work each gain little."""


def virtual_buckets(
    partitions: int | None, *, order: str = "Partition", partitioning: str = "Balanced", input_bytes: int = 0
) -> int:
    """Return how many virtual buckets the maps write for `partitions` reduce tasks (None: chosen after the maps).

    Total order uses one bucket, because ranges of keys are cut instead. A map-only job has none. With partitioning by
    hash, each partition is a bucket.
    """
    if order == "Total":
        return 0 if partitions == 0 else 1
    if partitions is None:
        return min(max(input_bytes // INPUT_BYTES_PER_BUCKET, LEAST_UNDECIDED_BUCKETS), MAX_BUCKETS)
    if partitioning == "Hash":
        return partitions
    return partitions * max(min(BUCKETS_PER_PARTITION, MAX_BUCKETS // max(partitions, 1)), 1)


def choose_partitions(total_bytes: int, parallelism: int) -> int:
    """Return how many partitions suit a map output of `total_bytes`, 1 to 4,096.

    One per 256 MiB. If that gives fewer than `parallelism` and fewer than 16, there are more, down to 4 MiB each.
    """
    side_by_side = min(-(-total_bytes // LEAST_PARTITION_BYTES), parallelism, MOST_SMALL_PARTITIONS)
    return min(max(-(-total_bytes // PARTITION_BYTES), side_by_side, 1), MAX_PARTITIONS)
