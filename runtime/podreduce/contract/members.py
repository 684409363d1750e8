"""The members of a job class, found by name: what each is called with, and which of them exclude each other.

Rule: pure. The task checks the class that it has loaded, and the operator the program's text; both by these rules.
"""

import re
from collections.abc import Collection
from types import MappingProxyType
from typing import NamedTuple

__all__ = [
    "ARGUMENTS",
    "COMBINERS",
    "MAPPERS",
    "MOST_KEPT",
    "MOST_KEY_COLUMNS",
    "NEVER_GENERATORS",
    "Ranking",
    "describe_combiner",
    "describe_conflict",
    "describe_key_columns",
    "parse_ranking",
    "render_def",
]

COMBINERS = ("sum", "min", "max", "count")
"""The combiners that make one aggregate of a key's values."""
RANKING = re.compile(r"(largest|smallest):([1-9][0-9]{0,4})", re.ASCII)
MOST_KEPT = 10_000
"""How many values of a key `largest:N` and `smallest:N` may keep."""


MOST_KEY_COLUMNS = 100
"""How many columns a key may have."""


class Ranking(NamedTuple):
    """A combiner that keeps some values of each key: the `largest` or the smallest, at most so many."""

    largest: bool
    most: int


ARGUMENTS = MappingProxyType(
    {
        "map_func": ("key", "value"),
        "map_batch": ("batch",),
        "combine_batch": ("batch",),
        "reduce_batch": ("batch",),
        "reduce_func": ("key", "values"),
        "combine_func": ("key", "values"),
        "partition_func": ("key", "partitions"),
        "setup": ("context",),
        "teardown": (),
    }
)
"""What each member is called with, besides `self`."""

MAPPERS = ("map_func", "map_batch")
"""A class with one of these is a job class."""

NEVER_GENERATORS = frozenset({"partition_func", "setup", "teardown"})
"""Nobody reads what these yield: a `yield` in them would even keep their own lines from being run."""


def describe_combiner(name: str, combiner: object) -> str | None:
    """Return what is wrong with the value of `combiner` in the class `name`; None if nothing is."""
    if combiner is None or combiner in COMBINERS or parse_ranking(combiner) is not None:
        return None
    return (
        f"{name}.combiner is {combiner!r}: it must be one of {', '.join(COMBINERS)}, largest:N and smallest:N, with N "
        f"from 1 to {MOST_KEPT}"
    )


def describe_key_columns(name: str, has: Collection[str], columns: object) -> str | None:
    """Return what is wrong with the value of `key_columns` in the class `name`; None if nothing is."""
    if columns is None:
        return None
    names = list(columns) if isinstance(columns, list | tuple) else []
    if not (
        2 <= len(names) <= MOST_KEY_COLUMNS  # noqa: PLR2004 - a single one is named key
        and all(isinstance(each, str) and each for each in names)
        and len(set(names)) == len(names)
    ):
        return (
            f"{name}.key_columns is {columns!r:.200}: it must be a tuple of 2 to {MOST_KEY_COLUMNS} names of columns, "
            "each once; a single key column is named key"
        )
    if "reduce_batch" not in has:
        return f"{name}.key_columns are the keys of a reduce_batch: write one, or yield tuples as keys"
    return None


def parse_ranking(combiner: object) -> Ranking | None:
    """Return what `largest:N` or `smallest:N` means; None for another combiner, or none."""
    found = RANKING.fullmatch(combiner) if isinstance(combiner, str) else None
    if found is None or int(found[2]) > MOST_KEPT:
        return None
    return Ranking(largest=found[1] == "largest", most=int(found[2]))


def describe_conflict(name: str, has: Collection[str], combiner: str | None) -> str | None:
    """Return why the members that the class `name` has cannot go together; None if they can."""
    ranks = parse_ranking(combiner) is not None
    rivals = sorted({"reduce_batch", "combine_func", "combine_batch", *(() if ranks else ("reduce_func",))} & set(has))
    if combiner is not None and rivals:
        why = "which keeps values for a reduce_func or the output" if ranks else "which is its reduce"
        return f"{name} has combiner = {combiner!r}, {why}, and {' and '.join(rivals)}: remove one of them"
    for one, other in (("map_func", "map_batch"), ("reduce_func", "reduce_batch")):
        if one in has and other in has:
            return f"{name} has {one} and {other}, which do the same work: remove one of the two"
    if "reduce_batch" in has and "map_batch" not in has:
        return f"{name}.reduce_batch takes the columns of a map_batch: write one, or a reduce_func"
    for combines, reduces in (("combine_func", "reduce_func"), ("combine_batch", "reduce_batch")):
        if combines in has and reduces not in has:
            return f"{name}.{combines} needs a {reduces}: write one, or remove {combines}"
    return None


def render_def(member: str) -> str:
    """Return how a member is written: `def map_func(self, key, value)`."""
    return f"def {member}({', '.join(('self', *ARGUMENTS[member]))})"
