"""Which task a person means: `m-3`, `map-3`, a pod's name, or a number if only one task has it. Rule: pure."""

import re
from collections.abc import Mapping
from typing import Any

from podreduce.contract.task import TaskRef, TaskType
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.run_facts import read_tasks

__all__ = ["NAMED", "parse_task"]

NAMED = re.compile(r"(?:.*-)?(m|r|map|reduce)-(\d{1,10})(?:-\d+)?")


def parse_task(text: str, status: Mapping[str, Any]) -> TaskRef:
    """Return the task of the run in the status that `text` names.

    Raises:
        CommandError: it names none, or several.
    """
    named = NAMED.fullmatch(text)
    if named is not None:
        task_type = TaskType.MAP if named[1].startswith("m") else TaskType.REDUCE
        return check(TaskRef(type=task_type, index=int(named[2])), status)
    if not text.isdecimal():
        raise CommandError(f"{text}: name a task as m-3 (a map) or r-0 (a reduce)", CommandExit.INVALID)
    index = int(text[:10])
    found = [task_type for task_type in TaskType if index < (read_tasks(status, task_type).get("total") or 0)]
    if len(found) > 1:
        raise CommandError(f"{text} is a map and a reduce: say m-{index} or r-{index}", CommandExit.INVALID)
    return check(TaskRef(type=found[0] if found else TaskType.MAP, index=index), status)


def check(task: TaskRef, status: Mapping[str, Any]) -> TaskRef:
    """Return the task, if the run has it or may have it.

    Raises:
        CommandError: it has fewer.
    """
    total = read_tasks(status, task.type).get("total")
    if total is None or task.index < total:
        return task
    first, last = f"{task.type.letter}-0", f"{task.type.letter}-{total - 1}"
    known = f"its {task.type} tasks are {first} to {last}" if total else f"it has no {task.type} tasks"
    known = f"its only {task.type} task is {first}" if total == 1 else known
    raise CommandError(f"there is no task {task}: {known}", CommandExit.INVALID)
