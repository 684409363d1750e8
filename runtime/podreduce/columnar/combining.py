"""Lets a function make fewer of a bucket's sorted rows, and checks that what it returns can take their place.

A wrong key would be sent to the reduce of another one, and a wrong type would meet the right one only there. So what
returns has the columns and types of the rows that were given, and only keys of theirs, in order.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import pyarrow as pa

from podreduce.columnar.columns import canonical_table, key_at
from podreduce.columnar.key_columns import flat_schema, flat_table, key_names, nested_table, one_array, prefix_of
from podreduce.columnar.key_runs import last_rows
from podreduce.columnar.row_order import sort_rows
from podreduce.columnar.runs import BATCH_BYTES, cut_batches
from podreduce.contract.errors import ProgramError
from podreduce.encoding.showing import show
from podreduce.rows.combining import has_paid

__all__ = ["COMBINED_BYTES", "Combine", "RowCombiner", "check_combined"]

COMBINED_BYTES: Final = 2 * BATCH_BYTES
"""About what combining takes besides the rows themselves: what is returned for a batch, and its copy in one piece."""

Combine: TypeAlias = Callable[[pa.RecordBatch, pa.Array], pa.Table]
"""Takes sorted rows, some keys of which repeat, and their distinct keys; returns what `check_combined` does."""


class RowCombiner:
    """Combines the rows of pieces that have a key more than once, and stops if that does not pay.

    Args:
        combine: makes fewer rows of a batch.
        member: the function of the program that made the rows, for messages.
        key_elements: how many columns of a key a batch does not cut; None: all.

    Attributes:
        rows_in: how many rows were given to `combine`.
        rows_out: how many it returned.
    """

    def __init__(self, combine: Combine, *, member: str, key_elements: int | None = None) -> None:
        self._combine = combine
        self._member = member
        self._key_elements = key_elements
        self.rows_in = self.rows_out = 0

    def combine_pieces(self, pieces: Iterable[tuple[int, pa.Table]]) -> Iterator[tuple[int, pa.Table]]:
        """Yield each bucket with its sorted rows, combined; none without rows."""
        for bucket, table in pieces:
            if not has_paid(self.rows_in, self.rows_out):
                yield bucket, table
                continue
            for batch in cut_batches([table], self._member, self._key_elements):
                combined = self._combine_batch(batch)
                if combined.num_rows:
                    yield bucket, combined

    def _combine_batch(self, batch: pa.RecordBatch) -> pa.Table:
        """Return the rows of a batch, combined if a key repeats.

        A column of nulls only may have a type in other batches, which the function may need: it is not called then.
        """
        keys = batch.column(0)
        rows = last_rows(keys)
        if len(rows) == len(keys) or any(map(pa.types.is_null, flat_schema(batch.schema).types)):
            return pa.Table.from_batches([batch])
        combined = self._combine(batch, keys.take(pa.array(rows)))
        self.rows_in += batch.num_rows
        self.rows_out += combined.num_rows
        return combined


def check_combined(returned: Sequence[pa.Table], schema: pa.Schema, distinct: pa.Array, member: str) -> pa.Table:
    """Return the rows that `member` of the program returned, in the order of their keys.

    Args:
        returned: all that it returned for one batch.
        schema: that of the batch; several key columns are one.
        distinct: the batch's keys, each once, in order.
        member: for messages.

    Raises:
        ProgramError: a column is missing, too many or of another type, or a key is none of the batch's.
    """
    tables = [table for table in returned if table.num_rows]
    if len(tables) == 1 and (found := as_expected(tables[0], schema, distinct)) is not None:
        return found
    if not tables:
        return pa.Table.from_batches([], schema)
    table = pa.concat_tables([fit_columns(table, schema, member) for table in tables]).combine_chunks()
    return put_in_order(table, distinct, member)


def as_expected(table: pa.Table, schema: pa.Schema, distinct: pa.Array) -> pa.Table | None:
    """Return a table that has each of the `distinct` keys once, in order, with these as its keys; None for others.

    The keys may only equal them: -0.0 equals 0.0.
    """
    if table.num_rows != len(distinct) or not table.schema.equals(flat_schema(schema)):
        return None
    fields = prefix_of(distinct, None)
    if not all(one_array(table.column(at)).equals(field) for at, field in enumerate(fields)):
        return None
    return pa.Table.from_arrays([distinct, *table.columns[len(fields) :]], schema=schema).combine_chunks()


def fit_columns(table: pa.Table, schema: pa.Schema, member: str) -> pa.Table:
    """Return the table with the columns of `schema`, in its order."""
    flat, names = flat_schema(schema), key_names(schema)
    if sorted(table.column_names) != sorted(flat.names):
        raise ProgramError(
            f"{member} returned the columns {', '.join(table.column_names)}: return those of its batch, which are "
            f"{', '.join(flat.names)}; reduce_batch gets combined rows beside others"
        )
    table = flat_table(canonical_table(table, member, names)).select(flat.names)
    columns = [fit_column(column, field, member) for column, field in zip(table.columns, flat, strict=True)]
    return nested_table(pa.table(columns, schema=flat), names)


def fit_column(column: pa.ChunkedArray, field: pa.Field, member: str) -> pa.ChunkedArray:
    """Return the column in the type of `field`, if that holds all values of its own type."""
    kind = column.type
    if kind == field.type:
        return column
    if column.null_count == len(column):
        return pa.chunked_array([pa.nulls(len(column), field.type)])
    try:
        both = [pa.schema([field]), pa.schema([field.with_type(kind)])]
        if pa.unify_schemas(both, promote_options="permissive").types[0] == field.type:
            return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        pass
    raise ProgramError(
        f"{member} returned the column {field.name} of type {kind}, and its batch had {field.type}: cast it there, or "
        "in map_batch, so that both are the same"
    )


def put_in_order(table: pa.Table, distinct: pa.Array, member: str) -> pa.Table:
    """Return the table sorted by its keys, each of which must be among the `distinct` ones."""
    keys = one_array(table.column(0))
    order = sort_rows(keys)
    if (order[1:] < order[:-1]).any():
        table = table.take(pa.array(order))
        keys = one_array(table.column(0))
    found = keys.take(pa.array(last_rows(keys)))
    if not found.equals(distinct):
        refuse_foreign(found, distinct, member)
    return table


def refuse_foreign(found: pa.Array, distinct: pa.Array, member: str) -> None:
    """Refuse keys that are not among the `distinct` ones; both have each key once.

    Sorted together, equal keys keep their order: the last row of a key of both comes from `distinct`.

    Raises:
        ProgramError: there is such a key.
    """
    both = pa.concat_arrays([found, distinct])
    order = sort_rows(both)
    rows = order[last_rows(both.take(pa.array(order)))]
    foreign = rows[rows < len(found)]
    if len(foreign):
        raise ProgramError(
            f"{member} returned a row with the key {show(key_at(found, int(foreign[0])))}, which no row of its batch "
            "has: return only keys that it got, as they are"
        )
