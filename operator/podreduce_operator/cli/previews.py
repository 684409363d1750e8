"""The commands that say what would be done with a file: `validate`, `plan` and `render`. Rule: they change nothing."""

import typer

from podreduce_operator.cli.options import (
    GraphOption,
    PathsArgument,
    PlanArgument,
    PlanAssignmentsOption,
    PlanAtOption,
    PlanForceOption,
    PlanKeepOption,
    PlanOutputsOption,
    PlanParallelismOption,
    PlanParametersOption,
    PlanToOption,
    PreviewArgument,
    RenderAtOption,
    ScheduleArgument,
)

__all__ = ["add_previews"]


def add_previews(app: typer.Typer) -> None:
    """Add the commands to those of `podreduce`."""
    for command in (validate, plan, render):
        app.command()(command)


def validate(file: PreviewArgument) -> None:
    """Check a file without running anything: fields, types, rules, the program's text, a schedule's next times."""
    from podreduce_operator.cli.validate import validate_file  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(validate_file(file))


def plan(
    file: PlanArgument,
    paths: PathsArgument = None,
    *,
    outputs: PlanOutputsOption = None,
    parallelism: PlanParallelismOption = None,
    parameters: PlanParametersOption = None,
    assignments: PlanAssignmentsOption = None,
    keep: PlanKeepOption = None,
    to: PlanToOption = None,
    force: PlanForceOption = None,
    at: PlanAtOption = None,
    graph: GraphOption = None,
) -> None:
    """Print what a run would do now. Changes nothing, and starts nothing.

    Of a pipeline: which steps run, which are reused, and why. Of a job: its shards, pods, requests and partitions, and
    what becomes of what is at its output; podreduce plan job.py INPUT... -o OUTPUT tells the same of a job class.
    """
    from podreduce_operator.cli.overrides import Overrides, StepOverrides  # noqa: PLC0415 - as in run
    from podreduce_operator.cli.plan_any import PlanOptions, plan_any  # noqa: PLC0415

    overrides = Overrides(
        inputs=tuple(paths or ()),
        output=outputs[0] if outputs else None,
        parallelism=parallelism,
        assignments=tuple(assignments or ()),
        parameters=tuple(parameters or ()),
    )
    of_steps = StepOverrides(outputs=tuple(outputs or ()), to=tuple(to or ()), force=tuple(force or ()), keep=keep)
    raise typer.Exit(plan_any(PlanOptions(file=file, overrides=overrides, of_steps=of_steps, at=at, graph=graph)))


def render(file: ScheduleArgument, at: RenderAtOption) -> None:
    """Print the job or pipeline that a schedule makes at a time.

    podreduce render nightly.yaml --at 2026-05-01T02:30 | kubectl create -f - makes it by hand. It has the schedule's
    own name for that time, so it is not made twice.
    """
    from podreduce_operator.cli.render import render_file  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(render_file(file, at))
