"""Names of tasks."""

from podreduce.contract.task import TaskRef, TaskType

__all__ = ["map_task", "reduce_task"]


def map_task(index: int = 0) -> TaskRef:
    return TaskRef(type=TaskType.MAP, index=index)


def reduce_task(index: int = 0) -> TaskRef:
    return TaskRef(type=TaskType.REDUCE, index=index)
