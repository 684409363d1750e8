"""Reads the numbers that the conditions of a loop take from a step's output."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping

from podreduce.contract.errors import InputError
from podreduce.contract.texts import render_count
from podreduce.storage import ObjectStore
from podreduce_operator.model.errors import ActionError
from podreduce_operator.runs.output_records import iter_records

__all__ = ["MOST_BYTES", "read_loop_values"]

MOST_BYTES = 1 << 20
"""A condition reads an output of at most this size."""
EXACT = 1 << 53
"""Whole numbers up to here are the same in JSON everywhere."""
SHOWN = 100
KEPT = 2
"""How many values of a key are kept: more than one is an error anyway."""


def read_loop_values(output: ObjectStore, keys: Iterable[str], size: int) -> Mapping[str, tuple[object, ...]]:
    """Return the values under each of these keys, at most two of a key. What is no finite number becomes a text.

    Args:
        output: a published output.
        keys: the texts that are looked for.
        size: the bytes of its parts.

    Raises:
        ActionError: it is too large, or its format is not read back.
    """
    wanted = set(keys)
    if not wanted:
        return {}
    if size > MOST_BYTES:
        message = (
            f"{output.uri} has {render_count(size, 'byte')}, and a condition with `value` reads at most "
            f"{MOST_BYTES:,}: read it from a step with a small output, or use a counter"
        )
        raise ActionError("ConvergenceValueMissing", message, permanent=True)
    found: defaultdict[str, list[object]] = defaultdict(list)
    try:
        for record in iter_records(output):
            if isinstance(record, tuple) and isinstance(record[0], str) and record[0] in wanted:
                found[record[0]].append(as_number(record[1]))
    except (ValueError, InputError) as error:
        message = f"a condition with `value` cannot read {output.uri}: {error}"
        raise ActionError("ConvergenceValueMissing", message, permanent=True) from error
    return {key: tuple(values[:KEPT]) for key, values in found.items()}


def as_number(value: object) -> object:
    """Return a number as it is, also one that is written as text; anything else as a text that shows it."""
    if isinstance(value, str):
        try:
            return as_number(float(value))
        except ValueError:
            return value[:SHOWN]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return repr(value)[:SHOWN]
    if isinstance(value, int):
        return value if abs(value) <= EXACT else float(value)
    return value if math.isfinite(value) else str(value)
