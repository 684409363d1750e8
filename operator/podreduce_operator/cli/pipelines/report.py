"""The final report on a pipeline's run: which steps ran, where the results are, or why it failed and how to go on."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podreduce.contract.texts import render_count
from podreduce_operator.cli.kept_run import write_setting
from podreduce_operator.cli.program_source import ProgramSource
from podreduce_operator.cli.report import STEP_REMEDIES, Kept, find_verdict, render_failed
from podreduce_operator.cli.wording import render_output, render_seconds
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.pipeline_runs.places import result_uri

if TYPE_CHECKING:
    from podreduce_operator.cli.pipelines.engine import LocalPipeline, PipelineOutcome

__all__ = ["render_pipeline_failed", "render_pipeline_success"]


def render_pipeline_success(pipeline: PipelineView, status: Mapping[str, Any], seconds: float) -> str:
    """Return the report on a complete run: how many steps ran, how the loops ended, and where each result is."""
    return "\n".join(describe_success(pipeline, status, seconds))


def describe_success(pipeline: PipelineView, status: Mapping[str, Any], seconds: float) -> Iterator[str]:
    """Yield the lines of the report on a complete run."""
    steps = status["steps"]
    reused = sum(step["state"] == "Reused" for step in steps)
    unchanged = f", {reused} of them unchanged" if reused else ""
    yield f"{pipeline.key.name}: complete in {render_seconds(seconds)}: {render_count(len(steps), 'step')}{unchanged}"
    conditional = {loop.name for loop in pipeline.spec.loops if loop.until}
    for loop in status.get("loops") or ():
        how = "converged" if loop["state"] == "Converged" else "stopped at maxIterations without convergence"
        how = how if loop["name"] in conditional else "complete"
        yield f"loop {loop['name']}: {how} after {render_count(loop['iteration'], 'iteration')}"
    for step in steps:
        uri = result_uri(pipeline.spec, step["name"])
        if uri is not None:
            yield f"output of {step['name']}: {uri.removeprefix('file://')} ({render_output(step)})"


def render_pipeline_failed(
    local: "LocalPipeline", outcome: "PipelineOutcome", kept: Path | None, source: ProgramSource | None = None
) -> str:
    """Return the report on a failed run: that of the failed step's job, if a step failed; and how to go on.

    `source` is the program of that step as its author knows it.
    """
    lines = [describe_end(local, outcome, source)]
    if kept is not None:
        lines.append(f"complete steps stay complete: to go on from them, run again with --keep {kept}")
    return "\n".join(lines)


def describe_end(local: "LocalPipeline", outcome: "PipelineOutcome", source: ProgramSource | None) -> str:
    """Return why the run has ended without being complete."""
    name, failure, workspace = local.view.key.name, outcome.failure, local.workspace
    if outcome.interrupted:
        return f"{name}: interrupted: the running steps were undone"
    if failure is None:
        _, reason, message = find_verdict(outcome.status)
        remedy = [f"what to do: {STEP_REMEDIES[reason]}"] if reason in STEP_REMEDIES else []
        return "\n".join([f"{name}: failed: {reason}: {message}", *remedy])
    logs, dead = workspace.keep(workspace.logs), workspace.keep(workspace.post_mortem)
    workspace.keep(workspace.quarantine)
    write_setting(workspace.records, {})
    kept = Kept(logs=logs, post_mortem=dead, records=workspace.keep(workspace.records))
    return render_failed(f"{name}, step {failure.step}", failure.status, kept, source, STEP_REMEDIES)
