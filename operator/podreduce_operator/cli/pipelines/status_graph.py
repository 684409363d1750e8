"""The graph of a pipeline whose run has begun or ended, with the state of each step in its status. Rule: pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from podreduce_operator.api.pipeline_parameters import resolve_steps
from podreduce_operator.api.pipeline_spec import PipelineSpec
from podreduce_operator.cli.pipelines.graph import Known, StepGraph, build_graph
from podreduce_operator.cli.pipelines.live_list import STATES
from podreduce_operator.cli.pipelines.step_words import list_facts, render_state

__all__ = ["describe_last", "graph_of_status"]

NOT_STARTED = "not started"
ENDS = ("Converged", "LimitReached")


def graph_of_status(spec: PipelineSpec, status: Mapping[str, Any]) -> StepGraph:
    """Return the graph of a pipeline. A step that the status does not name has not started."""
    steps = {step["name"]: step for step in status.get("steps") or ()}
    loops = {loop["name"]: loop for loop in status.get("loops") or ()}
    states = {name: step["state"] for name, step in steps.items()}
    known = Known(
        marks={name: STATES[state] for name, state in states.items()},
        words={step.name: word_of(steps.get(step.name)) for step in spec.steps},
        notes={name: list(iter_notes(step)) for name, step in steps.items()},
        iterations={name: loop["iteration"] for name, loop in loops.items()},
        ends={name: [render_state(loop)] for name, loop in loops.items() if loop["state"] in ENDS},
        path=[name.partition("/")[0] for name in (status.get("criticalPath") or {}).get("steps", ())],
    )
    return build_graph(resolve_steps(spec), known)


def word_of(step: Mapping[str, Any] | None) -> str:
    """Return the state of a step in words."""
    return NOT_STARTED if step is None or step["state"] == "Waiting" else render_state(step)


def iter_notes(step: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines about a step: its progress; its size and time; the run that made it; why it failed."""
    facts = list_facts(step)
    if "progress" in step:
        yield step["progress"]
    measured = measure(facts)
    if measured:
        yield measured
    yield from (facts[name] for name in ("run", "message") if name in facts)


def describe_last(step: Mapping[str, Any]) -> list[str]:
    """Return what became of a step in the last run, such as `last run: complete, 12 records`, and why it failed."""
    measured = measure(list_facts(step)) if step["state"] == "Complete" else ""
    told = f"last run: {render_state(step)}"
    return [f"{told}, {measured}" if measured else told, *([step["message"]] if step["state"] == "Failed" else [])]


def measure(facts: Mapping[str, str]) -> str:
    """Return what a step has written, without its size, and its time."""
    return ", ".join(facts[name] for name in ("records", "seconds") if name in facts)
