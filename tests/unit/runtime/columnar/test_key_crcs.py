import math
from collections.abc import Sequence

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.columnar.columns import bucket_rows
from podreduce.columnar.key_crcs import bucket_columns
from podreduce.encoding.key_hash import HashBuckets
from podreduce.encoding.keys import encode_key

INT64 = st.integers(-(2**63), 2**63 - 1)
EDGES = [0, 1, -1, 2**53, -(2**53), 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
BUCKETS = st.sampled_from([1, 2, 7, 256, 4096, 65535])


def one_by_one(keys: Sequence[object], buckets: int) -> list[int]:
    bucket_of = HashBuckets(buckets)
    return [bucket_of(encode_key(key)) for key in keys]


@given(st.lists(INT64 | st.sampled_from(EDGES)), BUCKETS)
def test_ints_have_the_buckets_of_their_encodings(keys: list[int], buckets: int) -> None:
    found = bucket_rows(pa.array(keys, pa.int64()), HashBuckets(buckets))
    assert found.tolist() == one_by_one(keys, buckets)


@given(st.lists(st.floats(allow_nan=False)), BUCKETS)
def test_floats_have_the_buckets_of_their_encodings(keys: list[float], buckets: int) -> None:
    found = bucket_rows(pa.array(keys, pa.float64()), HashBuckets(buckets))
    assert found.tolist() == one_by_one(keys, buckets)


TEXTS = st.text(max_size=8) | st.sampled_from(["", "a", "ab", "x" * 24])


@given(st.lists(TEXTS), BUCKETS)
def test_texts_of_any_lengths_have_the_buckets_of_their_encodings(keys: list[str], buckets: int) -> None:
    found = bucket_rows(pa.array(keys, pa.string()), HashBuckets(buckets))
    assert found.tolist() == one_by_one(keys, buckets)


@given(st.lists(st.binary(max_size=8) | st.sampled_from([b"", b"x" * 24])), BUCKETS)
def test_bytes_of_any_lengths_have_the_buckets_of_their_encodings(keys: list[bytes], buckets: int) -> None:
    found = bucket_rows(pa.array(keys, pa.binary()), HashBuckets(buckets))
    assert found.tolist() == one_by_one(keys, buckets)


def test_an_int_and_an_equal_float_have_one_bucket() -> None:
    bucket_of = HashBuckets(256)
    ints, floats = pa.array(range(-500, 500)), pa.array(map(float, range(-500, 500)))
    assert bucket_rows(ints, bucket_of).tolist() == bucket_rows(floats, bucket_of).tolist()


def test_a_slice_has_the_buckets_of_its_rows() -> None:
    keys = pa.array(range(100)).slice(30, 20)
    assert bucket_rows(keys, HashBuckets(64)).tolist() == one_by_one(list(range(30, 50)), 64)


@pytest.mark.parametrize(
    "keys",
    [
        pa.array([1, None]),
        pa.array([2**53 + 1]),
        pa.array(["a\0"]),
        pa.array([b"x" * 25]),
        pa.array([True]),
        pa.array([1], pa.int32()),
        pa.array([{}, {}], pa.struct([])),
    ],
)
def test_other_keys_are_left_to_the_usual_way(keys: pa.Array) -> None:
    assert bucket_columns(keys, HashBuckets(8)) is None


@pytest.mark.parametrize("key", [2**53, -(2**53), 0.5, "x" * 24, b"x" * 24], ids=repr)
def test_keys_up_to_these_are_hashed_together(key: object) -> None:
    found = bucket_columns(pa.array([key]), HashBuckets(4096))
    assert found is not None
    assert found.tolist() == one_by_one([key], 4096)


def test_infinities_are_numbers() -> None:
    keys = [math.inf, -math.inf]
    assert bucket_rows(pa.array(keys), HashBuckets(4096)).tolist() == one_by_one(keys, 4096)
