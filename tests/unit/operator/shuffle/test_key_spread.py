"""Ranges cut from the maps' samples divide the bytes of real blobs evenly, unless a single key is too heavy."""

import random
from bisect import bisect
from collections import Counter
from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.task import KeySample
from podreduce.contract.wire import encode
from podreduce.encoding.codec import encode_key
from podreduce.encoding.key_range import KeyRange
from podreduce.encoding.key_sampler import KeySampler
from podreduce.encoding.keys import key_prefix
from podreduce_operator.shuffle.key_spread import BEYOND, KeyRanges, KeySpread, merge_points
from tests.support.blobs import Blob, Record
from tests.support.builders.records import make_commit
from tests.support.ordered_blobs import frames_in, make_ordered_blob, records_in, stored_bytes

RANKS = list(accumulate(1 / rank for rank in range(1, 5001)))


def random_bytes(rng: random.Random, _: int) -> Record:
    return rng.randbytes(10), rng.randbytes(90)


def words(rng: random.Random, _: int) -> Record:
    """Zipf's law, the ranks spread over the alphabet; values do not compress."""
    rank = bisect(RANKS, rng.random() * RANKS[-1])
    return f"{rank * 7919 % 5000:04}", rng.randbytes(20)


def regions(rng: random.Random, number: int) -> Record:
    """Maps over input that is sorted already: each has keys of its own."""
    return number * 1000 + rng.randrange(1000), rng.randbytes(rng.randrange(200))


def make_blobs(make_record: Callable[[random.Random, int], Record], *, maps: int, records: int) -> list[Blob]:
    rng = random.Random(maps)  # noqa: S311 - a seeded case
    return [
        make_ordered_blob([make_record(rng, number) for _ in range(records)], maps=maps, index=number)
        for number in range(maps)
    ]


def cut(blobs: list[Blob], partitions: int) -> KeyRanges:
    spread = KeySpread()
    for blob in blobs:
        spread.add(blob.summary.key_samples)
    return spread.cut(partitions)


def read_partitions(blobs: list[Blob], cuts: tuple[bytes, ...]) -> list[int]:
    """The bytes that each partition's frames take, as a reduce task gets them."""
    return [
        sum(stored_bytes(frames_in(blob, KeyRange.of_partition(cuts, number))) for blob in blobs)
        for number in range(len(cuts) + 1)
    ]


@pytest.mark.parametrize("partitions", [2, 5, 16])
@pytest.mark.parametrize("maps", [1, 6])
@pytest.mark.parametrize("make_record", [random_bytes, regions])
def test_partitions_are_balanced_within_5_percent(
    make_record: Callable[[random.Random, int], Record], maps: int, partitions: int
) -> None:
    blobs = make_blobs(make_record, maps=maps, records=24_000 // maps)
    ranges = cut(blobs, partitions)
    found = read_partitions(blobs, ranges.cuts)
    mean = sum(found) / partitions
    assert max(abs(size - mean) for size in found) < 0.05 * mean
    assert max(abs(size - told) for size, told in zip(found, ranges.partition_bytes, strict=True)) < 0.05 * mean


@pytest.mark.parametrize("partitions", [2, 5, 16])
def test_a_heavy_key_leaves_the_others_balanced_as_far_as_it_allows(partitions: int) -> None:
    blobs = make_blobs(words, maps=3, records=10_000)
    found = read_partitions(blobs, cut(blobs, partitions).cuts)
    key_bytes = Counter[Any]()
    for blob in blobs:
        for key, value in records_in(blob.frames()):
            key_bytes[key] += len(value)
    mean = sum(found) / partitions
    heaviest = max(key_bytes.values()) / key_bytes.total() * sum(found)
    assert max(found) < max(1.05 * mean, heaviest) + heaviest / 2
    assert sum(found) == pytest.approx(sum(blob.summary.footer_offset for blob in blobs), rel=0.05)


def test_one_key_of_more_than_a_partition_gets_one_and_the_rest_is_even() -> None:
    samples = [KeySample(b"a%03d" % number, 10) for number in range(100)]
    samples += [KeySample(b"b", 4000), *(KeySample(b"c%03d" % number, 10) for number in range(300))]
    spread = KeySpread()
    spread.add(samples)
    ranges = spread.cut(5)
    assert ranges.cuts == (b"b", b"c000", b"c100", b"c200")
    assert ranges.partition_bytes == (1000, 4000, 1000, 1000, 1000)


ENCODED_KEYS = st.binary(max_size=3).filter(lambda key: key < BEYOND)
"""No encoded key is beyond all."""


@given(
    st.lists(st.lists(st.tuples(ENCODED_KEYS, st.integers(0, 100)), max_size=20), max_size=5),
    st.integers(1, 8),
)
def test_cuts_ascend_and_partitions_account_for_every_byte(maps: list[list[tuple[bytes, int]]], parts: int) -> None:
    spread = KeySpread()
    for samples in maps:
        spread.add([KeySample(key, size) for key, size in sorted(dict(samples).items())])
    ranges = spread.cut(parts)
    assert (len(ranges.cuts), len(ranges.partition_bytes)) == (parts - 1, parts)
    assert list(ranges.cuts) == sorted(ranges.cuts)
    assert sum(ranges.partition_bytes) == sum(size for samples in maps for size in dict(samples).values())


def test_without_samples_there_are_ranges_of_nothing() -> None:
    assert KeySpread().cut(3) == KeyRanges(cuts=(BEYOND, BEYOND), partition_bytes=(0, 0, 0))


def test_maps_errors_cancel_each_other_out() -> None:
    rng, spread = random.Random(5), KeySpread()  # noqa: S311 - a seeded case
    keys = [sorted(rng.randrange(1 << 30) for _ in range(2560)) for _ in range(40)]
    for number, each in enumerate(keys):
        spread.add([KeySample(key.to_bytes(4, "big"), 10) for key in each[number * 7 % 10 :: 10]])
    cuts = [int.from_bytes(key, "big") for key in spread.cut(50).cuts]
    found = Counter(bisect(cuts, key) for each in keys for key in each)
    mean = found.total() / 50
    assert max(abs(count - mean) for count in found.values()) < 0.05 * mean


def test_many_maps_are_merged_into_points_that_keep_the_balance() -> None:
    rng = random.Random(5)  # noqa: S311 - a seeded case
    keys = sorted(rng.randrange(1 << 30) for _ in range(100_000))
    points = merge_points([(key.to_bytes(4, "big"), 20) for key in keys], 5000)
    assert len(points) <= 5001
    cuts = [int.from_bytes(key, "big") for key in KeySpread(points=points).cut(50).cuts]
    found = Counter(bisect(cuts, key) for key in keys)
    assert max(abs(count - 2000) for count in found.values()) < 0.05 * 2000


@given(st.lists(st.tuples(st.binary(max_size=2), st.integers(0, 18)), min_size=1), st.integers(1, 9))
def test_merging_points_keeps_order_limit_and_mass(points: list[tuple[bytes, int]], limit: int) -> None:
    merged = merge_points(sorted(points), limit)
    assert [key for key, _ in merged] == sorted(key for key, _ in merged)
    assert sum(size_bytes for _, size_bytes in merged) == sum(size_bytes for _, size_bytes in points)
    assert len(merged) <= limit + 1


def test_keys_that_begin_alike_are_never_parted() -> None:
    rng = random.Random(3)  # noqa: S311 - a seeded case
    records = [((rng.randrange(40), rng.randrange(1000)), rng.randbytes(20)) for _ in range(5000)]
    blobs = [make_ordered_blob(records[start::3], maps=3, key_elements=1) for start in range(3)]
    cuts = cut(blobs, 7).cuts
    assert all(key_prefix(edge + b"\x00", 1) == edge for edge in cuts)
    homes = {(key[0], bisect(cuts, encode_key(key))) for key, _ in records}
    assert len(homes) == 40
    assert len({home for _, home in homes}) == 7


def test_maps_that_are_alike_are_cut_between_their_samples() -> None:
    maps, partitions, spread = 40, 100, KeySpread()
    for index in range(maps):
        sampler = KeySampler(maps=1000, index=index)
        for start in range(0, 1 << 18, 1 << 10):
            keys = [(maps * key + index).to_bytes(4, "big") for key in range(start, start + (1 << 10), 16)]
            sampler.add(1 << 10, keys)
        spread.add(sampler.samples())
    cuts = [0, *(int.from_bytes(key, "big") for key in spread.cut(partitions).cuts), maps << 18]
    mean = (maps << 18) / partitions
    assert max(abs(end - start - mean) for start, end in pairwise(cuts)) < 0.05 * mean


def alike(rng: random.Random, _: int) -> int:
    return rng.randrange(1 << 30)


def own_regions(rng: random.Random, number: int) -> int:
    return (number << 20) + rng.randrange(1 << 20)


def overlapping(rng: random.Random, number: int) -> int:
    return (number << 20) + rng.randrange(1 << 23)


def dense_at_the_start(rng: random.Random, _: int) -> int:
    return int((1 << 30) * rng.random() ** 4)


@pytest.mark.parametrize("make_key", [alike, own_regions, overlapping, dense_at_the_start])
@pytest.mark.parametrize(
    ("maps", "of_maps", "keys_each", "partitions"),
    [(80, 8_000, 2000, 40), (480, 100_000, 400, 20), (480, 100_000, 400, 3)],
    ids=["2 maps a partition", "24 of 100,000", "a few partitions"],
)
def test_the_samples_of_many_maps_keep_the_balance(
    make_key: Callable[[random.Random, int], int], maps: int, of_maps: int, keys_each: int, partitions: int
) -> None:
    rng, spread = random.Random(partitions), KeySpread()  # noqa: S311 - a seeded case
    keys = [sorted(make_key(rng, number) for _ in range(keys_each)) for number in range(maps)]
    for number, each in enumerate(keys):
        sampler = KeySampler(maps=of_maps, index=number)
        for start in range(0, len(each), 50):
            sampler.add(5000, [key.to_bytes(5, "big") for key in each[start : start + 50]])
        spread.add(sampler.samples())
    cuts = [int.from_bytes(key, "big") for key in spread.cut(partitions).cuts]
    found = Counter(bisect(cuts, key) for each in keys for key in each)
    assert len(found) == partitions
    assert max(found.values()) < 1.1 * found.total() / partitions


@pytest.mark.parametrize(("maps", "most_bytes"), [(1, 361_000), (1000, 270_000), (10_000, 27_500), (100_000, 6800)])
def test_the_samples_of_long_keys_are_small_where_maps_are_many(maps: int, most_bytes: int) -> None:
    sampler = KeySampler(maps=maps)
    keys = [f"https://example.org/{'path/' * 60}{number:06}".encode() for number in range(0, 200_000, 20)]
    keys = [f"{number:06}".encode() + key for number, key in enumerate(keys)]
    for start in range(0, len(keys), 1000):
        sampler.add(1 << 20, keys[start : start + 1000])
    assert len(encode(make_commit(key_samples=sampler.samples()))) < most_bytes


def test_600_000_samples_are_merged_in_time_and_keep_the_balance() -> None:
    rng, spread = random.Random(5), KeySpread()  # noqa: S311 - a seeded case
    keys = [[rng.randrange(1 << 30) for _ in range(60)] for _ in range(10_000)]
    for each in keys:
        spread.add([KeySample(key.to_bytes(4, "big"), 10) for key in sorted(each)])
    cuts = [int.from_bytes(key, "big") for key in spread.cut(4096).cuts]
    found = Counter(bisect(cuts, key) for each in keys for key in each)
    assert max(found.values()) < 1.1 * found.total() / 4096
