"""The reduce loop: passes each key's values to `reduce_func` and writes its pairs; or writes the aggregates."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from podreduce.encoding.codec import SCALARS, decode_key, is_flat
from podreduce.outputs import PartWriter
from podreduce.program.calling import cannot_aggregate, check_pair, iterate
from podreduce.program.loading import LoadedProgram
from podreduce.program.tracebacks import describe_key, raise_blamed
from podreduce.rows.aggregate_input import AggregateInput
from podreduce.rows.kept_values import keep_ranked
from podreduce.rows.reduce_input import ReduceInput
from podreduce.rows.row_stores import AggregationError, size_of
from podreduce.task.attempt import Attempt

if TYPE_CHECKING:
    from podreduce.task.reduce_batches import ColumnInput

__all__ = ["Taken", "naming_aggregates", "open_taken", "reduce_taken"]

Taken: TypeAlias = "AggregateInput | ReduceInput | ColumnInput"
"""The input of a reduce task: the parts of the maps' output that it has read."""

BATCH_PAIRS: Final = 4096
"""How many pairs are written together, or as many as take `BATCH_BYTES`."""
BATCH_BYTES: Final = 1 << 20
SAMPLE_PAIRS: Final = 8


def open_taken(attempt: Attempt, program: LoadedProgram) -> Taken:
    """Return the object that collects the task's partition."""
    budget_bytes, directory = attempt.budget_bytes(), attempt.environment.scratch_directory
    if program.reduce_batch is not None:
        from podreduce.task.reduce_batches import ColumnInput  # noqa: PLC0415 - pyarrow, which row jobs do not need

        member = f"{program.class_name}.map_batch"
        return ColumnInput(
            budget_bytes=budget_bytes,
            scratch_directory=directory,
            member=member,
            key_elements=attempt.plan.partition_key_length,
        )
    if program.aggregation is not None:
        return AggregateInput(program.aggregation, budget_bytes=budget_bytes, scratch_directory=directory)
    return ReduceInput(budget_bytes=budget_bytes, scratch_directory=directory)


@contextmanager
def naming_aggregates(program: LoadedProgram) -> Iterator[None]:
    """Turn an error about values that cannot be aggregated into the program's error."""
    try:
        yield
    except AggregationError as error:
        raise cannot_aggregate(program, error.key, error.error) from None


def reduce_taken(attempt: Attempt, program: LoadedProgram, taken: Taken, part: PartWriter) -> None:
    """Reduce all keys in order and write the output."""
    if isinstance(taken, AggregateInput):
        with naming_aggregates(program):
            write_aggregates(attempt, taken, part)
    elif isinstance(taken, ReduceInput):
        with naming_aggregates(program):
            reduce_groups(attempt, program, taken, part)
    else:
        from podreduce.task.reduce_batches import reduce_batches  # noqa: PLC0415 - pyarrow, which row jobs do not need

        reduce_batches(attempt, program, taken, part)


def write_aggregates(attempt: Attempt, taken: AggregateInput, part: PartWriter) -> None:
    """Write each key with its aggregate."""
    aggregates, most = taken.aggregates(), SAMPLE_PAIRS
    while batch := [(decode_key(key), value) for key, value in islice(aggregates, most)]:
        part.write_all(batch)
        most = pairs_at_once(batch)
        attempt.progress.records_out = part.records


def reduce_groups(attempt: Attempt, program: LoadedProgram, taken: ReduceInput, part: PartWriter) -> None:
    """Pass every key with its values to the program's reduce function and write its pairs."""
    reduce_func = program.reduce_func or pass_on
    member = f"{program.class_name}.reduce_func"
    pending: list[tuple[Any, Any]] = []
    most = SAMPLE_PAIRS
    for key, values in groups_of(program, taken):
        try:
            for pair in iterate(reduce_func(key, values), member):
                pending.append(pair if type(pair) is tuple and len(pair) == 2 else check_pair(pair, member))  # noqa: PLR2004 - a pair
                if len(pending) >= most or not is_fixed(pending[-1]):
                    part.write_all(pending)
                    most = pairs_at_once(pending)
                    pending.clear()
        except BaseException as error:  # noqa: BLE001 - raise_blamed passes on errors that are not the program's
            raise_blamed(error, describe_key(key))
        attempt.progress.records_out = part.records + len(pending)
    part.write_all(pending)


def groups_of(program: LoadedProgram, taken: ReduceInput) -> Iterator[tuple[Any, Iterator[Any]]]:
    """Yield each key with its values: all of them, or those that the program's combiner keeps, in order.

    Raises:
        AggregationError: the values of a key cannot be compared.
    """
    for encoded, values in taken.groups():
        key = decode_key(encoded)
        yield key, values if program.ranking is None else iter(keep_ranked(program.ranking, key, values))


def pass_on(key: Any, values: Iterator[Any]) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - anything the map yields
    """Yield the pairs of a key: the reduce of a program whose combiner keeps some values."""
    return ((key, value) for value in values)


def pairs_at_once(pairs: list[tuple[Any, Any]]) -> int:
    """Return how many pairs of this size are written together."""
    sample = list(filter(is_fixed, pairs[:: max(len(pairs) // SAMPLE_PAIRS, 1)]))
    if not sample:
        return SAMPLE_PAIRS
    return min(max(BATCH_BYTES * len(sample) // sum(map(size_of, sample)), 1), BATCH_PAIRS)


def is_fixed(pair: tuple[Any, Any]) -> bool:
    """Tell whether the program cannot change the pair any more, so that it may be written later."""
    key, value = pair
    return (type(value) in SCALARS or is_flat(value)) and (type(key) in SCALARS or is_flat(key))
