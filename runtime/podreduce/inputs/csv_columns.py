"""Rows of CSV as columns of strings. Rule: Arrow reads only what `csv.reader` would read as the same rows.

Arrow accepts more than `csv.reader` does: a lone CR as the end of a row, and anything after a closing quote. So all CRs
and quotes are checked first, which costs little. A block that has others is read row by row.
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
    """Return UTF-8 lines, one row each, as columns with these names; None if they must be read row by row."""
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
    """Tell whether a sign is one byte, and does not end a row."""
    return sign.isascii() and sign not in "\r\n\0"


def has_sound_quotes(data: bytes, delimiter: int, quote: int) -> bool:
    """Tell whether each CR precedes an LF, and each quote opens a field, closes one or is doubled within one.

    Quotes open and close in turn. Two quotes side by side close a field and reopen it; this writes one quote.
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
        and not holds_newlines(found, quote)
    )


def is_one_of(values: Bytes, *wanted: int) -> npt.NDArray[np.bool_]:
    """Tell for each value whether it is one of those wanted."""
    is_wanted = np.zeros(256, np.bool_)
    is_wanted[list(wanted)] = True
    return np.asarray(is_wanted[values])


def are_adjacent(found: Bytes, opening: npt.NDArray[Any], closing: npt.NDArray[Any], quote: int) -> bool:
    """Tell whether each opening quote that follows a quote follows the closing one before it."""
    doubled = found[opening - 1] == quote
    return bool(np.all(opening[doubled] - 1 == closing[doubled]))


def holds_newlines(found: Bytes, quote: int) -> bool:
    """Tell whether there is a newline between an opening quote and its closing one: an odd number of quotes before."""
    signs = found[np.flatnonzero((found == quote) | (found == LINE_FEED))]
    is_quote = signs == quote
    return bool(np.any(np.cumsum(is_quote)[~is_quote] & 1))


def read_table(data: bytes, names: Sequence[str], delimiter: str, quote: str) -> pa.Table:
    """Return what Arrow reads: every field as a string, unchanged."""
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
    """Return rows that were read one by one as columns with these names."""
    return pa.RecordBatch.from_pylist(values, schema=pa.schema([pa.field(name, pa.string()) for name in names]))
