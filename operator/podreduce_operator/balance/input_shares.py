"""How many shards each of several inputs gets. Rule: pure.

A shard belongs to one input. An input of T bytes in n equal shards adds |T - n m| to sum |D_i - m|, m being the mean
over all shards. That is convex in n, so giving one shard after the other to the input whose sum gains most by it
minimises the sum over all inputs.
"""

from collections.abc import Sequence
from heapq import heapify, heapreplace

__all__ = ["share_shards"]


def share_shards(sizes: Sequence[int], least: Sequence[int], shards: int) -> list[int]:
    """Return how many of `shards` each input gets, for inputs of these bytes.

    Args:
        sizes: the bytes of each input.
        least: how many shards each gets at least; together at most `shards`.
        shards: how many there are.
    """
    total = sum(sizes)
    shares = list(least)

    def gain(number: int) -> int:
        """Return how much less the sum is with one shard more for an input, times `shards`; negative for less."""
        size, mean, share = sizes[number] * shards, total, shares[number]
        return abs(size - share * mean) - abs(size - (share + 1) * mean)

    best = [(-gain(number), number) for number in range(len(sizes))]
    heapify(best)
    for _ in range(shards - sum(least)):
        number = best[0][1]
        shares[number] += 1
        heapreplace(best, (-gain(number), number))
    return shares
