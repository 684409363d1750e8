"""`podreduce run` of a pipeline: runs it on this machine and reports each step.

Rule: if something fails, it prints why and returns the exit code.
"""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podreduce_operator.cli.pipeline_file import PipelineOverrides, load_pipeline
from podreduce_operator.cli.run import ExitStatus, InvalidFileError, complain, read_memory, say
from podreduce_operator.cli.wording import render_bytes, render_count, render_seconds
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.cluster.local.machine import count_cores
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.pipeline_runs.places import result_uri

if TYPE_CHECKING:
    from podreduce_operator.cli.pipeline_documents import PipelineFile
    from podreduce_operator.cli.pipeline_engine import PipelineOutcome
    from podreduce_operator.cli.workspace import Workspace

__all__ = ["PipelineOptions", "run_pipeline"]

DATA_NAME = "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineOptions:
    """The command line of `podreduce run` of a pipeline.

    `keep`: the directory with the records and the outputs that have no URI; None: they go when the run is complete.
    """

    overrides: PipelineOverrides
    keep: Path | None = None
    parallelism: int | None = None
    memory: str | None = None
    as_json: bool = False
    log_format: str = "auto"
    work_directory: Path | None = None


def run_pipeline(file: "PipelineFile", options: PipelineOptions, fork_server: ForkServer | None) -> ExitStatus:
    """Run the pipeline in a file on this machine."""
    from podreduce_operator.cli.workspace import OutputBusyError  # noqa: PLC0415 - slow to import

    try:
        pipeline = load_pipeline(file, options.overrides)
        memory_bytes = read_memory(options.memory)
    except InvalidFileError as error:
        complain(str(error))
        return ExitStatus.INVALID
    started = time.monotonic()
    try:
        with open_places(pipeline, options) as (workspace, data):
            outcome = asyncio.run(run_in(pipeline, file, options, workspace, data, memory_bytes, fork_server))
            return report(pipeline, file, outcome, workspace, options, time.monotonic() - started)
    except OutputBusyError as error:
        complain(f"{pipeline.key.name}: failed: OutputClaimed: {error}")
        return ExitStatus.FAILED


@contextmanager
def open_places(pipeline: PipelineView, options: PipelineOptions) -> Iterator[tuple["Workspace", Path]]:
    """Hold the run's directory, the directory of its data, and all outputs that have a URI.

    Raises:
        OutputBusyError: another run on this machine is writing to one of them.
    """
    from podreduce_operator.cli.workspace import (  # noqa: PLC0415 - slow to import
        hold_output,
        no_empty_directory,
        open_workspace,
    )

    uris = [result_uri(pipeline.spec, step.name) for step in pipeline.spec.steps]
    kept = None if options.keep is None else options.keep.absolute()
    held = f"file://{kept}/" if kept is not None else f"pipeline://{pipeline.key}/{time.monotonic_ns()}/"
    with ExitStack() as stack:
        workspace = stack.enter_context(open_workspace(held, options.work_directory))
        for uri in uris:
            if uri is not None:
                stack.enter_context(hold_output(uri))
                stack.enter_context(no_empty_directory(uri))
        yield workspace, workspace.path / DATA_NAME if kept is None else kept


async def run_in(
    pipeline: PipelineView,
    file: "PipelineFile",
    options: PipelineOptions,
    workspace: "Workspace",
    data: Path,
    memory_bytes: int | None,
    fork_server: ForkServer | None,
) -> "PipelineOutcome":
    """Run a valid pipeline in its directory, and show its progress."""
    from podreduce_operator.cli.logs import configure_logs  # noqa: PLC0415 - slow to import
    from podreduce_operator.cli.pipeline_engine import run_pipeline_engine  # noqa: PLC0415 - obstore is slow to import
    from podreduce_operator.cli.pipeline_view import StepsWatcher, open_steps_view  # noqa: PLC0415
    from podreduce_operator.cluster.local.local_jobs import Machine  # noqa: PLC0415

    configure_logs(options.log_format)
    in_loops = {step for loop in pipeline.spec.loops for step in loop.steps}
    with closing(open_steps_view(options.log_format)) as view:
        return await run_pipeline_engine(
            pipeline,
            config_maps=file.config_maps,
            workspace=workspace,
            data_uri=f"file://{data}/",
            machine=Machine(
                parallelism=options.parallelism or pipeline.spec.parallelism or count_cores(),
                memory_bytes=memory_bytes,
                fork_server=fork_server,
            ),
            watcher=StepsWatcher(pipeline.key.name, in_loops, view),
        )


def report(
    pipeline: PipelineView,
    file: "PipelineFile",
    outcome: "PipelineOutcome",
    workspace: "Workspace",
    options: PipelineOptions,
    seconds: float,
) -> ExitStatus:
    """Print how the run ended. If it failed, keep the outputs of the complete steps, the logs and the post-mortem."""
    from podreduce_operator.cli.report import find_verdict  # noqa: PLC0415 - see above

    status, name = outcome.status, pipeline.key.name
    if options.as_json:
        say(json.dumps(status, indent=2))
    verdict, reason, message = find_verdict(status)
    if verdict == "Complete" and not outcome.interrupted:
        if not options.as_json:
            say("\n".join(describe_success(pipeline, status, seconds)))
        return ExitStatus.COMPLETE
    if outcome.interrupted:
        complain(f"{name}: interrupted: the running steps were undone; complete steps stay complete")
    else:
        complain(describe_failure(name, reason, message, outcome, workspace, file))
    complain(describe_kept(workspace, options))
    return ExitStatus.INTERRUPTED if outcome.interrupted else ExitStatus.FAILED


def describe_success(pipeline: PipelineView, status: Mapping[str, Any], seconds: float) -> Iterator[str]:
    """Yield the report on a complete run: how many steps ran, and where each result is."""
    steps = status["steps"]
    reused = sum(step["state"] == "Reused" for step in steps)
    unchanged = f", {reused} of them unchanged" if reused else ""
    yield f"{pipeline.key.name}: complete in {render_seconds(seconds)}: {render_count(len(steps), 'step')}{unchanged}"
    for step in steps:
        uri = result_uri(pipeline.spec, step["name"])
        if uri is not None:
            amount = f"{render_count(step['records'], 'record')}, {render_bytes(step['bytes'])}"
            yield f"output of {step['name']}: {uri.removeprefix('file://')} ({amount})"


def describe_failure(
    name: str,
    reason: str,
    message: str,
    outcome: "PipelineOutcome",
    workspace: "Workspace",
    file: "PipelineFile",
) -> str:
    """Return the report on a failed run: that of the failed step's job, if a step failed."""
    from podreduce_operator.cli.report import render_failed  # noqa: PLC0415 - see above

    failure = outcome.failure
    if failure is None:
        return f"{name}: failed: {reason}: {message}"
    logs, dead = workspace.keep(workspace.logs), workspace.keep(workspace.post_mortem)
    workspace.keep(workspace.quarantine)
    return f"{render_failed(f'{name}, step {failure.step}', failure.status, logs, dead)}"


def describe_kept(workspace: "Workspace", options: PipelineOptions) -> str:
    """Return how to go on from the complete steps."""
    if options.keep is not None:
        return f"to go on from the complete steps: run again with --keep {options.keep}"
    kept = workspace.keep(workspace.path / DATA_NAME)
    return "" if kept is None else f"to go on from the complete steps: run again with --keep {shutil.os.path.relpath(kept)}"
