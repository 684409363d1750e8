"""A pipeline as a tree: where it stands, its steps, its loops, and the jobs that run. Rule: pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from podreduce_operator.cli.cluster.kinds import PIPELINE, Reference
from podreduce_operator.cli.cluster.run_facts import (
    find_wait,
    message_of,
    read_duration,
    status_of,
    wanted_run_id,
)
from podreduce_operator.cli.cluster.tree import Branch
from podreduce_operator.cli.pipelines.step_words import describe_loop, describe_step
from podreduce_operator.cli.wording import render_ratio, render_seconds
from podreduce_operator.policy.run_state import is_condition_true

__all__ = ["build_pipeline"]


def build_pipeline(manifest: Mapping[str, Any], running: Mapping[str, Branch], now: float) -> Branch:
    """Return a pipeline as a tree.

    Args:
        manifest: the pipeline.
        running: the trees of the jobs that run for its steps, by their names.
        now: seconds since the epoch.
    """
    status = status_of(manifest)
    parts = [
        *explain(manifest, status),
        *(build_step(step, running) for step in status.get("steps") or ()),
        *(Branch(text=describe_loop(loop, in_columns=False)) for loop in status.get("loops") or ()),
        *describe_path(status),
    ]
    return Branch(text=describe_head(manifest, status, now), below=tuple(parts))


def describe_head(manifest: Mapping[str, Any], status: Mapping[str, Any], now: float) -> str:
    """Return `mrp/web in team-a: Running, run 1, 3/5 steps, for 2 min 10 s`."""
    metadata, seconds = manifest["metadata"], read_duration(status, now)
    place = f"{Reference(kind=PIPELINE, name=metadata['name'])} in {metadata['namespace']}"
    if "phase" not in status:
        return f"{place}: no status yet"
    text = (
        f"{place}: {status['phase']}, run {status.get('runId')}, {render_ratio(status.get('progress', '0/?'), 'step')}"
    )
    if seconds is None:
        return text
    return f"{text}, {'took' if 'completionTime' in status else 'for'} {render_seconds(seconds)}"


def explain(manifest: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[Branch]:
    """Yield why the run waits, is suspended or has failed."""
    wanted = wanted_run_id(manifest)
    if status and status.get("runId") != wanted:
        yield Branch(text=f"run {wanted} is asked for, and has not begun")
    reason, message = find_wait(status)
    if reason:
        yield Branch(text=f"waits: {reason}: {message}")
    for kind in ("Failed", "Suspended", "SpecChanged", "SpecNotUnderstood"):
        if is_condition_true(status, kind):
            reason, message = message_of(status, kind)
            yield Branch(text=f"{kind}: {reason}: {message}" if message else f"{kind}: {reason}")


def build_step(step: Mapping[str, Any], running: Mapping[str, Branch]) -> Branch:
    """Return a step, and below it the tree of its job while that runs."""
    job = running.get(step.get("job", ""))
    return Branch(text=describe_step(step, in_columns=False), below=() if job is None else (job,))


def describe_path(status: Mapping[str, Any]) -> Iterator[Branch]:
    """Yield the longest way that is left."""
    path = status.get("criticalPath")
    if path:
        yield Branch(text=f"longest way left: {' > '.join(path['steps'])}, about {render_seconds(path['seconds'])}")
