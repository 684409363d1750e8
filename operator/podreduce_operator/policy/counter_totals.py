"""The totals of the counters over a run's committed attempts.

Rule: pure. The group `podreduce` is built in. Its first names come from the fields of the commit records, which each
release has; its other names say in which way tasks ran, and the tasks count them themselves.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from podreduce.contract.task import CommitRecord

__all__ = ["BUILT_IN_GROUP", "group_totals", "is_measure", "total_counters"]

BUILT_IN_GROUP = "podreduce"
MEASURES = ("RecordsIn", "BytesIn", "RecordsOut", "BytesOut", "Spills", "BadRecords")
"""How the names of the measures end, which begin with the type of the tasks."""

LEFT_OUT = "mapRecordsLeftOut"
"""What map tasks with a sample count themselves: the records that are not among their `mapRecordsIn`."""

MOST_INTEGER = (1 << 63) - 1
"""The API server, and many readers of JSON, refuse an integer of more than 64 bits."""

Totals: TypeAlias = Counter[tuple[str, str]]
"""By group and name."""


def total_counters(commits: Iterable[CommitRecord], of_tasks: Mapping[tuple[str, str], int]) -> Totals:
    """Return what tasks count themselves, which is added up already, and the measures of these commits."""
    totals: Totals = Counter(of_tasks)
    for commit in commits:
        for name, value in measure(commit):
            totals[BUILT_IN_GROUP, name] += value
    return totals


def measure(commit: CommitRecord) -> Iterator[tuple[str, int]]:
    """Yield what was read, written and skipped, by name."""
    skipped = () if commit.quarantine is None else (commit.quarantine.records,)
    values = (commit.records_in, commit.bytes_in, commit.records_out, commit.bytes_out, commit.spills, *skipped)
    for ending, value in zip(MEASURES, values, strict=False):
        yield f"{commit.task.type.value}{ending}", value


def is_measure(group: str, name: str) -> bool:
    """Tell whether a counter is one of podreduce's that the status shows."""
    return group == BUILT_IN_GROUP and (name == LEFT_OUT or name.removeprefix("map").removeprefix("reduce") in MEASURES)


def group_totals(totals: Totals, most_names: int) -> dict[str, dict[str, int]]:
    """Return the totals by group: at most so many names, podreduce's own first, then by group and name."""
    grouped: dict[str, dict[str, int]] = {}
    for group, name in sorted(totals, key=lambda key: (key[0] != BUILT_IN_GROUP, key))[:most_names]:
        grouped.setdefault(group, {})[name] = clamp(totals[group, name])
    return grouped


def clamp(value: int) -> int:
    """Return the nearest number that JSON's readers take."""
    return min(max(value, -MOST_INTEGER), MOST_INTEGER)
