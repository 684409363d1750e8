"""`podreduce run`: finds out whether a file holds a job or a pipeline, and runs it."""

from podreduce_operator.api.crd import PIPELINES, SCHEDULES
from podreduce_operator.cli.job_file import mentions
from podreduce_operator.cli.overrides import StepOverrides
from podreduce_operator.cli.python_job import is_python
from podreduce_operator.cli.run import ExitStatus, RunOptions, run_job
from podreduce_operator.cli.terminal import complain
from podreduce_operator.cluster.local.fork_server import ForkServer

__all__ = ["run_any"]


def run_any(options: RunOptions, of_steps: StepOverrides, fork_server: ForkServer | None) -> ExitStatus:
    """Run the pipeline in a file on this machine, or else its job."""
    if not is_python(options.file) and may_hold_pipeline(options.file):
        from podreduce_operator.cli.pipelines.run import run_pipeline_file  # noqa: PLC0415 - jobs need none of it

        status = run_pipeline_file(options, of_steps, fork_server)
        if status is not None:
            return status
    problem = describe_misplaced(of_steps) or ("--graph: a job has no steps to draw" if options.graph else "")
    if problem:
        complain(f"{options.file}: {problem}")
        return ExitStatus.INVALID
    return run_job(options, fork_server)


def may_hold_pipeline(path: str) -> bool:
    """Tell whether a file has a pipeline, or a schedule that may make one."""
    return mentions(path, PIPELINES.kind) or (mentions(path, SCHEDULES.kind) and mentions(path, "pipelineTemplate"))


def describe_misplaced(of_steps: StepOverrides) -> str:
    """Return which options need a pipeline; empty if a job can run with them."""
    given = {"--keep": of_steps.keep, "--to": of_steps.to, "--force": of_steps.force}
    found = [name for name, value in given.items() if value]
    if found:
        return f"{', '.join(found)}: only a pipeline has steps, and this is a job"
    return "-o: a job has one output" if len(of_steps.outputs) > 1 else ""
