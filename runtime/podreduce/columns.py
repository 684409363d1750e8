"""Columns of a batch: the key column's type, order and buckets. Rule: pure.

Keys are ordered as in the row tiers (see keys): null first, numbers by value, str and bytes by their bytes. So a key
column is brought to one of a few types, each sorted as a whole, and only single keys are ever encoded.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from podreduce.contract.texts import cut_middle
from podreduce.errors import ProgramError
from podreduce.keys import encode_key

__all__ = ["bisect_keys", "bucket_rows", "canonical_table", "encoded_key", "sort_rows", "unify_tables"]

KEY: Final = "key"
PREFIX_BYTES: Final = 8
SHOWN_BYTES: Final = 250


def canonical_table(table: pa.Table, member: str) -> pa.Table:
    """Return what the program made with its key column first and of a type that can be shuffled.

    Raises:
        ProgramError: there is no such column, or its keys cannot be compared.
    """
    if KEY not in table.column_names:
        raise ProgramError(f"{member} returned the columns {', '.join(table.column_names)}: one must be named key")
    keys = canonical_keys(table.column(KEY).combine_chunks(), member)
    others = {name: decode_dictionary(table.column(name)) for name in table.column_names if name != KEY}
    return pa.table({KEY: keys, **others})


def canonical_keys(keys: pa.Array, member: str) -> pa.Array:
    """Return keys in the one type that stands for all like it."""
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
                    f"{member} returned keys of type {kind} that are no {target} ({error}): cast them"
                ) from None
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return keys
    if pa.types.is_fixed_size_binary(kind):
        return keys
    raise ProgramError(
        f"{member} returned keys of type {kind}: cast them to strings, binary, integers, floats or booleans"
    )


def decode_dictionary(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without its dictionary, which another batch need not share, views or runs."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return decode_dictionary(column.cast(kind.value_type))
    if pa.types.is_run_end_encoded(kind):
        return decode_dictionary(pc.run_end_decode(column))
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return column.cast(pa.string() if pa.types.is_string_view(kind) else pa.binary())
    return column


def unify_tables(tables: list[pa.Table], member: str) -> pa.Table:
    """Return the tables as one, their columns brought to common types.

    Raises:
        ProgramError: two of them do not go together; the message names both.
    """
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        schemas = list(dict.fromkeys("; ".join(map(str, table.schema)) for table in tables))
        shown = " and ".join(cut_middle(schema, SHOWN_BYTES) for schema in schemas[:2])
        raise ProgramError(
            f"{member} returned batches that do not go together ({error}): {shown}: cast them to one schema"
        ) from error


def sort_rows(keys: pa.Array) -> NDArray[np.int64]:
    """Return the rows in the order of their keys, rows of one key as they were."""
    if pa.types.is_fixed_size_binary(keys.type) and keys.null_count == 0 and keys.type.byte_width:
        return sort_fixed_width(as_rows(keys))
    order = pc.array_sort_indices(keys, order="ascending", null_placement="at_start")
    rows: NDArray[np.int64] = order.to_numpy(zero_copy_only=False).astype(np.int64)
    return rows


def as_rows(keys: pa.Array) -> NDArray[np.uint8]:
    """Return a column of fixed width as a matrix of bytes, one key a row."""
    width = keys.type.byte_width
    data = np.frombuffer(keys.buffers()[1], np.uint8)
    return data[keys.offset * width : (keys.offset + len(keys)) * width].reshape(-1, width)


def sort_fixed_width(rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Sort by the first eight bytes as one number, then put right the few stretches where these are equal."""
    padded = np.zeros((len(rows), PREFIX_BYTES), np.uint8)
    padded[:, : rows.shape[1]] = rows[:, :PREFIX_BYTES]
    prefixes = padded.view(">u8").ravel().astype(np.uint64)
    order = np.argsort(prefixes, kind="stable")
    if rows.shape[1] <= PREFIX_BYTES:
        return order
    found = prefixes[order]
    equal = np.flatnonzero(found[1:] == found[:-1])
    if len(equal) > len(rows) // 4:
        return np.lexsort(list(rows.T[::-1]))
    for start, end in stretches(equal):
        part = order[start:end]
        rest = rows[part, PREFIX_BYTES:]
        order[start:end] = part[np.lexsort(list(rest.T[::-1]))]
    return order


def stretches(equal: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return the stretches of rows in which each equals the next, of the rows that do."""
    if not len(equal):
        return []
    breaks = np.flatnonzero(np.diff(equal) > 1)
    starts = equal[np.concatenate(([0], breaks + 1))]
    ends = equal[np.concatenate((breaks, [len(equal) - 1]))] + 2
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def bucket_rows(keys: pa.Array, bucket_of: Callable[[bytes], int]) -> NDArray[np.uint16]:
    """Return each row's virtual bucket; each distinct key is encoded and hashed once."""
    encoded = keys.dictionary_encode(null_encoding="encode")
    buckets = np.array([bucket_of(encode_key(key)) for key in encoded.dictionary.to_pylist()], np.uint16)
    return buckets[encoded.indices.to_numpy(zero_copy_only=False)] if len(buckets) else np.zeros(0, np.uint16)


def encoded_key(keys: Any, row: int) -> bytes:  # noqa: ANN401 - an array or chunked array
    """Return the encoded key of a row."""
    return encode_key(keys[row].as_py())


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
