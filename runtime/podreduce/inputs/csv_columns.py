"""Rows of CSV as columns of strings. Rule: Arrow reads only what `csv.reader` would read as the same rows.

Arrow takes more than `csv.reader` does: a lone CR for the end of a row, and whatever follows a closing quote. So the
places of all CRs and quotes are looked at first, which costs little; a block with others is read row by row.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pa_csv

from podreduce.inputs.blocks import BYTE_ORDER_MARK

__all__ = ["read_at_once", "rows_to_arrow"]

MOST_BYTES: Final = 1 << 30
CARRIAGE_RETURN: Final = 13
LINE_FEED: Final = 10

Bytes = npt.NDArray[np.uint8]


def read_at_once(data: bytes, names: Sequence[str], delimiter: str, quote: str) -> pa.RecordBatch | None:
    """Return UTF-8 lines, one a row, as columns of these names; None: they must be read row by row."""
    if not data or not names or len(data) > MOST_BYTES or data.startswith(BYTE_ORDER_MARK):
        return None
    if not is_plain(delimiter) or not is_plain(quote) or delimiter == quote:
        return None
    if not has_sound_quotes(data, ord(delimiter), ord(quote)):
        return None
    try:
        table = read_table(data, names, delimiter, quote)
    except pa.ArrowException:
        return None
    return one_batch(table)


def is_plain(sign: str) -> bool:
    """Say whether a sign is one byte, and nothing that ends a row."""
    return sign.isascii() and sign not in "\r\n\0"


def has_sound_quotes(data: bytes, delimiter: int, quote: int) -> bool:
    """Say whether each CR stands before an LF, and each quote where it opens a field, closes one or is doubled in one.

    Quotes open and close in turn. Two side by side close a field and open it again, which is how one is written in it.
    No quoted field holds a newline.
    """
    found = np.frombuffer(b"\n%b\n\n" % data, np.uint8)  # so that each place has neighbours
    carriage_returns = np.flatnonzero(found == CARRIAGE_RETURN)
    if not np.array_equal(found[carriage_returns + 1], np.full(len(carriage_returns), LINE_FEED)):
        return False
    quotes = np.flatnonzero(found == quote)
    if not len(quotes):
        return True
    opening, closing = quotes[::2], quotes[1::2]
    return len(opening) == len(closing) and bool(
        np.all(is_one_of(found[opening - 1], delimiter, quote, LINE_FEED))
        and np.all(is_one_of(found[closing + 1], delimiter, quote, LINE_FEED, CARRIAGE_RETURN))
        and are_adjacent(found, opening[1:], closing[:-1], quote)
        and not holds_newlines(found, opening, closing)
    )


def is_one_of(values: Bytes, *wanted: int) -> npt.NDArray[np.bool_]:
    """Say of each value whether it is one of those wanted."""
    return np.isin(values, np.array(wanted, np.uint8))


def are_adjacent(found: Bytes, opening: npt.NDArray[Any], closing: npt.NDArray[Any], quote: int) -> bool:
    """Say whether each opening quote that follows a quote follows the one that closed before it."""
    doubled = found[opening - 1] == quote
    return bool(np.all(opening[doubled] - 1 == closing[doubled]))


def holds_newlines(found: Bytes, opening: npt.NDArray[Any], closing: npt.NDArray[Any]) -> bool:
    """Say whether a newline lies between an opening quote and its closing one."""
    newlines = np.flatnonzero(found == LINE_FEED)
    return not np.array_equal(np.searchsorted(newlines, opening), np.searchsorted(newlines, closing))


def read_table(data: bytes, names: Sequence[str], delimiter: str, quote: str) -> pa.Table:
    """Return what Arrow reads: every field a string, as it stands."""
    return pa_csv.read_csv(
        pa.py_buffer(data),
        read_options=pa_csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=list(names)),
        parse_options=pa_csv.ParseOptions(delimiter=delimiter, quote_char=quote, ignore_empty_lines=True),
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, null_values=[], check_utf8=False
        ),
    )


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """Return a table as one batch."""
    return pa.record_batch([column.combine_chunks() for column in table.columns], schema=table.schema)


def rows_to_arrow(values: Sequence[dict[str, str]], names: Sequence[str]) -> pa.RecordBatch:
    """Return rows that were read one by one as columns of these names."""
    return pa.RecordBatch.from_pylist(values, schema=pa.schema([pa.field(name, pa.string()) for name in names]))
