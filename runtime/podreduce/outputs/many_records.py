"""Writes many records at once: some at a time as one block, and one by one where that does not do."""

from collections.abc import Callable, Iterable
from typing import Any

from podreduce.contract.errors import ProgramError
from podreduce.encoding.showing import show_ascii
from podreduce.outputs.line_formats import Pairs

__all__ = ["write_many"]


def write_many(
    pairs: Iterable[tuple[Any, Any]],
    *,
    at_once: int,
    write_block: Callable[[Pairs], bool],
    write: Callable[[Any, Any], None],
) -> None:
    """Write the records.

    Args:
        pairs: keys and values.
        at_once: how many records go to `write_block` at the most.
        write_block: writes them, or tells that they cannot be one block.
        write: writes one record.

    Raises:
        ProgramError: a record cannot be written; the error names it.
    """
    pairs = list(pairs)
    for start in range(0, len(pairs), at_once):
        some = pairs[start : start + at_once]
        if not write_block(some):
            write_singly(some, write)


def write_singly(pairs: Pairs, write: Callable[[Any, Any], None]) -> None:
    """Write the records one by one."""
    for key, value in pairs:
        try:
            write(key, value)
        except ProgramError as error:  # the caller does not know which record it was
            error.record = f"key {show_ascii(key)}"
            raise
