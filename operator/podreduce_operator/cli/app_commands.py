"""The commands of `podreduce app`, and their options."""

import typer

from podreduce_operator.cli.command_words import words_of
from podreduce_operator.cli.options import (
    ApplicationArgument,
    ApplicationDirectoryArgument,
    ApplicationInputOption,
    ApplicationKeepOption,
    ApplicationOutputOption,
    ApplicationParametersOption,
    BrowserOption,
    LogFormat,
    LogFormatOption,
    ParallelismOption,
)

__all__ = ["applications"]

applications = typer.Typer(name="app", no_args_is_help=True, help="Applications: from data to a report by one command.")


@applications.command("list")
def list_command() -> None:
    """List the applications."""
    from podreduce_operator.cli.applications import list_applications  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(list_applications())


@applications.command("init")
def init_command(name: ApplicationArgument, directory: ApplicationDirectoryArgument) -> None:
    """Copy an application into a directory, for you to change."""
    from podreduce_operator.cli.applications import copy_application  # noqa: PLC0415 - as above

    raise typer.Exit(copy_application(name, directory))


@applications.command("run")
def run_command(
    context: typer.Context,
    name: ApplicationArgument,
    *,
    data: ApplicationInputOption = None,
    output: ApplicationOutputOption = None,
    parameters: ApplicationParametersOption = None,
    parallelism: ParallelismOption = None,
    keep: ApplicationKeepOption = None,
    log_format: LogFormatOption = LogFormat.AUTO,
    opens: BrowserOption = False,
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
        command=words_of(context),
    )
    raise typer.Exit(run_application(run, context.obj))
