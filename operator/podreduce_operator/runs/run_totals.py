"""Adds up a run's commit records for its manifest, each task once, whatever attempts it had. Rule: pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from podreduce.contract.task import CommitRecord, RunTotals, SlotSeconds, TaskType
from podreduce_operator.policy.counter_totals import BUILT_IN_GROUP, group_totals, total_counters

__all__ = ["MOST_COUNTERS", "add_up"]

MOST_COUNTERS: Final = 1000
"""How many of the program's counters a manifest has, as many as a task may have. podreduce's own come in addition."""


def add_up(commits: Iterable[CommitRecord], of_tasks: Mapping[tuple[str, str], int]) -> RunTotals:
    """Return the totals of these commits, one for each task.

    Args:
        commits: the commits that count.
        of_tasks: what their tasks counted, added up already, by group and name.
    """
    commits = list(commits)
    sums = total_counters(commits, of_tasks)
    own = sum(group == BUILT_IN_GROUP for group, _ in sums)
    return RunTotals(
        counters=group_totals(sums, own + MOST_COUNTERS),
        omitted_counters=max(len(sums) - own - MOST_COUNTERS, 0),
        bytes_in=sum(each.bytes_in for each in commits if each.task.type is TaskType.MAP),
        slot_seconds=SlotSeconds(
            map=slot_seconds(commits, TaskType.MAP),
            reduce=slot_seconds(commits, TaskType.REDUCE),
        ),
    )


def slot_seconds(commits: Iterable[CommitRecord], task_type: TaskType) -> float:
    """Return how long the tasks of a type took together, to the millisecond; a clock set back counts as none.

    Tasks whose output is carried over from an earlier run took nothing in this one.
    """
    own = (each for each in commits if each.task.type is task_type and not each.is_carried)
    spans = (max(each.finished_at - each.started_at, 0.0) for each in own)
    return round(sum(spans), 3)
