"""The hash is stable and even; the packing uses every bucket once and beats hash mod R."""

import hashlib
import random
from collections import Counter
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podreduce.contract.offsets import stretches_of
from podreduce.encoding.codec import encode_key
from podreduce.encoding.key_hash import hash_bucket
from podreduce_operator.balance.bucket_packing import (
    choose_packing,
    count_stretches,
    find_nearest,
    imbalance,
    is_even,
    numbers_near,
    pack_buckets,
    pack_by_hash,
    pack_longest_first,
    sizes_of,
)
from podreduce_operator.balance.partition_count import MOST_SMALL_PARTITIONS, choose_partitions, virtual_buckets

MIB = 1 << 20


@pytest.mark.parametrize(
    ("key", "buckets", "bucket"),
    [("the", 1024, 380), ("", 64, 38), (0, 64, 6), (None, 4096, 2567), (("a", 1), 1024, 723), (b"\x00", 16, 14)],
    ids=repr,
)
def test_the_hash_never_changes(key: object, buckets: int, bucket: int) -> None:
    assert hash_bucket(encode_key(key), buckets) == bucket


@pytest.mark.parametrize(
    "keys",
    [
        range(16_000),
        [f"word{n}" for n in range(16_000)],
        [(n, "x") for n in range(16_000)],
        range(0, 16_000 << 10, 1 << 10),
    ],
    ids=["ints", "words", "tuples", "multiples of 1024"],
)
@pytest.mark.parametrize("buckets", [3, 64])
def test_the_hash_spreads_even_regular_keys(keys: list[object], buckets: int) -> None:
    found = Counter(hash_bucket(encode_key(key), buckets) for key in keys)
    mean = 16_000 / buckets
    assert sorted(found) == list(range(buckets))
    assert sum((count - mean) ** 2 / mean for count in found.values()) < 2 * buckets + 30  # chi-squared


@pytest.mark.parametrize(
    ("partitions", "buckets"),
    [
        (None, 256),
        (0, 0),
        (1, 16),
        (4, 64),
        (255, 4080),
        (256, 4096),
        (257, 3855),
        (1000, 4000),
        (4096, 4096),
        (4097, 4097),
    ],
)
def test_there_are_16_buckets_a_partition_or_as_many_as_4096_give_to_each(partitions: int | None, buckets: int) -> None:
    assert virtual_buckets(partitions) == buckets


@pytest.mark.parametrize("partitions", [0, 1, 7, 4096])
def test_with_partitioning_by_hash_each_partition_is_a_bucket(partitions: int) -> None:
    assert virtual_buckets(partitions, partitioning="Hash") == partitions


@pytest.mark.parametrize(("gibibytes", "buckets"), [(0, 256), (2, 256), (3, 384), (32, 4096), (400, 4096)])
def test_undecided_partitions_get_buckets_by_the_input(gibibytes: int, buckets: int) -> None:
    assert virtual_buckets(None, input_bytes=gibibytes << 30) == buckets


@pytest.mark.parametrize(
    ("total_bytes", "partitions"),
    [(0, 1), (1, 1), (256 * MIB, 1), (256 * MIB + 1, 2), (1 << 40, 4096), (1 << 50, 4096)],
)
def test_there_is_a_partition_for_each_256_mib(total_bytes: int, partitions: int) -> None:
    assert choose_partitions(total_bytes, 1) == partitions


@pytest.mark.parametrize(
    ("total_bytes", "parallelism", "partitions"),
    [
        (0, 8, 1),
        (4 * MIB, 8, 1),
        (4 * MIB + 1, 8, 2),
        (28 * MIB + 1, 8, 8),
        (100 * MIB, 8, 8),
        (60 * MIB, 5000, 15),
        (60 * MIB + 1, 5000, 16),
        (100 * MIB, 5000, 16),
        (17 * 256 * MIB, 5000, 17),
        (9 * 256 * MIB, 8, 9),
        (1 << 40, 10_000, 4096),
    ],
)
def test_small_partitions_keep_the_parallel_tasks_busy(total_bytes: int, parallelism: int, partitions: int) -> None:
    assert choose_partitions(total_bytes, parallelism) == partitions


@pytest.mark.parametrize(("partitions", "buckets"), [(None, 1), (0, 0), (1, 1), (4096, 1)])
def test_in_total_order_there_is_one_bucket(partitions: int | None, buckets: int) -> None:
    assert virtual_buckets(partitions, order="Total") == buckets


@pytest.mark.parametrize(("sizes", "expected"), [([], 0.0), ([5], 0.0), ([1, 2], 1.0), ([0, 0, 3], 4.0)], ids=repr)
def test_imbalance_is_the_sum_of_distances_from_the_mean(sizes: list[int], expected: float) -> None:
    assert imbalance(sizes) == expected


def achieved(bucket_bytes: list[int], packing: tuple[tuple[int, ...], ...]) -> float:
    return imbalance([sum(bucket_bytes[bucket] for bucket in buckets) for buckets in packing])


SIZES = st.one_of(
    st.lists(st.integers(0, 100), max_size=40),
    st.lists(st.one_of(st.just(0), st.integers(0, 10**15)), max_size=40),
)


@given(SIZES, st.integers(1, 12))
@example([size * 10**14 for size in (7, 1, 8, 5, 4, 2, 6, 1, 1, 1, 9, 1, 7, 4, 7, 1, 9, 4, 8, 0, 0, 0, 0)], 2)
def test_packing_uses_every_bucket_once_and_is_hardly_worse_than_hash_mod_r(sizes: list[int], partitions: int) -> None:
    packing = pack_buckets(sizes, partitions)
    assert sorted(bucket for buckets in packing for bucket in buckets) == list(range(len(sizes)))
    assert all(list(buckets) == sorted(buckets) for buckets in packing)
    assert len(packing) == partitions
    hashed = achieved(sizes, pack_by_hash(len(sizes), partitions))
    assert achieved(sizes, packing) <= hashed or is_even(packing, sizes)
    assert packing == pack_buckets(sizes, partitions)


def skewed_sizes(rng: random.Random, buckets: int) -> list[int]:
    return [int(1000 * rng.paretovariate(1.1)) for _ in range(buckets)]


def test_packing_is_nearly_always_optimal_where_all_packings_can_be_tried() -> None:
    rng, optimal, cases = random.Random(7), 0, 60  # noqa: S311 - a seeded case
    for _ in range(cases):
        sizes, partitions = [rng.randrange(1, 50) for _ in range(rng.randrange(3, 8))], rng.randrange(2, 4)
        best = min(
            imbalance([sum(size for size, at in zip(sizes, places, strict=True) if at == p) for p in range(partitions)])
            for places in product(range(partitions), repeat=len(sizes))
        )
        found = achieved(sizes, pack_buckets(sizes, partitions))
        assert found >= best - 1e-9
        optimal += found <= best + 1e-9
    assert optimal >= 0.9 * cases


@pytest.mark.parametrize("partitions", [2, 4, 16, 64])
def test_packing_evens_out_skew_that_hash_mod_r_leaves(partitions: int) -> None:
    rng = random.Random(partitions)  # noqa: S311 - a seeded case
    for _ in range(5):
        sizes = skewed_sizes(rng, 16 * partitions)
        mean = sum(sizes) / partitions
        unavoidable = 2 * sum(size - mean for size in sizes if size > mean)
        packed = achieved(sizes, pack_buckets(sizes, partitions))
        hashed = achieved(sizes, pack_by_hash(len(sizes), partitions))
        assert packed <= hashed
        assert packed - unavoidable < 0.05 * sum(sizes)


def stretches(packing: tuple[tuple[int, ...], ...], sizes: list[int]) -> int:
    """How many requests a map the partitions cost together: one for each stretch of neighbours that has bytes."""
    return sum(
        any(sizes[bucket] for bucket in range(start, end))
        for buckets in packing
        for start, end in stretches_of(buckets)
    )


@pytest.mark.parametrize(("partitions", "most"), [(4, 3), (33, 1.1), (256, 1.1)])
def test_partitions_are_neighbours_in_the_blobs_as_far_as_the_sizes_allow(partitions: int, most: float) -> None:
    rng = random.Random(partitions)  # noqa: S311 - a seeded case
    even = [round(rng.uniform(0.9, 1.1) * MIB) for _ in range(16 * partitions)]
    assert stretches(pack_buckets(even, partitions), even) <= most * partitions
    skewed = skewed_sizes(rng, 16 * partitions)
    assert stretches(pack_buckets(skewed, partitions), skewed) <= 3 * partitions


@given(
    st.lists(st.one_of(st.integers(0, 20), st.integers(0, 10**6)), max_size=200),
    st.integers(1, MOST_SMALL_PARTITIONS),
)
def test_a_few_partitions_are_never_less_even_than_plain_hashing_makes_them(sizes: list[int], partitions: int) -> None:
    packed, plain = (
        sizes_of(packing, sizes) for packing in (pack_buckets(sizes, partitions), pack_by_hash(len(sizes), partitions))
    )
    assert packed.count(0) < plain.count(0) or imbalance(packed) <= imbalance(plain)


@pytest.mark.parametrize(
    ("buckets", "wanted", "chosen"),
    [(4096, 1000, 1024), (4096, 1600, 1366), (4096, 4000, 4096), (20, 30, 20), (20, 17, 20), (60, 40, 30), (0, 5, 1)],
)
def test_as_many_partitions_are_chosen_as_equal_buckets_make_even(buckets: int, wanted: int, chosen: int) -> None:
    assert len(choose_packing([MIB] * buckets, wanted)) == chosen


@pytest.mark.parametrize(("filled", "wanted", "chosen"), [(16, 3, 3), (2, 3, 2), (1, 16, 1)])
def test_a_few_partitions_are_as_many_as_keep_the_cores_busy(filled: int, wanted: int, chosen: int) -> None:
    assert len(choose_packing([MIB] * filled + [0] * 256, wanted)) == chosen


def draw_sizes(rng: random.Random) -> list[int]:
    """Draw buckets of one of the kinds that jobs have: even, skewed, all alike, mostly empty, with a few heavy ones."""
    buckets = rng.choice([0, 1, 7, 16, 48, 160, 256])
    even = [rng.randrange(900, 1100) for _ in range(buckets)]
    heavy = [size * rng.choice([1] * 30 + [40, 400]) for size in even]
    sparse = [size * (rng.random() < 0.2) for size in even]
    return rng.choice([even, skewed_sizes(rng, buckets), [1000] * buckets, sparse, heavy, [size % 3 for size in even]])


def test_packings_are_the_same_in_every_release() -> None:
    rng, found = random.Random(11), hashlib.sha256()  # noqa: S311 - a seeded case
    for _ in range(400):
        sizes, wanted = draw_sizes(rng), rng.choice([1, 2, 3, 5, 16, MOST_SMALL_PARTITIONS, 33, 47, 64, 100])
        found.update(repr([choose_packing(sizes, wanted), pack_buckets(sizes, wanted)]).encode())
    assert found.hexdigest() == "8ff7986e3c728ff24b1de5fff8edf567a662fcac2d1d9c42e8113c4922037dda"


@pytest.mark.parametrize(("at", "index"), [(0.0, 0), (2.4, 0), (2.5, 1), (2.6, 1), (7.4, 1), (9.0, 2), (10.000001, 2)])
def test_a_cut_is_at_the_nearest_end(at: float, index: int) -> None:
    assert find_nearest([0.0, 5.0, 10.0], at) == index


def test_empty_buckets_are_spread() -> None:
    packing = pack_buckets([0] * 60 + [100, 1, 1, 1], 4)
    assert {len(buckets) for buckets in packing} == {16}


def test_more_partitions_than_buckets_leave_some_empty() -> None:
    assert sorted(map(len, pack_buckets([5, 5], 4))) == [0, 0, 1, 1]


@pytest.mark.parametrize("wanted", [444, 644, 1000])
def test_a_number_of_partitions_that_leaves_neighbours_together_is_taken(wanted: int) -> None:
    rng = random.Random(wanted)  # noqa: S311 - a seeded case
    sizes = [round(rng.gauss(30e6, 9e5)) for _ in range(4096)]
    sizes[7] = 111 * 10**9
    packing = choose_packing(sizes, wanted)
    assert is_even(packing, sizes)
    assert count_stretches(packing, sizes) <= 2 * len(packing)
    assert 0.8 * wanted <= len(packing) <= 1.25 * wanted


@pytest.mark.parametrize("seed", [80, 87, 212])
def test_an_even_row_with_many_exchanges_is_better_than_the_largest_first(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - a seeded case
    sizes = [int(rng.choice([1, 1, 1, 0, 0, 5, 9]) * rng.uniform(1, 3) * 1000) for _ in range(200)]
    packing = choose_packing(sizes, 50)
    assert is_even(packing, sizes)
    assert 2 * len(packing) < count_stretches(packing, sizes)
    assert count_stretches(packing, sizes) < count_stretches(pack_longest_first(sizes, len(packing)), sizes)


def test_buckets_between_which_lies_nothing_are_read_at_once() -> None:
    sizes = [5, 0, 0, 5, 5, 5, 0]
    packing = ((0, 3), (1, 2, 6), (4,), (5,))
    assert [count_stretches((buckets,), sizes) for buckets in packing] == [1, 0, 1, 1]
    assert count_stretches(((0, 4), (1, 2, 3, 5, 6)), sizes) == 4


@pytest.mark.parametrize(("filled", "place"), [(1001, 1), (1250, 1), (1251, -1), (1999, -1)])
def test_a_number_that_evens_the_buckets_out_is_tried_early_or_last_if_it_is_much_larger(
    filled: int, place: int
) -> None:
    numbers = list(numbers_near(1000, filled))
    most_buckets = filled // 1000
    even = next(number for number in range(1000, filled + 1) if -(-filled // number) == most_buckets)
    assert (numbers[0], numbers[place]) == (1000, even)
    assert numbers.count(even) == 1
    assert max(numbers) <= filled
