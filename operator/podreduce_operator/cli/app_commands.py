"""The commands of `podreduce app`, and their options."""

from pathlib import Path
from typing import Annotated

import typer

from podreduce_operator.cli.options import LogFormat

__all__ = ["applications"]

applications = typer.Typer(name="app", no_args_is_help=True, help="Applications: from data to a report by one command.")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="An application, as podreduce app list has it.")]


@applications.command("list")
def list_command() -> None:
    """List the applications."""
    from podreduce_operator.cli.applications import list_applications  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(list_applications())


@applications.command("init")
def init_command(
    name: NameArgument,
    directory: Annotated[str, typer.Argument(metavar="DIR", help="A new directory.")],
) -> None:
    """Copy an application into a directory, for you to change."""
    from podreduce_operator.cli.applications import copy_application  # noqa: PLC0415 - as above

    raise typer.Exit(copy_application(name, directory))


@applications.command("run")
def run_command(  # noqa: PLR0917 - typer passes them by name
    context: typer.Context,
    name: NameArgument,
    data: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="URI", help="Path or URI of your data.", show_default="a sample"),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="URI", help="Directory or URI of the results.", show_default="NAME-output"
        ),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Parameter of the pipeline. May be repeated."),
    ] = None,
    parallelism: Annotated[
        int | None, typer.Option("--parallelism", "-j", min=1, help="Tasks at a time.", show_default="number of cores")
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep the steps' outputs and records here, and use those of before."),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(help="How to show progress. auto: bars on a terminal, else lines.")
    ] = LogFormat.AUTO,
    opens: Annotated[bool, typer.Option("--open", help="Show the report in a browser.")] = False,  # noqa: FBT002
) -> None:
    """Run an application on this machine, on your data or on its sample, and say where its report is."""
    from podreduce_operator.cli.applications import ApplicationRun, run_application  # noqa: PLC0415 - as above

    run = ApplicationRun(
        name=name,
        input=data,
        output=output or f"{name}-output",
        parameters=tuple(parameters or ()),
        parallelism=parallelism,
        keep=keep,
        log_format=log_format.value,
        opens=opens,
    )
    raise typer.Exit(run_application(run, context.obj))
