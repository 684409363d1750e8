"""The words about a step, a loop and a running job, for all views. Rule: pure."""

from collections.abc import Mapping
from typing import Any

from podreduce.contract.task import TaskType
from podreduce.contract.texts import render_count
from podreduce_operator.cli.progress import RunProgress, TasksShown
from podreduce_operator.cli.wording import list_written, render_bytes, render_seconds

__all__ = ["describe_loop", "describe_step", "describe_tasks", "measure", "render_state"]


STATES = {"NotReached": "not reached", "LimitReached": "limit reached"}
"""The words for the states that are not just written small."""
FACTS = {"Complete": ("records", "bytes", "seconds"), "Reused": ("run",), "Failed": ("message",)}
"""What a line in columns says of a step, by its state: it has room for the main thing alone."""


def describe_step(step: Mapping[str, Any], *, in_columns: bool) -> str:
    """Return a line about a step, such as `clean: complete, 1,200 records, 3.4 MiB, 2.0 s`.

    In columns: `clean        complete    1,200 records, 3.4 MiB, 2.0 s`, with no more than fits there.
    """
    name, state, facts = step["name"], render_state(step), list_facts(step)
    if not in_columns:
        return f"{name}: {', '.join((state, *facts.values()))}"
    shown = (facts[each] for each in FACTS.get(step["state"], ()) if each in facts)
    return f"{name:<12} {state:<11} {', '.join(shown)}".rstrip()


def list_facts(step: Mapping[str, Any]) -> dict[str, str]:
    """Return what the status says of a step, by its fields."""
    facts: dict[str, str] = {}
    if "records" in step:
        facts |= list_written(step)
    if step["state"] == "Complete" and "seconds" in step:
        facts["seconds"] = render_seconds(step["seconds"])
    if "run" in step:
        facts["run"] = f"unchanged since run {step['run']}"
    if "message" in step:
        facts["message"] = step["message"]
    return facts


def describe_loop(loop: Mapping[str, Any], *, in_columns: bool) -> str:
    """Return a line about a loop, such as `loop rank: running, 12 of 30 iterations, last values 0.0031`.

    In columns: `rank         12/30       0.0031`, and how the loop has ended.
    """
    recent = loop.get("recent") or [{}]
    known = recent[-1].get("values", ())
    name, values = loop["name"], ", ".join(value or "-" for value in known) if any(known) else ""
    done, most = loop["iteration"], loop["maxIterations"]
    if not in_columns:
        text = f"loop {name}: {render_state(loop)}, {done} of {render_count(most, 'iteration')}"
        return f"{text}, last values {values}" if values else text
    return f"{name:<12} {f'{done}/{most}':<11} {values:<12} {render_end(loop, values)}".rstrip()


def render_end(loop: Mapping[str, Any], values: str) -> str:
    """Return how a loop has ended, if it has. Without a condition nothing has converged."""
    if loop["state"] not in {"Converged", "LimitReached"}:
        return ""
    return render_state(loop) if values or loop["state"] == "LimitReached" else "complete"


def render_state(shown: Mapping[str, Any]) -> str:
    """Return the state of a step or of a loop in words."""
    state = str(shown["state"])
    return STATES.get(state, state.lower())


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
