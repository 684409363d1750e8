"""Plan and program choose a key's bucket; where they contradict each other, the message names both."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podreduce.contract.errors import ProgramError
from podreduce.contract.plan import Program
from podreduce.encoding.codec import encode_key
from podreduce.encoding.key_hash import PrefixBuckets, hash_bucket, hash_partition
from podreduce.encoding.keys import key_prefix
from podreduce.program.loading import LoadedProgram, load_program
from podreduce.task.bucket_choice import check_order, choose_buckets, key_sampler, stable_partition
from tests.support.builders.plans import make_plan
from tests.unit.runtime.encoding.test_codec import KEYS

MAP = "class Job:\n    def map_func(self, key, value): yield key, value\n"
REDUCE = "    def reduce_func(self, key, values): yield key, 1\n"
PARTITION = "    def partition_func(self, key, partitions): return 1\n"


def make_program(*members: str) -> LoadedProgram:
    return load_program(Program(source="".join([MAP, *members])), name="job")


@given(st.lists(KEYS, max_size=4).map(tuple), st.lists(KEYS, max_size=3).map(tuple), st.integers(1, 4))
def test_tuples_with_the_same_first_elements_have_the_same_prefix(
    key: tuple[Any, ...], more: tuple[Any, ...], elements: int
) -> None:
    key = (*key, None, None, None, None)[:elements]
    prefix = key_prefix(encode_key(key), elements)
    assert key_prefix(encode_key((*key, *more)), elements) == prefix
    assert encode_key(key) == prefix + b"\x00"


@given(KEYS, KEYS, st.integers(1, 4))
def test_other_keys_have_other_prefixes(left: Any, right: Any, elements: int) -> None:
    heads = [key[:elements] if isinstance(key, tuple) else key for key in (left, right)]
    encoded = [encode_key(head) for head in heads]
    prefixes = [key_prefix(encode_key(key), elements) for key in (left, right)]
    assert (encoded[0] == encoded[1]) == (prefixes[0] == prefixes[1])
    if encoded[0] != encoded[1]:
        assert (encode_key(left) < encode_key(right)) == (encoded[0] < encoded[1])


def test_a_tuples_first_elements_choose_its_bucket() -> None:
    buckets = {PrefixBuckets(1024, 1)(encode_key(("user", second))) for second in (0, 1.5, "b", ("c",), None)}
    assert len(buckets) == 1
    assert buckets != {PrefixBuckets(1024, 1)(encode_key(("user2", 0)))}


@given(KEYS, KEYS, st.integers(1, 4096))
def test_by_hash_a_prefix_is_where_the_tuple_of_its_elements_is(first: Any, second: Any, partitions: int) -> None:
    found = stable_partition(encode_key((first, second)), partitions, 1)
    assert (
        found
        == stable_partition(encode_key((first,)), partitions, 1)
        == hash_partition(encode_key((first,)), partitions)
    )


def test_a_key_that_is_no_tuple_chooses_as_a_whole() -> None:
    assert PrefixBuckets(1024, 1)(encode_key("user")) == hash_bucket(encode_key("user"), 1024)


@pytest.mark.parametrize(
    ("members", "plan", "expected"),
    [
        ((REDUCE,), {"virtual_buckets": 64}, (64, hash_bucket(encode_key(("a", 1)), 64))),
        ((REDUCE, PARTITION), {"user_partitions": 3}, (3, 1)),
        ((REDUCE,), {"virtual_buckets": 1, "order": "Total"}, (1, 0)),
        (
            (REDUCE,),
            {"virtual_buckets": 64, "partition_key_length": 1},
            (64, PrefixBuckets(64, 1)(encode_key(("a", 1)))),
        ),
        (
            (REDUCE,),
            {"virtual_buckets": 64, "partitioning": "Hash"},
            (64, hash_partition(encode_key(("a", 1)), 64)),
        ),
        (
            (REDUCE,),
            {"virtual_buckets": 64, "partitioning": "Hash", "partition_key_length": 1},
            (64, hash_partition(encode_key(("a",)), 64)),
        ),
    ],
    ids=["hash", "partition_func", "total order", "key length", "partitioning", "partitioning by prefix"],
)
def test_plan_and_program_choose_the_bucket(
    members: tuple[str, ...], plan: dict[str, Any], expected: tuple[int, int]
) -> None:
    buckets, bucket_of = choose_buckets(make_plan(**plan), make_program(*members))
    assert (buckets, bucket_of(encode_key(("a", 1)))) == expected


@pytest.mark.parametrize(
    ("members", "plan", "words"),
    [
        ((REDUCE, PARTITION), {"order": "Total"}, ["output.order: Total", "Job.partition_func"]),
        ((), {"order": "Total"}, ["output.order: Total", "reduce_func"]),
        ((REDUCE, PARTITION), {"partition_key_length": 1}, ["reduce.partitionKeyLength", "Job.partition_func"]),
        ((REDUCE, PARTITION), {"partitioning": "Hash"}, ["reduce.partitioning: Hash", "Job.partition_func"]),
    ],
    ids=[
        "order and partition_func",
        "order and map-only",
        "key length and partition_func",
        "partitioning and partition_func",
    ],
)
def test_a_contradiction_names_both(members: tuple[str, ...], plan: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ProgramError) as raised:
        check_order(make_plan(**plan), make_program(*members))
    assert all(word in str(raised.value) for word in words)


@pytest.mark.parametrize(
    ("members", "plan"),
    [
        ((), {}),
        ((REDUCE, PARTITION), {}),
        ((REDUCE,), {"order": "Total"}),
        ((REDUCE,), {"order": "Total", "partition_key_length": 2}),
        (('    combiner = "sum"\n',), {"order": "Total"}),
    ],
    ids=["map-only", "partition_func", "total order", "total order by prefix", "total order of aggregates"],
)
def test_the_rest_goes_together(members: tuple[str, ...], plan: dict[str, Any]) -> None:
    check_order(make_plan(**plan), make_program(*members))


def test_keys_are_sampled_in_total_order_only() -> None:
    assert key_sampler(make_plan(), 0) is None
    assert key_sampler(make_plan(order="Total"), 0) is not None
