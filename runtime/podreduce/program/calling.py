"""Calls into the program: checks what it returns, and adapts its combiner and partitioner to the buffers."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from operator import index
from types import GeneratorType
from typing import Any

from podreduce.contract.errors import ProgramError
from podreduce.encoding.codec import UnsupportedTypeError, capture, decode_key, encode_key
from podreduce.encoding.showing import show
from podreduce.program.loading import LoadedProgram
from podreduce.program.tracebacks import describe_key, raise_blamed
from podreduce.rows.combining import Combine
from podreduce.rows.exact_sums import explain
from podreduce.rows.kept_values import combine_by_ranking

__all__ = [
    "bucket_by_program",
    "cannot_aggregate",
    "cannot_travel",
    "check_pair",
    "combine_by_program",
    "iterate",
]


def iterate(pairs: Any, member: str) -> Iterator[Any]:  # noqa: ANN401 - anything the program returns
    """Return an iterator over the result of `member` of the program; None means no pairs.

    Raises:
        ProgramError: it is not iterable, or a str, bytes or dict, which is never a list of pairs, or one pair.
    """
    if isinstance(pairs, GeneratorType):
        return pairs
    if pairs is None:
        return iter(())
    is_one = isinstance(pairs, tuple) and pairs and not isinstance(pairs[0], tuple | list)
    if isinstance(pairs, Iterable) and not isinstance(pairs, str | bytes | dict) and not is_one:
        return iter(pairs)
    raise ProgramError(
        f"{member} returned {type(pairs).__name__} {show(pairs)}: yield key, value (or return a list of pairs)"
    )


def check_pair(pair: Any, member: str) -> tuple[Any, Any]:  # noqa: ANN401 - anything the program yields
    """Return `pair` as key and value.

    Raises:
        ProgramError: it is not a tuple or list of two.
    """
    if isinstance(pair, tuple | list) and len(pair) == 2:  # noqa: PLR2004 - a pair
        return pair[0], pair[1]
    raise ProgramError(f"{member} yielded {type(pair).__name__} {show(pair)}, which is not a pair: yield key, value")


def cannot_aggregate(program: LoadedProgram, key: Any, error: Exception) -> ProgramError:  # noqa: ANN401 - the program's
    """Return the error for values of `key` that cannot be aggregated."""
    if program.combiner is not None:
        message = f"combiner {program.combiner!r} cannot take values of the key {show(key)}: {explain(error)}; "
        remedy = "write a reduce_func for such values" if program.ranking is None else "yield values of one kind"
        return ProgramError(f"{message}{remedy}", record=describe_key(key))
    member = f"{program.class_name}.reduce_func"
    return ProgramError(
        f"{type(error).__name__}: {explain(error)} (in the {program.aggregation} of {member} over the values of "
        f"the key {show(key)}): yield values that it supports, or write the loop yourself",
        record=describe_key(key),
    )


def cannot_travel(member: str, key: Any, error: UnsupportedTypeError) -> ProgramError:  # noqa: ANN401 - likewise
    """Return the error for a pair that cannot be shuffled."""
    return ProgramError(f"{member} yielded, for the key {show(key)}: {error}")


def combine_by_program(program: LoadedProgram) -> Combine | None:
    """Return the function with which the map's buffer shrinks a key's values; None if the program has none."""
    if program.ranking is not None:
        return combine_by_ranking(program.ranking)
    return partial(call_combine, program) if program.combine_func is not None else None


def call_combine(program: LoadedProgram, key: Any, values: list[Any]) -> list[Any]:  # noqa: ANN401 - the program's
    """Return the result of `combine_func` for one key's values, captured.

    Raises:
        ProgramError: it raised, or yielded something that is not a pair or has another key.
    """
    assert program.combine_func is not None  # noqa: S101 - for the type checker
    member = f"{program.class_name}.combine_func"
    try:
        pairs = iterate(program.combine_func(key, iter(values)), member)
        return [capture_combined(pair, key, member) for pair in pairs]
    except BaseException as error:  # noqa: BLE001 - raise_blamed passes on errors that are not the program's
        raise_blamed(error, describe_key(key))


def capture_combined(pair: Any, key: Any, member: str) -> Any:  # noqa: ANN401 - anything the program yields
    """Return the value of a pair that `combine_func` yielded for `key`, captured.

    Raises:
        ProgramError: it is not a pair, or has another key.
    """
    new_key, value = check_pair(pair, member)
    try:
        if new_key is not key and encode_key(new_key) != encode_key(key):
            raise ProgramError(f"{member} yielded the key {show(new_key)} for {show(key)}: it must yield the same key")
        return capture(value)
    except UnsupportedTypeError as error:
        raise cannot_travel(member, new_key, error) from None


def bucket_by_program(program: LoadedProgram, partitions: int) -> Callable[[bytes], int]:
    """Return the function with which the map's buffer finds a key's bucket: the program's `partition_func`, checked.

    That function raises ProgramError if the result is not an int from 0 to `partitions` - 1.
    """
    member = f"{program.class_name}.partition_func"

    def bucket_of(encoded: bytes) -> int:
        assert program.partition_func is not None  # noqa: S101 - for the type checker
        key = decode_key(encoded)
        try:
            chosen = program.partition_func(key, partitions)
        except BaseException as error:  # noqa: BLE001 - raise_blamed passes on errors that are not the program's
            raise_blamed(error, describe_key(key))
        if not hasattr(chosen, "__index__") or not 0 <= index(chosen) < partitions:
            raise ProgramError(
                f"{member} returned {show(chosen)}: it must return an int from 0 to {partitions - 1}",
                record=describe_key(key),
            )
        return index(chosen)

    return bucket_of
