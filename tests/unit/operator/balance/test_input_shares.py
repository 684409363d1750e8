"""How many shards each of several inputs gets: never worse than any other way to share them."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce_operator.balance.input_shares import share_shards


def all_shares(inputs: int, shards: int) -> Iterator[tuple[int, ...]]:
    """Every way to give so many inputs at least one shard each."""
    if inputs == 1:
        yield (shards,)
        return
    for first in range(1, shards - inputs + 2):
        for rest in all_shares(inputs - 1, shards - first):
            yield (first, *rest)


def imbalance(sizes: list[int], shares: tuple[int, ...]) -> int:
    """Sum |D_i - m| of equal shards, times their number."""
    return sum(abs(size * sum(shares) - share * sum(sizes)) for size, share in zip(sizes, shares, strict=True))


@given(st.lists(st.integers(0, 20) | st.integers(0, 10**9), min_size=1, max_size=4), st.integers(0, 8))
def test_no_other_shares_are_more_even(sizes: list[int], more: int) -> None:
    shards = len(sizes) + more
    found = tuple(share_shards(sizes, [1] * len(sizes), shards))
    assert sum(found) == shards
    assert min(found) >= 1
    assert imbalance(sizes, found) == min(imbalance(sizes, shares) for shares in all_shares(len(sizes), shards))


@pytest.mark.parametrize(
    ("sizes", "shards", "shares"),
    [([100, 300], 4, [1, 3]), ([0, 10], 3, [1, 2]), ([0, 0], 4, [3, 1]), ([1, 1000, 1000], 3, [1, 1, 1])],
)
def test_shares_follow_sizes(sizes: list[int], shards: int, shares: list[int]) -> None:
    assert share_shards(sizes, [1] * len(sizes), shards) == shares


def test_a_hundred_thousand_shards_are_shared_out() -> None:
    sizes = [10**12 * number for number in range(1, 9)]
    assert sum(share_shards(sizes, [1] * 8, 100_000)) == 100_000
