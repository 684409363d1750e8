"""Partitions by hash: the same in every release, for equal keys, and independent of the virtual buckets."""

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.encoding.codec import encode_key
from podreduce.encoding.key_hash import HashBuckets, PrefixBuckets, hash_bucket, hash_partition
from tests.support.partition_oracle import key_bytes, partition_of

MANY = 1_000_003
ORACLE_KEYS = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text(), st.binary()
    ),
    lambda keys: st.lists(keys, max_size=3).map(tuple),
    max_leaves=5,
)


def place(key: Any, partitions: int = MANY) -> int:
    return hash_partition(encode_key(key), partitions)


@pytest.mark.parametrize(
    ("key", "partition"),
    [
        (None, 939015),
        (False, 466131),
        (True, 479783),
        (0, 97087),
        (1, 969250),
        (-1, 443286),
        (1.5, 13679),
        (10**30, 778826),
        ("", 591124),
        ("a", 358200),
        ("\u00e9\u6f22", 677877),
        (b"", 557883),
        (b"a\0", 591595),
        ((), 15698),
        (("a", 1), 84945),
        ((("a\0", None), b"\0", 2.5), 468551),
        (Decimal("1.50"), 873165),
        (date(2026, 5, 1), 766823),
        (UUID(int=7), 14535),
    ],
    ids=repr,
)
def test_a_key_has_the_same_partition_in_every_release(key: Any, partition: int) -> None:
    """If this fails, new parts do not match those that are in people's buckets: the hash must stay what it is."""
    assert place(key) == partition


@given(ORACLE_KEYS, st.integers(1, 4096))
def test_the_partition_is_what_the_docs_say(key: Any, partitions: int) -> None:
    assert encode_key(key) == key_bytes(key)
    assert place(key, partitions) == partition_of(key, partitions)


@given(st.integers(-(2**53), 2**53), st.integers(1, 4096))
def test_equal_keys_have_one_partition(number: int, partitions: int) -> None:
    assert place(number, partitions) == place(float(number), partitions)
    assert place((number, "a"), partitions) == place((float(number), "a"), partitions)
    assert place(Decimal(number), partitions) == place(Decimal(number).scaleb(2).scaleb(-2), partitions)


def test_there_is_one_zero() -> None:
    assert place(0.0) == place(-0.0) == place(0)


@given(ORACLE_KEYS, st.integers(1, 64), st.integers(1, 64))
def test_a_part_of_fewer_partitions_holds_the_parts_of_a_multiple(key: Any, partitions: int, times: int) -> None:
    assert place(key, partitions * times) % partitions == place(key, partitions)


@pytest.mark.parametrize("partitions", [2, 7, 64])
def test_keys_are_spread_evenly(partitions: int) -> None:
    for keys in (range(6400), [f"user{number}" for number in range(6400)], [(number, "a") for number in range(6400)]):
        sizes = Counter(place(key, partitions) for key in keys)
        assert len(sizes) == partitions
        assert max(sizes.values()) < 6400 / partitions + 5 * (6400 / partitions) ** 0.5


def test_the_keys_of_one_part_are_spread_over_all_virtual_buckets() -> None:
    part = [key for key in map(encode_key, range(16_000)) if not hash_partition(key, 8)]
    sizes = Counter(hash_bucket(key, 16) for key in part)
    assert len(sizes) == 16
    assert max(sizes.values()) < 2 * len(part) / 16


@given(ORACLE_KEYS, ORACLE_KEYS, st.integers(1, 4096))
def test_the_first_elements_of_a_tuple_choose_its_bucket_or_the_whole_key(one: Any, other: Any, buckets: int) -> None:
    whole, prefix = HashBuckets(buckets), PrefixBuckets(buckets, 1)
    assert whole(encode_key(one)) == hash_bucket(encode_key(one), buckets)
    assert prefix(encode_key((one, other))) == prefix(encode_key((one, None)))
    assert 0 <= prefix(encode_key((one, other))) < buckets
    if type(other) is not tuple:
        assert prefix(encode_key(other)) == whole(encode_key(other))


@pytest.mark.parametrize(
    ("key", "bits"), [("the", 1595845258), ("", 2607642226), (0, 441009547), (None, 2692676995)], ids=repr
)
def test_every_bit_of_the_hash_counts(key: Any, bits: int) -> None:
    assert hash_bucket(encode_key(key), 1 << 32) == bits
