"""The commands that say what would be done with a file: `validate`, `plan` and `render`. Rule: they change nothing."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["add_previews"]

JobFileArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="The job, pipeline or schedule as YAML or JSON; - reads standard input.")
]


def add_previews(app: typer.Typer) -> None:
    """Add the commands to those of `podreduce`."""
    for command in (validate, plan, render):
        app.command()(command)


def validate(file: JobFileArgument) -> None:
    """Check a file without running anything: fields, types, rules, the program's text, a schedule's next times."""
    from podreduce_operator.cli.validate import validate_file  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(validate_file(file))


def plan(  # noqa: PLR0917 - typer passes them by name
    file: JobFileArgument,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output", "-o", metavar="URI", help="As of run. Of a pipeline's step: STEP=URI, may be repeated."
        ),
    ] = None,
    parallelism: Annotated[
        int | None,
        typer.Option("--parallelism", "-j", min=1, help="Tasks at a time.", show_default="from the file, or the limit"),
    ] = None,
    parameters: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="As of run. May be repeated.")
    ] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="As of run. May be repeated.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where runs have kept the steps' outputs and records.")
    ] = None,
    to: Annotated[list[str] | None, typer.Option(metavar="STEP", help="As of run. May be repeated.")] = None,
    force: Annotated[list[str] | None, typer.Option(metavar="STEP", help="As of run. May be repeated.")] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="As of run, for a schedule.")] = None,
    graph: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For a pipeline: draw its steps into this SVG file, too.")
    ] = None,
) -> None:
    """Print what a run would do now. Changes nothing, and starts nothing.

    Of a pipeline: which steps run, which are reused, and why. Of a job: its shards, pods, requests and partitions, and
    what becomes of what is at its output.
    """
    from podreduce_operator.cli.overrides import Overrides, StepOverrides  # noqa: PLC0415 - as in run
    from podreduce_operator.cli.plan_any import PlanOptions, plan_any  # noqa: PLC0415

    overrides = Overrides(
        output=outputs[0] if outputs else None,
        parallelism=parallelism,
        assignments=tuple(assignments or ()),
        parameters=tuple(parameters or ()),
    )
    of_steps = StepOverrides(outputs=tuple(outputs or ()), to=tuple(to or ()), force=tuple(force or ()), keep=keep)
    raise typer.Exit(plan_any(PlanOptions(file=file, overrides=overrides, of_steps=of_steps, at=at, graph=graph)))


def render(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The schedule as YAML or JSON; - reads standard input.")],
    at: Annotated[
        str,
        typer.Option(metavar="TIME", help="One of its times, in its time zone, such as 2026-05-01T02:30."),
    ],
) -> None:
    """Print the job or pipeline that a schedule makes at a time.

    podreduce render nightly.yaml --at 2026-05-01T02:30 | kubectl create -f - makes it by hand. It has the schedule's
    own name for that time, so it is not made twice.
    """
    from podreduce_operator.cli.render import render_file  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(render_file(file, at))
