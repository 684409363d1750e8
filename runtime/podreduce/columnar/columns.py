"""Columns of a batch: the key column's type and buckets. Rule: pure.

The order of keys is that of the row tiers (see keys): null first, numbers by value, str and bytes by their bytes. So a
key column is cast to one of a few types, each sorted as a whole, and only single keys are ever encoded.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from podreduce.columnar.key_columns import (
    KEY,
    bucket_tuples,
    flat_schema,
    flat_table,
    key_names,
    nested_table,
    one_array,
    prefix_of,
)
from podreduce.columnar.key_crcs import bucket_columns
from podreduce.contract.errors import ProgramError
from podreduce.contract.texts import cut_middle
from podreduce.encoding.key_hash import HashBuckets, PrefixBuckets
from podreduce.encoding.keys import encode_key

__all__ = [
    "MAX_TABLE_BYTES",
    "TABLE_BYTES",
    "bisect_keys",
    "bucket_rows",
    "canonical_table",
    "compact_table",
    "cut_rows",
    "encoded_key",
    "key_at",
    "one_array",
    "unify_schemas",
    "unify_tables",
]

MAX_TABLE_BYTES: Final = 3 << 29
"""How much is concatenated or sorted at once: a column of strings in one piece holds 2 GiB at most."""
TABLE_BYTES: Final = 1024
"""What a table takes besides its data: each of its buffers is some bytes larger."""
VIEWS: Final = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
"""Types that Arrow cannot sort → the types that replace them."""
SHOWN_BYTES: Final = 250


def canonical_table(table: pa.Table, member: str, key_columns: Sequence[str] = ()) -> pa.Table:
    """Return the program's table with its key column first and of a type that can be shuffled.

    Several `key_columns` become one, see `key_columns`.

    Raises:
        ProgramError: a key column is missing, or its keys cannot be compared.
    """
    names = key_columns or (KEY,)
    missing = next((name for name in names if name not in table.column_names), None)
    if missing is not None:
        remedy = f"name one of them {missing}" if not key_columns else f"{missing}, which key_columns names, is missing"
        raise ProgramError(f"{member} returned the columns {', '.join(table.column_names)}: {remedy}")
    keys = {name: canonical_column(table.column(name), member) for name in names}
    others = {name: plain_column(name, table.column(name), member) for name in table.column_names if name not in names}
    return nested_table(pa.table({**keys, **others}), key_columns)


def canonical_column(column: pa.ChunkedArray, member: str) -> pa.ChunkedArray:
    """Return the key column in the type that represents all types like its own."""
    pieces = [piece for chunk in column.chunks for piece in cut_rows(chunk, MAX_TABLE_BYTES)]
    return pa.chunked_array([canonical_keys(piece, member) for piece in pieces or [pa.nulls(0, column.type)]])


def canonical_keys(keys: pa.Array, member: str) -> pa.Array:
    """Return keys in the type that represents all types like their own."""
    kind = keys.type
    if pa.types.is_dictionary(kind):
        return canonical_keys(keys.dictionary_decode(), member)
    if pa.types.is_run_end_encoded(kind):
        return canonical_keys(pc.run_end_decode(keys), member)
    if pa.types.is_floating(kind):
        if pc.any(pc.is_nan(keys)).as_py():
            raise ProgramError(f"{member} returned NaN among its keys: it equals nothing, itself included; return null")
        return pc.add(keys.cast(pa.float64()), 0.0)  # -0.0 is 0.0
    for is_kind, target in (
        (pa.types.is_large_string, pa.string()),
        (pa.types.is_string_view, pa.string()),
        (pa.types.is_large_binary, pa.binary()),
        (pa.types.is_binary_view, pa.binary()),
        (pa.types.is_integer, pa.int64()),
    ):
        if is_kind(kind):
            try:
                return keys.cast(target)
            except pa.ArrowInvalid as error:
                raise ProgramError(
                    f"{member} returned keys of type {kind} that do not fit {target} ({error}): cast them"
                ) from None
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return keys
    if pa.types.is_fixed_size_binary(kind):
        return keys
    raise ProgramError(
        f"{member} returned keys of type {kind}: cast them to strings, binary, integers, floats or booleans"
    )


def plain_column(name: str, column: pa.ChunkedArray, member: str) -> pa.ChunkedArray:
    """Return a column in a type that can be sorted, without dictionary or runs, which differ between batches."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return plain_column(name, column.cast(kind.value_type), member)
    if pa.types.is_run_end_encoded(kind):
        return plain_column(name, pc.run_end_decode(column), member)
    if kind in VIEWS:
        return column.cast(VIEWS[kind])
    if not can_be_taken(kind):
        raise ProgramError(
            f"{member} returned the column {name} of type {kind}, whose rows Arrow cannot sort: cast it, for example "
            "to pa.string() or to a list of strings"
        )
    return column


@lru_cache(maxsize=256)
def can_be_taken(kind: pa.DataType) -> bool:
    """Tell whether Arrow can take rows of a column of this type."""
    try:
        pa.nulls(1, kind).take(pa.array([0]))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return False
    return True


def cut_rows(rows: Any, most_bytes: int) -> Iterator[Any]:  # noqa: ANN401 - a table or an array
    """Yield the rows in order, in pieces of at most `most_bytes`, or of a single row."""
    if rows.nbytes <= most_bytes or len(rows) <= 1:
        yield rows
        return
    middle = len(rows) // 2
    yield from cut_rows(rows.slice(0, middle), most_bytes)
    yield from cut_rows(rows.slice(middle), most_bytes)


@cache
def pool_of_copies() -> pa.MemoryPool:
    """Return the memory pool for small copies that live long.

    Forked tasks have their large columns in malloc's heap. A small copy there would take a corner of each free block
    that a large column has left, and the next column would find no block that is large enough.
    """
    return pa.mimalloc_memory_pool() if "mimalloc" in pa.supported_memory_backends() else pa.default_memory_pool()


def compact_table(table: pa.Table) -> tuple[pa.Table, int]:
    """Return the table and the bytes of memory that it keeps; copied if it is a small part of what it keeps."""
    kept_bytes = table.get_total_buffer_size()
    if kept_bytes > 2 * table.nbytes and all(map(can_be_taken, table.schema.types)):
        table = pc.take(table, pa.array(np.arange(table.num_rows)), memory_pool=pool_of_copies())
        kept_bytes = table.get_total_buffer_size()
    return table, kept_bytes + TABLE_BYTES


def unify_tables(tables: list[pa.Table], member: str) -> pa.Table:
    """Return the tables as one, their columns cast to common types.

    Raises:
        ProgramError: two of them have no common type; the message names both.
    """
    if len(tables) == 1:
        return tables[0]
    if len({table.schema for table in tables}) == 1:
        return pa.concat_tables(tables)
    try:
        flat = pa.concat_tables(map(flat_table, tables), promote_options="permissive")
        return nested_table(flat, key_names(tables[0].schema))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise columns_mismatch(member, [table.schema for table in tables], error) from error


def unify_schemas(schemas: list[pa.Schema], member: str) -> pa.Schema:
    """Return the common schema of tables with these schemas. Raises ProgramError as `unify_tables` does."""
    names = key_names(schemas[0])
    try:
        schema = pa.unify_schemas(list(map(flat_schema, schemas)), promote_options="permissive")
        return nested_table(pa.Table.from_batches([], schema), names).schema
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise columns_mismatch(member, schemas, error) from error


def columns_mismatch(member: str, schemas: list[pa.Schema], error: Exception) -> ProgramError:
    """Return the error for tables of two schemas."""
    distinct = list(dict.fromkeys("; ".join(map(str, schema)) for schema in schemas))
    shown = " and ".join(cut_middle(schema, SHOWN_BYTES) for schema in distinct[:2])
    return ProgramError(
        f"{member} returned batches whose columns do not match ({error}): {shown}: cast them to one schema"
    )


def bucket_rows(keys: pa.Array, bucket_of: Callable[[bytes], int], elements: int | None = None) -> NDArray[np.uint16]:
    """Return each row's virtual bucket; each distinct key is encoded and hashed once.

    `elements`: how many columns of a key choose its bucket; None: all.
    """
    if isinstance(bucket_of, HashBuckets | PrefixBuckets) and (found := bucket_columns(keys, bucket_of)) is not None:
        return found
    if pa.types.is_struct(keys.type):
        return bucket_tuples(prefix_of(keys, elements), bucket_of)
    encoded = keys.dictionary_encode(null_encoding="encode")
    buckets = np.array([bucket_of(encode_key(key)) for key in encoded.dictionary.to_pylist()], np.uint16)
    return buckets[encoded.indices.to_numpy(zero_copy_only=False)] if len(buckets) else np.zeros(0, np.uint16)


def encoded_key(keys: Any, row: int) -> bytes:  # noqa: ANN401 - an array or chunked array
    """Return the encoded key of a row; of several key columns the tuple."""
    return encode_key(key_at(keys, row))


def key_at(keys: Any, row: int) -> Any:  # noqa: ANN401 - likewise → a key of any type
    """Return the key of a row; of several key columns the tuple."""
    key = keys[row].as_py()
    return tuple(key.values()) if type(key) is dict else key


def bisect_keys(keys: Any, key: bytes, start: int = 0) -> int:  # noqa: ANN401 - likewise
    """Return the first row from `start` on whose encoded key is not less than `key`; the keys are sorted."""
    low, high = start, len(keys)
    while low < high:
        middle = (low + high) // 2
        if encoded_key(keys, middle) < key:
            low = middle + 1
        else:
            high = middle
    return low
