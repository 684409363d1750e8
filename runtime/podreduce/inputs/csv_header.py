"""The header of a CSV object: the names of its columns, each used once. Rule: pure.

An invalid header is a fault of the object, not of a record. So it fails the attempt even if bad records are skipped.
"""

import csv
from collections import Counter

from podreduce.contract.errors import InputError
from podreduce.inputs.csv_rows import CsvShape
from podreduce.inputs.first_bytes import advise_not_text

__all__ = ["bad_header", "blank_header", "named_columns", "parse_header"]

LISTS = "input.csv.header: false, which gives rows as lists"


def parse_header(line: bytes, uri: str, shape: CsvShape, errors: str) -> tuple[str, ...]:
    """Return the names in an object's first line; a blank line has none.

    Raises:
        InputError: it is not a row, is not UTF-8 although `errors` is `strict`, or names a column twice.
    """
    try:
        text = line.decode("utf-8", errors).rstrip("\r\n")
        return named_columns(next(shape.rows([text]), []), uri)
    except UnicodeDecodeError as error:
        raise bad_header(uri, f"byte {error.start} is not UTF-8; {advise_not_text(line[:4])}") from error
    except csv.Error as error:
        raise bad_header(uri, error) from error


def named_columns(row: list[str], uri: str) -> tuple[str, ...]:
    """Return a header's names.

    Raises:
        InputError: two columns have one name, so that a row's dict would lose one of its fields.
    """
    twice = [repr(name) for name, times in Counter(row).items() if times > 1]
    if twice:
        raise InputError(
            f"{uri}: the header names more than one column {' and '.join(twice)}; rename all but one in the object, or "
            f"set {LISTS}"
        )
    return tuple(row)


def bad_header(uri: str, error: object) -> InputError:
    """Return the error for a header that cannot be read."""
    return InputError(
        f"{uri}: the header cannot be read ({error}); correct the object, or input.csv (delimiter, "
        "quote; multiline: true if names hold newlines; header: false if there is none)"
    )


def blank_header(uri: str) -> InputError:
    """Return the error for an object that has rows, but a blank first line instead of a header."""
    return InputError(
        f"{uri}: the header is missing: the first line is blank, and rows follow; put the columns' names there, or set "
        f"{LISTS}"
    )
