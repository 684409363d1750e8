"""How many shards to cut the input into. Rule: pure.

A shard costs the start of a task, and each sends its own aggregates; but a failed one is done again, and what it maps
should fit into memory. About 128 MiB each is what Hadoop's blocks and Spark's partitions have, too.
Where it is known how many tasks run at once, they should be busy to the end. So the shards come in full waves, as many
as bring their size nearest to that (7 shards on 2 slots would take 4 turns, the last with one slot idle; 8 take as
many), and where there are fewer shards than slots the input is spread further.
"""

from typing import Final

from podreduce_operator.model.errors import ActionError

__all__ = ["MAX_SHARDS", "count_shards"]

DEFAULT_SHARD_BYTES: Final = 128 << 20
MIN_SHARD_BYTES: Final = 16 << 20
"""Spreading over idle slots stops here: less is read in about the time a pod takes to start."""
MAX_SHARDS: Final = 100_000
"""As in the CRD."""


def count_shards(total_bytes: int, *, shard_bytes: int | None = None, parallelism: int | None = None) -> int:
    """Return how many shards of about `shard_bytes` the input makes, or of a size that suits `parallelism` slots.

    Raises:
        ActionError: reason `TooManyShards`: `shard_bytes` is too small for this input.
    """
    if shard_bytes is not None:
        return count_by_size(total_bytes, shard_bytes)
    count = max(-(-total_bytes // DEFAULT_SHARD_BYTES), 1)
    if parallelism is None:
        return min(count, MAX_SHARDS)
    if count < parallelism:
        return max(count, min(parallelism, total_bytes // MIN_SHARD_BYTES))
    wave_bytes = DEFAULT_SHARD_BYTES * parallelism
    waves = (total_bytes + wave_bytes // 2) // wave_bytes
    return min(max(waves, 1) * parallelism, MAX_SHARDS)


def count_by_size(total_bytes: int, shard_bytes: int) -> int:
    """Return how many shards of that size the input makes."""
    count = max(-(-total_bytes // shard_bytes), 1)
    if count > MAX_SHARDS:
        raise ActionError(
            "TooManyShards",
            f"spec.map.shardSize: {total_bytes} bytes of input make {count} shards, and {MAX_SHARDS} is the limit: "
            f"set it to at least {-(-total_bytes // MAX_SHARDS)}",
            permanent=True,
        )
    return count
