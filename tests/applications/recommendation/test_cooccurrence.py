"""Counts of pairs are scipy's X^T X exactly, however baskets are cut, packed and blocked."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from podreduce_apps.number_hashes import hash_numbers
from podreduce_apps.recommendation.baskets import cut_baskets, divide_baskets, pack_baskets, unpack_baskets
from podreduce_apps.recommendation.cooccurrence import (
    Baskets,
    add_all,
    add_cooccurrences,
    join_parts,
    parts_of,
    sample_baskets,
)
from podreduce_apps.recommendation.neighbours import block_count

ITEMS = 12
BASKETS = st.lists(st.sets(st.integers(0, ITEMS - 1), max_size=ITEMS).map(sorted), max_size=12)


def as_baskets(lists: list[list[int]]) -> Baskets:
    offsets = np.concatenate(([0], np.cumsum([len(each) for each in lists]))).astype(np.int64)
    return Baskets(offsets, np.array([item for each in lists for item in each], np.int32))


def scipy_counts(lists: list[list[int]]) -> np.ndarray:
    baskets = as_baskets(lists)
    matrix = sparse.csr_matrix(
        (np.ones(len(baskets.items), np.int64), baskets.items, baskets.offsets), (len(lists), ITEMS)
    )
    return np.asarray((matrix.T @ matrix).todense())


@settings(max_examples=50)
@given(BASKETS, st.integers(1, 5), st.integers(1, 30))
def test_blocks_and_parts_of_any_size_give_the_counts_of_scipy(lists: list[list[int]], blocks: int, part: int) -> None:
    rows = np.zeros((ITEMS, ITEMS), np.int32)
    whole = as_baskets(lists)
    for block, baskets in divide_baskets(whole, blocks):
        numbers = np.arange(block, ITEMS, blocks)
        for some in parts_of(unpack_baskets(pack_baskets(baskets)), part):
            own = np.zeros((len(numbers), ITEMS), np.int32)
            add_cooccurrences(own, some, numbers)
            rows[numbers] += own
    assert (rows == scipy_counts(lists)).all()


@settings(max_examples=40)
@given(st.lists(BASKETS, max_size=5), st.integers(1, 60))
def test_small_parts_are_counted_together_and_give_the_counts_of_scipy(parts: list[list[list[int]]], most: int) -> None:
    received = [as_baskets(part) for part in parts]
    joined = list(join_parts(received, most))
    sizes = [len(part.items) + len(part.offsets) for part in joined]
    rows = np.zeros((ITEMS, ITEMS), np.int32)
    add_all(rows, received, np.arange(ITEMS))

    assert (rows == scipy_counts([basket for part in parts for basket in part])).all()
    assert [part.tolist() for each in joined for part in np.split(each.items, each.offsets[1:-1]) if len(part)] == [
        basket for part in parts for basket in part if basket
    ]
    largest = max((len(each.items) + len(each.offsets) for each in received), default=0)
    assert max(sizes, default=0) <= max(most, largest)
    assert len(joined) <= 1 + 2 * sum(len(each.items) + len(each.offsets) for each in received) // most


@settings(max_examples=50)
@given(BASKETS, st.integers(1, 4), st.integers(0, 12))
def test_a_sample_of_a_basket_depends_on_this_basket_alone(lists: list[list[int]], most: int, cut: int) -> None:
    seeds = np.arange(100, 100 + len(lists), dtype=np.uint64)

    def sampled(start: int, end: int) -> list[list[int]]:
        drawn = sample_baskets(as_baskets(lists[start:end]), seeds[start:end], most)
        return [part.tolist() for part in np.split(drawn.items, drawn.offsets[1:-1])] if end > start else []

    drawn = sampled(0, len(lists))
    assert sampled(0, min(cut, len(lists))) + sampled(min(cut, len(lists)), len(lists)) == drawn
    for full, part in zip(lists, drawn, strict=True):
        assert len(part) == min(len(full), most)
        assert part == sorted(set(part) & set(full))


def test_what_is_sent_of_a_large_catalogue_stays_small_and_holds_every_basket_of_a_block() -> None:
    """A hundred thousand items are some three hundred blocks, and each of them is sent whole baskets."""
    items, blocks, users, most = 100_000, block_count(100_000), 2_500, 60
    chance = np.random.default_rng(4)
    drawn = np.sort((chance.integers(items // most, size=(users, most)) * most + np.arange(most)), axis=1)
    whole = Baskets(np.arange(users + 1) * most, drawn.ravel().astype(np.int32))
    parts = list(cut_baskets(whole, blocks))
    sent = [[pack_baskets(baskets) for _, baskets in divide_baskets(part, blocks)] for part in parts]
    assert len(parts) > 1
    assert max(sum(map(len, values)) for values in sent) < 64 << 20
    copies = sum(len(unpack_baskets(value).offsets) - 1 for values in sent for value in values)
    assert copies == sum(len(set(basket)) for basket in (drawn % blocks).tolist())


def test_a_sample_draws_every_item_about_as_often() -> None:
    lists = [list(range(ITEMS))] * 3000
    seeds = hash_numbers(np.arange(3000, dtype=np.uint64), 1)
    counts = np.bincount(sample_baskets(as_baskets(lists), seeds, 4).items, minlength=ITEMS)
    assert counts.sum() == 12_000
    assert abs(counts - 1000).max() < 5 * np.sqrt(3000 * (1 / 3) * (2 / 3))


@pytest.mark.parametrize(("items", "blocks"), [(0, 1), (1, 1), (3, 3), (1682, 4), (20_000, 12), (100_000, 299)])
def test_the_counts_of_a_block_fit_into_128_mebibytes(items: int, blocks: int) -> None:
    assert block_count(items) == blocks
    assert -(-items // blocks) * items * 4 <= (128 << 20) + items * 4
