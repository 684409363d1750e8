"""The commands and their options. Each command's module is imported when the command is called."""

from typing import Annotated

import typer

from podreduce_operator.cli.app_commands import applications
from podreduce_operator.cli.cluster.commands import add_cluster_commands
from podreduce_operator.cli.command_words import CommandLine
from podreduce_operator.cli.dataclass_options import with_options_of
from podreduce_operator.cli.options import (
    CopySourceArgument,
    CopyTargetArgument,
    ParametersOption,
    StarterArgument,
    TestArgument,
    TestClassOption,
    TestFormatOption,
    TestInputsOption,
)
from podreduce_operator.cli.previews import add_previews
from podreduce_operator.cli.run_arguments import RunArguments
from podreduce_operator.cli.submit_arguments import SubmitArguments

__all__ = ["app"]

app = typer.Typer(
    cls=CommandLine,
    name="podreduce",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog="podreduce COMMAND --help explains a command; podreduce diagnose NAME says why a job does not get on.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def tell_version(is_asked: bool) -> None:
    """Print the version and end, if the option is given."""
    if is_asked:
        version()
        raise typer.Exit


@app.callback()
def options(
    is_version_asked: Annotated[  # noqa: FBT002 - typer passes it by name
        bool, typer.Option("--version", callback=tell_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """MapReduce as a Kubernetes resource. Runs the same job file on this machine, without a cluster."""


@app.command()
@with_options_of(RunArguments)
def run(given: RunArguments) -> None:
    """Run a job or a pipeline on this machine, with processes as pods and a directory as the bucket.

    podreduce run job.py data/*.csv -o out/ runs the job class of a Python file; the modules beside it are found.
    Paths are relative to the current directory, also in the file. Exit codes: 0 complete, 1 failed, 2 invalid,
    130 interrupted. A schedule runs the job or the pipeline of one of its times.
    """
    from podreduce_operator.cli.run_any import run_any  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(run_any(given.read_options(), given.read_step_overrides(), given.context.obj))


add_previews(app)


@app.command()
def init(name: StarterArgument = ".") -> None:
    """Write a job class to begin with, a small input, and a test."""
    from podreduce_operator.cli.starter import write_starter  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(write_starter(name))


@app.command("test")
def check(
    context: typer.Context,
    file: TestArgument,
    *,
    inputs: TestInputsOption,
    class_name: TestClassOption = None,
    parameters: ParametersOption = None,
    input_format: TestFormatOption = None,
) -> None:
    """Run a job class over a sample in several layouts, and say whether the results agree.

    The runs differ in shards, partitions and hash seed, and in whether podreduce rewrites the program.
    Exit codes: 0 they agree, 1 they do not or one failed, 2 invalid.
    """
    from podreduce_operator.cli.agreement import compare_layouts  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(
        compare_layouts(
            file,
            inputs,
            class_name=class_name,
            parameters=parameters or (),
            input_format=input_format,
            fork_server=context.obj,
        )
    )


@app.command()
@with_options_of(SubmitArguments)
def submit(given: SubmitArguments) -> None:
    """Run a job on a cluster: pack its program, upload it, apply the job.

    The modules beside the program go into an archive, and requirements.txt into wheels, so pods need no registry.
    The AWS_* variables configure S3. Exit codes: 0 applied (with --wait: complete), 1 failed, 2 invalid,
    3 suspended (with --wait), 5 the cluster gives no answer, 130 interrupted.
    """
    from podreduce_operator.cli.submit import submit_job  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(submit_job(given.read_options()))


@app.command()
def copy(source: CopySourceArgument, target: CopyTargetArgument) -> None:
    """Copy objects between directories and S3. The AWS_* variables configure S3."""
    from podreduce_operator.cli.copy import copy_objects  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(copy_objects(source, target))


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as find_version  # noqa: PLC0415 - slow to import

    typer.echo(f"podreduce {find_version('podreduce')}")


app.add_typer(applications)
add_cluster_commands(app)
