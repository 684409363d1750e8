"""`podreduce run` of a pipeline: runs it on this machine and reports each step.

Rule: if something fails, it prints why and returns the exit code.
"""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.cli.job_file import JobFile
from podreduce_operator.cli.overrides import StepOverrides
from podreduce_operator.cli.pipelines.last_run import write_last_run
from podreduce_operator.cli.pipelines.overrides import load_local_pipeline
from podreduce_operator.cli.run import ExitStatus, InvalidFileError, RunOptions, module_environ, read_memory
from podreduce_operator.cli.schedule_file import read_pipeline
from podreduce_operator.cli.terminal import complain, say
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.cluster.local.machine import count_cores
from podreduce_operator.model.pipelines import PipelineView

if TYPE_CHECKING:
    from podreduce_operator.cli.local_runs.history import LocalRun
    from podreduce_operator.cli.pipelines.engine import LocalPipeline, PipelineOutcome
    from podreduce_operator.cli.program_source import ProgramSource
    from podreduce_operator.cli.workspace import Workspace

__all__ = ["run_pipeline_file"]

DATA_NAME = "data"


def run_pipeline_file(
    options: RunOptions, of_steps: StepOverrides, fork_server: ForkServer | None
) -> ExitStatus | None:
    """Run the pipeline in a file on this machine. Return None if the file has none."""
    try:
        file = read_pipeline(options.file, options.at, time.time())
        if file is None:
            return None
        pipeline = load_local_pipeline(file, options.overrides, of_steps)
        memory_bytes = read_memory(options.memory)
    except (ManifestError, InvalidFileError) as error:
        complain(str(error))
        return ExitStatus.INVALID
    run = RunOfPipeline(pipeline=pipeline, file=file, options=options, keep=of_steps.keep)
    return run.run(memory_bytes, fork_server)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOfPipeline:
    """A valid pipeline, and the command line."""

    pipeline: PipelineView
    file: JobFile
    options: RunOptions
    keep: Path | None

    def run(self, memory_bytes: int | None, fork_server: ForkServer | None) -> ExitStatus:
        """Run the pipeline, and report how it ended."""
        from podreduce_operator.cli.local_runs.history import PIPELINE_RUN  # noqa: PLC0415 - slow to import
        from podreduce_operator.cli.local_runs.remembering import remember_begin  # noqa: PLC0415 - as above
        from podreduce_operator.cli.pipelines.engine import LocalPipeline  # noqa: PLC0415 - obstore is slow to import
        from podreduce_operator.cli.workspace import OutputBusyError  # noqa: PLC0415 - as above
        from podreduce_operator.cluster.local.local_jobs import Machine  # noqa: PLC0415 - as above

        started, pipeline = time.monotonic(), self.pipeline
        slots = self.options.overrides.parallelism or pipeline.spec.parallelism or count_cores()
        try:
            with self.open_places() as (workspace, data):
                remembered = remember_begin(
                    pipeline.key.name, self.file.source, workspace, PIPELINE_RUN, self.options.command
                )
                local = LocalPipeline(
                    view=pipeline,
                    config_maps=self.file.config_maps,
                    workspace=workspace,
                    data_uri=f"file://{data}/",
                    machine=Machine(
                        parallelism=slots,
                        memory_bytes=memory_bytes,
                        fork_server=fork_server,
                        environ=module_environ(self.file),
                    ),
                )
                outcome = self.name_places(asyncio.run(self.run_in(local)))
                ended = self.report(local, outcome, time.monotonic() - started)
                self.remember(remembered, local, outcome)
                return ended
        except OutputBusyError as error:
            complain(f"{pipeline.key.name}: failed: OutputClaimed: {error}")
            return ExitStatus.FAILED

    def find_source(self, outcome: "PipelineOutcome") -> "ProgramSource | None":
        """Return the program of the step that failed, as its author knows it, if there is one in the file."""
        from podreduce_operator.cli.pipelines.pipeline_file import find_step_source  # noqa: PLC0415 - slow to import

        failure = outcome.failure
        return None if failure is None else find_step_source(self.file, self.pipeline.spec, failure.step)

    def name_places(self, outcome: "PipelineOutcome") -> "PipelineOutcome":
        """Return how the run ended, with the file and its lines in the tracebacks of the step that failed."""
        from podreduce_operator.cli.local_runs.remembering import as_written  # noqa: PLC0415 - slow to import

        failure = outcome.failure
        if failure is None:
            return outcome
        status = as_written(failure.status, failure.job.key.name, self.find_source(outcome))
        return replace(outcome, failure=replace(failure, status=status))

    def remember(self, run: "LocalRun", local: "LocalPipeline", outcome: "PipelineOutcome") -> None:
        """Add to the history how the run ended, and where its steps have written."""
        from podreduce_operator.cli.local_runs.remembering import remember_pipeline_end  # noqa: PLC0415 - slow to import
        from podreduce_operator.pipeline_runs.places import result_uri  # noqa: PLC0415 - as above
        from podreduce_operator.policy.pipeline_status import DONE  # noqa: PLC0415 - as above

        done = [step["name"] for step in outcome.status.get("steps", ()) if step["state"] in DONE]
        outputs = {name: uri for name in done if (uri := result_uri(self.pipeline.spec, name)) is not None}
        failure = outcome.failure
        failed = [] if failure is None else [each["task"] for each in failure.status.get("failures", ())[:1]]
        remember_pipeline_end(
            run,
            outcome.status,
            local.workspace,
            interrupted=outcome.interrupted,
            outputs=outputs,
            failed_task=f"{failure.step}/{failed[0]}" if failure is not None and failed else "",
            failed_status={} if failure is None else failure.status,
        )

    @contextmanager
    def open_places(self) -> Iterator[tuple["Workspace", Path]]:
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

        spec, key = self.pipeline.spec, self.pipeline.key
        uris = [result_uri(spec, step.name) for step in spec.steps]
        kept = None if self.keep is None else self.keep.absolute()
        held = f"pipeline://{key}/{time.monotonic_ns()}/" if kept is None else f"file://{kept}/"
        with ExitStack() as stack:
            workspace = stack.enter_context(open_workspace(held, self.options.work_directory))
            for uri in uris:
                if uri is not None:
                    stack.enter_context(hold_output(uri))
                    stack.enter_context(no_empty_directory(uri))
            yield workspace, workspace.path / DATA_NAME if kept is None else kept

    async def run_in(self, local: "LocalPipeline") -> "PipelineOutcome":
        """Run the pipeline in its directory, and show its progress."""
        from podreduce_operator.cli.logging_setup import configure_logs  # noqa: PLC0415 - slow to import
        from podreduce_operator.cli.pipelines.engine import run_pipeline_engine  # noqa: PLC0415 - as above
        from podreduce_operator.cli.pipelines.graph import Known, build_graph  # noqa: PLC0415 - as above
        from podreduce_operator.cli.pipelines.view import StepsWatcher, open_steps_view  # noqa: PLC0415 - as above

        configure_logs(self.options.log_format)
        in_loops = {step for loop in self.pipeline.spec.loops for step in loop.steps}
        graph = build_graph(self.pipeline.spec, Known())
        with closing(open_steps_view(self.options.log_format, graph)) as view:
            return await run_pipeline_engine(local, StepsWatcher(self.pipeline.key.name, in_loops, view))

    def report(self, local: "LocalPipeline", outcome: "PipelineOutcome", seconds: float) -> ExitStatus:
        """Print how the run ended. After a failure the complete steps, the logs and the post-mortem are kept."""
        from podreduce_operator.cli.pipelines import report  # noqa: PLC0415 - see above
        from podreduce_operator.cli.report import find_verdict  # noqa: PLC0415 - see above

        if self.options.as_json:
            say(json.dumps(outcome.status, indent=2))
        self.draw(outcome)
        is_complete = find_verdict(outcome.status)[0] == "Complete" and not outcome.interrupted
        kept = self.keep or (None if is_complete else local.workspace.keep(local.workspace.path / DATA_NAME))
        if kept is not None:
            write_last_run(kept, outcome.status)
        if is_complete:
            if not self.options.as_json:
                say(report.render_pipeline_success(local.view, outcome.status, seconds))
            return ExitStatus.COMPLETE
        complain(report.render_pipeline_failed(local, outcome, kept, self.find_source(outcome)))
        return ExitStatus.INTERRUPTED if outcome.interrupted else ExitStatus.FAILED

    def draw(self, outcome: "PipelineOutcome") -> None:
        """Draw the steps as the run has left them, if the command line asks for it."""
        from podreduce_operator.cli.pipelines.graph_file import write_graph  # noqa: PLC0415 - seldom needed
        from podreduce_operator.cli.pipelines.status_graph import graph_of_status  # noqa: PLC0415 - as above

        if self.options.graph is None:
            return
        graph = graph_of_status(self.pipeline.spec, outcome.status)
        problem = write_graph(self.options.graph, graph, self.pipeline.key.name)
        if problem:
            complain(problem)
