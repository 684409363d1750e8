"""How many shards to cut the input into. Rule: pure.

Each shard costs the start of a task, and writes its own aggregates. But a large shard takes longer to repeat after a
failure, and its output should fit into memory. Hadoop's blocks and Spark's partitions also have about 128 MiB.

If `parallelism` is known, all slots should be busy to the end. So the number of shards is a multiple of it, the one
that brings their size nearest to 128 MiB. For example, 7 shards on 2 slots take 4 turns, and 8 shards also take 4. If
there are fewer shards than slots, the shards are made smaller.
"""

from typing import Final

from podreduce.contract.texts import render_count
from podreduce_operator.model.errors import ActionError

__all__ = ["MAX_SHARDS", "MIN_SHARD_BYTES", "MIN_SHARD_BYTES_OF_PROCESS", "count_shards"]

DEFAULT_SHARD_BYTES: Final = 128 << 20
MIN_SHARD_BYTES: Final = 16 << 20
"""Shards are not made smaller than this for idle slots: reading less takes about as long as starting a pod."""
MIN_SHARD_BYTES_OF_PROCESS: Final = 1 << 20
"""The same where a task is a process of this machine, which starts in milliseconds."""
MAX_SHARDS: Final = 100_000
"""The same as in the CRD."""


def count_shards(
    total_bytes: int,
    *,
    shard_bytes: int | None = None,
    parallelism: int | None = None,
    least_bytes: int = MIN_SHARD_BYTES,
) -> int:
    """Return the number of shards, for shards of `shard_bytes` or else of a size that suits `parallelism`.

    They are not made smaller than `least_bytes` for idle slots.

    Raises:
        ActionError: reason `TooManyShards`: `shard_bytes` is too small for this input.
    """
    if shard_bytes is not None:
        return count_by_size(total_bytes, shard_bytes)
    count = max(-(-total_bytes // DEFAULT_SHARD_BYTES), 1)
    if parallelism is None:
        return min(count, MAX_SHARDS)
    if count < parallelism:
        return max(count, min(parallelism, total_bytes // least_bytes))
    wave_bytes = DEFAULT_SHARD_BYTES * parallelism
    waves = (total_bytes + wave_bytes // 2) // wave_bytes
    return min(max(waves, 1) * parallelism, MAX_SHARDS)


def count_by_size(total_bytes: int, shard_bytes: int) -> int:
    """Return how many shards of this size the input makes."""
    count = max(-(-total_bytes // shard_bytes), 1)
    if count > MAX_SHARDS:
        raise ActionError(
            "TooManyShards",
            f"spec.map.shardSize: {render_count(total_bytes, 'byte')} of input make {render_count(count, 'shard')}, "
            f"and {MAX_SHARDS:,} is the limit: set it to at least {-(-total_bytes // MAX_SHARDS)}",
            permanent=True,
        )
    return count
