"""Which virtual bucket the map writes a key to. Plan and program decide, and must not contradict each other."""

from collections.abc import Callable
from functools import partial

from podreduce.contract.errors import ProgramError
from podreduce.contract.plan import Plan
from podreduce.encoding.key_hash import HashBuckets, PrefixBuckets, hash_partition
from podreduce.encoding.key_sampler import KeySampler
from podreduce.encoding.keys import complete_prefix, key_prefix
from podreduce.program.calling import bucket_by_program
from podreduce.program.loading import LoadedProgram

__all__ = ["BucketOf", "check_order", "choose_buckets", "key_sampler", "stable_partition"]

BucketOf = Callable[[bytes], int]
"""Encoded key → its virtual bucket."""


def choose_buckets(plan: Plan, program: LoadedProgram) -> tuple[int, BucketOf]:
    """Return how many virtual buckets the map writes, and the function that chooses a key's bucket."""
    if program.partition_func is not None:
        return plan.user_partitions, bucket_by_program(program, plan.user_partitions)
    if plan.virtual_buckets == 1:
        return 1, lambda _: 0
    if plan.partitioning == "Hash":
        return plan.virtual_buckets, partial(
            stable_partition, partitions=plan.virtual_buckets, elements=plan.partition_key_length
        )
    if plan.partition_key_length is not None:
        return plan.virtual_buckets, PrefixBuckets(plan.virtual_buckets, plan.partition_key_length)
    return plan.virtual_buckets, HashBuckets(plan.virtual_buckets)


def stable_partition(key: bytes, partitions: int, elements: int | None) -> int:
    """Return the partition of an encoded key by its hash alone; a tuple has that of its first `elements` elements."""
    chosen = key if elements is None else complete_prefix(key_prefix(key, elements))
    return hash_partition(chosen, partitions)


def key_sampler(plan: Plan, index: int) -> KeySampler | None:
    """Return the sampler for the keys of that map's blob; None if the job has no total order."""
    if plan.order != "Total":
        return None
    return KeySampler(key_elements=plan.partition_key_length, maps=plan.shards, index=index)


def check_order(plan: Plan, program: LoadedProgram) -> None:
    """Refuse a program that cannot give the order that the job requests.

    Raises:
        ProgramError: it has a `partition_func`, or no reduce whose input could be sorted.
    """
    name, total = program.class_name, plan.order == "Total"
    if total and program.map_only:
        raise ProgramError(
            f"output.order: Total sorts the input of reduces, but {name} has neither reduce_func nor combiner: add "
            "`def reduce_func(self, key, values): yield from ((key, value) for value in values)`, or remove "
            "output.order"
        )
    if program.partition_func is None:
        return
    if total:
        raise ProgramError(
            f"output.order: Total cuts the keys into ranges, but {name}.partition_func chooses partitions itself: "
            "remove one of the two"
        )
    if plan.partitioning == "Hash":
        raise ProgramError(
            f"reduce.partitioning: Hash and {name}.partition_func both choose the partition of a key: remove one of "
            "the two"
        )
    if plan.partition_key_length is not None:
        raise ProgramError(
            f"reduce.partitionKeyLength and {name}.partition_func both choose the partition of a key: "
            "remove one of the two"
        )
