"""Samples of keys: systematic, as many as were promised, and at other places in each map."""

from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate, pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podreduce.contract.task import KeySample
from podreduce.encoding.key_index import FRAME_SAMPLES
from podreduce.encoding.key_range import MAX_CUT_BYTES
from podreduce.encoding.key_sampler import (
    JOB_SAMPLES,
    LEAST_SAMPLE_BYTES,
    LEAST_SAMPLES,
    MAX_SAMPLES,
    SAMPLE_BYTES,
    KeySampler,
    pick,
    thin,
    wire_bytes,
)

HUNDRED_EACH = JOB_SAMPLES // 100
"""How many maps a job has in which each takes a hundred samples."""


def key_of(number: int) -> bytes:
    return number.to_bytes(2, "big")


def sample_systematically(sizes: list[int], limit: int, phase: Fraction) -> list[tuple[int, int]]:
    """The numbers and bytes of samples at equal distances, by exact fractions."""
    ends, total = list(accumulate(sizes)), sum(sizes)
    places = [bisect_right(ends, (step + phase) * total / limit) for step in range(limit)]
    shares = [after - before for before, after in pairwise(total * step // limit for step in range(limit + 1))]
    return [
        (number, sum(share for place, share in zip(places, shares, strict=True) if place == number))
        for number in sorted(set(places))
    ]


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=60).filter(any),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.25, 0.5]),
)
@example([1, 50, 1], 3, 0.5)
@example([1, 50, 1, 1], 3, 0.5)
def test_thinned_samples_are_at_equal_distances(sizes: list[int], limit: int, phase: float) -> None:
    samples = [KeySample(key_of(number), size) for number, size in enumerate(sizes)]
    found = [(int.from_bytes(sample.key, "big"), sample.size_bytes) for sample in thin(samples, limit, phase=phase)]
    if len(sizes) <= limit:
        assert found == list(enumerate(sizes))
    else:
        assert found == sample_systematically(sizes, limit, Fraction(phase))


@given(st.lists(st.integers(1, 50), min_size=1, max_size=3 * FRAME_SAMPLES), st.integers(0, 10_000))
@example([1] * FRAME_SAMPLES, 6401)
@example([1] * (FRAME_SAMPLES - 1) + [1000], 6401)
@example([1] * FRAME_SAMPLES + [64], 6401)
@example([1] * (2 * FRAME_SAMPLES), 6401)
def test_a_frame_gives_all_its_keys_or_so_many_at_equal_distances(weights: list[int], stored_bytes: int) -> None:
    keys = [key_of(number) for number in range(len(weights))]
    found = list(pick(stored_bytes, keys, weights))
    assert sum(size for _, size in found) == stored_bytes
    ends, total = list(accumulate(weights, initial=0)), sum(weights)
    if len(weights) <= FRAME_SAMPLES:
        edges = [stored_bytes * end // total for end in ends]
        assert found == list(zip(keys, (after - before for before, after in pairwise(edges)), strict=True))
        return
    middles = [Fraction(2 * number + 1, 2 * FRAME_SAMPLES) * total for number in range(FRAME_SAMPLES)]
    assert [key for key, _ in found] == [keys[bisect_right(ends, middle) - 1] for middle in middles]
    assert {size for _, size in found} <= {stored_bytes // FRAME_SAMPLES, -(-stored_bytes // FRAME_SAMPLES)}


def samples_of(keys: list[bytes], *, maps: int, index: int = 0) -> list[bytes]:
    """The keys that a map samples if each of its frames has one of these."""
    sampler = KeySampler(maps=maps, index=index)
    for key in keys:
        sampler.add(10, [key])
    return [sample.key for sample in sampler.samples()]


@pytest.mark.parametrize(
    ("maps", "samples"),
    [(1, MAX_SAMPLES), (HUNDRED_EACH, 100), (10**9, LEAST_SAMPLES)],
    ids=["one map", "many", "very many"],
)
def test_all_maps_share_the_samples_of_a_job(maps: int, samples: int) -> None:
    assert len(samples_of([key_of(number) for number in range(2000)], maps=maps)) == samples


def test_long_keys_have_fewer_samples() -> None:
    keys = [key_of(number) * MAX_CUT_BYTES for number in range(2000)]
    assert len(samples_of(keys, maps=HUNDRED_EACH)) == 17, "three quarters of them, again and again, until they fit"
    assert len(samples_of(keys, maps=10**9)) == LEAST_SAMPLES


def test_samples_may_take_all_of_their_bytes() -> None:
    keys = [key_of(number) + bytes(37) for number in range(96)]
    assert wire_bytes([KeySample(key, 10) for key in keys]) == LEAST_SAMPLE_BYTES
    assert samples_of(keys, maps=JOB_SAMPLES // 96) == keys


@pytest.mark.parametrize(("key_bytes", "in_base64"), [(0, 0), (3, 4), (30, 40), (256, 341)])
def test_the_bytes_of_a_sample_are_those_of_its_key_in_base64_and_some_more(key_bytes: int, in_base64: int) -> None:
    assert wire_bytes([KeySample(bytes(key_bytes), 5)] * 2) == 2 * (SAMPLE_BYTES + in_base64)


@pytest.mark.parametrize(("index", "first"), [*enumerate([10, 2, 14, 7, 19, 11, 4])])
def test_each_map_takes_its_samples_at_other_places(index: int, first: int) -> None:
    """Of 2,000 keys 100 are taken, so every twentieth: the first places leave no gap among the twenty."""
    found = samples_of([key_of(number) for number in range(2000)], maps=HUNDRED_EACH, index=index)
    assert found == [key_of(number) for number in range(first, 2000, 20)]


def test_sizes_that_are_not_of_all_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        KeySampler().add(100, [b"a", b"b"], [1])
