"""The words about a step, a loop and a running job, for all views. Rule: pure."""

from collections.abc import Mapping
from typing import Any

from podreduce.contract.task import TaskType
from podreduce_operator.cli.progress import RunProgress, TasksShown
from podreduce_operator.cli.wording import render_bytes, render_count, render_seconds

__all__ = ["describe_loop", "describe_step", "describe_tasks", "measure"]


def describe_step(step: Mapping[str, Any]) -> str:
    """Return a line about a step, such as `clean      complete  1,200 records, 3.4 MB, 2 s`."""
    state, amount = step["state"], ""
    if state == "Reused":
        amount = f"unchanged since run {step.get('run')}"
    elif state == "Complete" and "records" in step:
        records, size = render_count(step["records"], "record"), render_bytes(step["bytes"])
        amount = f"{records}, {size}, {render_seconds(step['seconds'])}"
    elif state == "Failed":
        amount = step.get("message", "")
    words = {"NotReached": "not reached"}.get(state, state.lower())
    return f"{step['name']:<12} {words:<11} {amount}".rstrip()


def describe_loop(loop: Mapping[str, Any]) -> str:
    """Return a line about a loop, such as `rank         12/30       0.0031`."""
    recent = loop.get("recent") or [{}]
    values = ", ".join(recent[-1].get("values", ()))
    end = {"Converged": "converged" if values else "complete", "LimitReached": "limit reached"}.get(loop["state"], "")
    progress = f"{loop['iteration']}/{loop['maxIterations']}"
    return f"{loop['name']:<12} {progress:<11} {values:<12} {end}".rstrip()


def measure(progress: RunProgress, now: float) -> tuple[int, int | None]:
    """Return how many tasks of a job are done, and how many there are; None while that is not known."""
    shown = [progress.show(task_type, now) for task_type in TaskType]
    total = shown[0].total
    return sum(each.done for each in shown), None if total is None else sum(each.total or 0 for each in shown)


def describe_tasks(progress: RunProgress, now: float) -> str:
    """Return the tasks of a job, such as `maps 3/8, 1.2 MB`."""
    maps, reduces = (progress.show(task_type, now) for task_type in TaskType)
    if reduces.active or reduces.done:
        return f"reduces {count(reduces)}"
    return "" if maps.total is None else f"maps {count(maps)}, {render_bytes(maps.bytes)}"


def count(shown: TasksShown) -> str:
    """Return text such as `3/8`."""
    return f"{shown.done}/{'?' if shown.total is None else shown.total}"
