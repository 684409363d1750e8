"""A side input as one Arrow table: written once as a stream of record batches, then mapped into each task's memory.

Blocks of one side input may have different columns, or columns of different types, such as frames of pairs that have
only whole numbers, beside others. The table has all of their columns, each of a type that holds all values exactly.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import pyarrow as pa

from podreduce.contract.errors import InputError
from podreduce.inputs import RecordBlock

__all__ = ["map_table", "write_table"]


def write_table(read_blocks: Callable[[], Iterable[RecordBlock]], path: Path) -> None:
    """Write all blocks as one table. They are read again if the first has other columns than the table needs.

    Raises:
        InputError: a block is no columns, or its columns do not fit those of the others.
    """
    schema: pa.Schema | None = None
    while True:
        batches = with_rows(block.to_arrow() for block in read_blocks())
        needed = write_batches(batches, path, schema)
        if needed is None:
            return
        schema = needed


def with_rows(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the batches that have rows: others may have columns without a type. If none has, yield the first."""
    spare, is_found = None, False
    for batch in batches:
        if batch.num_rows:
            is_found = True
            yield batch
        elif spare is None:
            spare = batch
    if spare is not None and not is_found:
        yield spare


def write_batches(batches: Iterator[pa.RecordBatch], path: Path, schema: pa.Schema | None) -> pa.Schema | None:
    """Write batches with this schema, or with that of the first. Return the schema they need, if it is another."""
    first = next(batches, None)
    if schema is None:
        schema = pa.schema([]) if first is None else first.schema
    needed = schema
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        for batch in () if first is None else chain((first,), batches):
            needed = needed if batch.schema == needed else unify(needed, batch.schema)
            if needed == schema:
                writer.write_table(fit(batch, schema))
    return None if needed == schema else needed


def unify(schema: pa.Schema, other: pa.Schema) -> pa.Schema:
    """Return a schema with the columns of both.

    Raises:
        InputError: a column's types have none in common.
    """
    try:
        return pa.unify_schemas([schema, other], promote_options="permissive")
    except pa.ArrowException as error:
        raise no_table(error) from error


def fit(batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    """Return a batch with the columns of the table; those that it lacks are null.

    Raises:
        InputError: a value would change.
    """
    table = pa.Table.from_batches([batch])
    if table.schema == schema:
        return table
    try:
        return pa.concat_tables([pa.Table.from_batches([], schema), table], promote_options="permissive")
    except pa.ArrowException as error:
        raise no_table(error) from error


def no_table(error: pa.ArrowException) -> InputError:
    """Return the error of a side input that is no table."""
    return InputError(
        f"its objects have columns that do not fit together ({error}): use context.side_input, or "
        "write the objects again"
    )


def map_table(path: Path) -> pa.Table:
    """Return the table in the file. Its columns are pages of the file, which are read when they are used."""
    return pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
