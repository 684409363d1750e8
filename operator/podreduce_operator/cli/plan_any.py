"""`podreduce plan`: finds out whether a file holds a job or a pipeline, and says what a run of it would do."""

import time
from dataclasses import dataclass
from pathlib import Path

from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.cli.overrides import Overrides, StepOverrides
from podreduce_operator.cli.pipelines.plan import plan_pipeline
from podreduce_operator.cli.plan_job import plan_job_file
from podreduce_operator.cli.python_job import is_python
from podreduce_operator.cli.run import ExitStatus
from podreduce_operator.cli.run_any import describe_misplaced, may_hold_pipeline
from podreduce_operator.cli.schedule_file import read_pipeline
from podreduce_operator.cli.terminal import complain

__all__ = ["PlanOptions", "plan_any"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """The command line of `podreduce plan`. `graph`: the file for the picture of a pipeline."""

    file: str
    overrides: Overrides
    of_steps: StepOverrides
    at: str | None = None
    graph: Path | None = None


def plan_any(options: PlanOptions) -> ExitStatus:
    """Print what a run of the pipeline in a file, or else of its job, would do now."""
    path, of_steps = options.file, options.of_steps
    may_be_pipeline = not is_python(path) and may_hold_pipeline(path)
    try:
        pipeline = read_pipeline(path, options.at, time.time()) if may_be_pipeline else None
    except ManifestError as error:
        complain(str(error))
        return ExitStatus.INVALID
    if pipeline is not None:
        return plan_pipeline(pipeline, options.overrides, of_steps, options.graph)
    problem = describe_misplaced(of_steps) or ("--graph: a job has no steps to draw" if options.graph else "")
    if problem:
        complain(f"{path}: {problem}")
        return ExitStatus.INVALID
    return plan_job_file(path, options.overrides, options.at)
