"""Which virtual bucket a key falls into, and which partition a bucket. Rule: pure and stable over versions."""

from collections.abc import Sequence

__all__ = ["choose_partitions", "hash_bucket", "imbalance", "pack_buckets", "pack_by_hash", "virtual_buckets"]


def hash_bucket(key: bytes, buckets: int) -> int:
    """Return the virtual bucket, 0 to `buckets` - 1, of an encoded key."""
    raise NotImplementedError


def virtual_buckets(partitions: int | None) -> int:
    """Return how many virtual buckets the maps write for `partitions` (None: left to the planner)."""
    raise NotImplementedError


def choose_partitions(total_bytes: int) -> int:
    """Return how many partitions suit a map output of `total_bytes`: one per 256 MiB, 1 to 4,096."""
    raise NotImplementedError


def pack_buckets(bucket_bytes: Sequence[int], partitions: int) -> tuple[tuple[int, ...], ...]:
    """Return each partition's buckets, ascending; sum |D_i - mean D| is small and never above hash mod R's."""
    raise NotImplementedError


def pack_by_hash(buckets: int, partitions: int) -> tuple[tuple[int, ...], ...]:
    """Return the packing bucket mod R: the baseline."""
    raise NotImplementedError


def imbalance(sizes: Sequence[int]) -> float:
    """Return sum |D_i - mean D|."""
    raise NotImplementedError
