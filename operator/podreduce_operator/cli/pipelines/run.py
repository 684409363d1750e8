"""`podreduce run` of a pipeline: runs it on this machine and reports each step.

Rule: if something fails, it prints why and returns the exit code.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from podreduce_operator.cli.pipelines.overrides import PipelineOverrides, load_pipeline
from podreduce_operator.cli.run import ExitStatus, InvalidFileError, complain, read_memory, say
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.cluster.local.machine import count_cores
from podreduce_operator.model.pipelines import PipelineView

if TYPE_CHECKING:
    from podreduce_operator.cli.pipelines.documents import PipelineFile
    from podreduce_operator.cli.pipelines.engine import LocalPipeline, PipelineOutcome
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
            from podreduce_operator.cli.pipelines.engine import LocalPipeline  # noqa: PLC0415 - obstore is slow to import
            from podreduce_operator.cluster.local.local_jobs import Machine  # noqa: PLC0415 - as above

            slots = options.parallelism or pipeline.spec.parallelism or count_cores()
            local = LocalPipeline(
                view=pipeline,
                config_maps=file.config_maps,
                workspace=workspace,
                data_uri=f"file://{data}/",
                machine=Machine(parallelism=slots, memory_bytes=memory_bytes, fork_server=fork_server),
            )
            outcome = asyncio.run(run_in(local, options))
            return report(local, options, outcome, time.monotonic() - started)
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
    from podreduce_operator.pipeline_runs.places import result_uri  # noqa: PLC0415 - as above

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


async def run_in(local: "LocalPipeline", options: PipelineOptions) -> "PipelineOutcome":
    """Run a valid pipeline in its directory, and show its progress."""
    from podreduce_operator.cli.logs import configure_logs  # noqa: PLC0415 - slow to import
    from podreduce_operator.cli.pipelines.engine import run_pipeline_engine  # noqa: PLC0415 - as above
    from podreduce_operator.cli.pipelines.view import StepsWatcher, open_steps_view  # noqa: PLC0415 - as above

    configure_logs(options.log_format)
    in_loops = {step for loop in local.view.spec.loops for step in loop.steps}
    with closing(open_steps_view(options.log_format)) as view:
        return await run_pipeline_engine(local, StepsWatcher(local.view.key.name, in_loops, view))


def report(local: "LocalPipeline", options: PipelineOptions, outcome: "PipelineOutcome", seconds: float) -> ExitStatus:
    """Print how the run ended. If it failed, keep the outputs of the complete steps, the logs and the post-mortem."""
    from podreduce_operator.cli.pipelines.report import render_pipeline_failed, render_pipeline_success  # noqa: PLC0415
    from podreduce_operator.cli.report import find_verdict  # noqa: PLC0415 - see above

    if options.as_json:
        say(json.dumps(outcome.status, indent=2))
    if find_verdict(outcome.status)[0] == "Complete" and not outcome.interrupted:
        if not options.as_json:
            say(render_pipeline_success(local.view, outcome.status, seconds))
        return ExitStatus.COMPLETE
    kept = options.keep or local.workspace.keep(local.workspace.path / DATA_NAME)
    complain(render_pipeline_failed(local, outcome, kept))
    return ExitStatus.INTERRUPTED if outcome.interrupted else ExitStatus.FAILED
