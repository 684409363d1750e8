"""The members of a job class, found by name: what each is called with, and which of them exclude each other.

Rule: pure. The task checks the class that it has loaded, and the operator the program's text; both by these rules.
"""

from collections.abc import Collection
from types import MappingProxyType

__all__ = [
    "ARGUMENTS",
    "COMBINERS",
    "MAPPERS",
    "NEVER_GENERATORS",
    "describe_combiner",
    "describe_conflict",
    "render_def",
]

COMBINERS = ("sum", "min", "max", "count")

ARGUMENTS = MappingProxyType(
    {
        "map_func": ("key", "value"),
        "map_batch": ("batch",),
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
    if combiner is None or combiner in COMBINERS:
        return None
    return f"{name}.combiner is {combiner!r}: it must be one of {', '.join(COMBINERS)}"


def describe_conflict(name: str, has: Collection[str], combiner: str | None) -> str | None:
    """Return why the members that the class `name` has cannot go together; None if they can."""
    rivals = sorted({"reduce_func", "reduce_batch", "combine_func"} & set(has))
    if combiner is not None and rivals:
        return (
            f"{name} has combiner = {combiner!r}, which is its reduce, and {' and '.join(rivals)}: remove one of them"
        )
    for one, other in (("map_func", "map_batch"), ("reduce_func", "reduce_batch")):
        if one in has and other in has:
            return f"{name} has {one} and {other}, which do the same work: remove one of the two"
    if "reduce_batch" in has and "map_batch" not in has:
        return f"{name}.reduce_batch takes the columns of a map_batch: write one, or a reduce_func"
    if "combine_func" in has and "reduce_func" not in has:
        return f"{name}.combine_func needs a reduce_func: write one, or remove combine_func"
    return None


def render_def(member: str) -> str:
    """Return how a member is written: `def map_func(self, key, value)`."""
    return f"def {member}({', '.join(('self', *ARGUMENTS[member]))})"
