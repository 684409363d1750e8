"""The commands and their options. Each command's module is imported when the command is called."""

from pathlib import Path
from typing import Annotated

import typer

from podreduce_operator.cli.app_commands import applications
from podreduce_operator.cli.cluster.commands import add_cluster_commands
from podreduce_operator.cli.options import LogFormat
from podreduce_operator.cli.previews import add_previews

__all__ = ["app"]

app = typer.Typer(
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
def run(  # noqa: PLR0917 - typer passes them by name
    context: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A Python file with a job class, or a job in YAML or JSON (-: stdin).")
    ],
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[INPUT]...", help="Input paths or URIs, as by --input.")
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", "-i", metavar="URI", help="Input path or URI; replaces spec.input.uris. May be repeated."
        ),
    ] = None,
    outputs: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="URI",
            help="Output directory or URI; replaces spec.output.uri. Of a pipeline's step: STEP=URI, may be repeated.",
        ),
    ] = None,
    parallelism: Annotated[
        int | None, typer.Option("--parallelism", "-j", min=1, help="Tasks at a time.", show_default="number of cores")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Parameter of the program. May be repeated."),
    ] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Job class, if a Python file has several.")
    ] = None,
    input_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT", help="Text, JSONLines, CSV, ...", show_default="by the names, for a Python file"
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="PATH=VALUE", help="Set a field, such as spec.reduce.partitions=4. May be repeated."
        ),
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(min=0, help="Number of retries per task.", show_default="from the file, or 0"),
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="Memory of each task, such as 512Mi or 2G.", show_default="equal share of free memory"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the final status as JSON.")] = False,  # noqa: FBT002
    log_format: Annotated[
        LogFormat, typer.Option(help="How to show progress. auto: bars on a terminal, else lines.")
    ] = (LogFormat.AUTO),
    work_dir: Annotated[
        Path | None,
        typer.Option(
            help="Put intermediate data under this directory (removed at the end).",
            show_default="the temporary directory",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="For a schedule: the time whose job or pipeline to run, such as 2026-05-01T02:30.",
            show_default="now",
        ),
    ] = None,
    work_uri: Annotated[
        str | None,
        typer.Option(
            metavar="URI", help="Put intermediate data under this prefix (removed at the end): s3://bucket/work/."
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="For a pipeline: keep its steps' outputs and records here, and use those of before."
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="For a pipeline: run only this step and those it needs. May be repeated."),
    ] = None,
    force: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="For a pipeline: run this step also if it is unchanged. May be repeated."),
    ] = None,
) -> None:
    """Run a job or a pipeline on this machine, with processes as pods and a directory as the bucket.

    podreduce run job.py data/*.csv -o out/ runs the job class of a Python file; the modules beside it are found.
    Paths are relative to the current directory, also in the file. Exit codes: 0 complete, 1 failed, 2 invalid,
    130 interrupted. Of a schedule, the job or pipeline of one time runs.
    """
    from podreduce_operator.cli.overrides import Overrides, StepOverrides  # noqa: PLC0415 - other commands need none of it
    from podreduce_operator.cli.run import RunOptions  # noqa: PLC0415
    from podreduce_operator.cli.run_any import run_any  # noqa: PLC0415

    overrides = Overrides(
        inputs=(*(paths or ()), *(inputs or ())),
        output=outputs[0] if outputs else None,
        parallelism=parallelism,
        retries=retries,
        assignments=tuple(assignments or ()),
        parameters=tuple(parameters or ()),
    )
    of_steps = StepOverrides(outputs=tuple(outputs or ()), to=tuple(to or ()), force=tuple(force or ()), keep=keep)
    options = RunOptions(
        file=file,
        class_name=class_name,
        input_format=input_format,
        overrides=overrides,
        memory=memory,
        as_json=as_json,
        log_format=log_format.value,
        work_directory=work_dir,
        work_uri=work_uri,
        at=at,
    )
    raise typer.Exit(run_any(options, of_steps, context.obj))


add_previews(app)


@app.command()
def init(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="The directory; it is created if there is none.")] = ".",
) -> None:
    """Write a job class to begin with, a small input, and a test."""
    from podreduce_operator.cli.starter import write_starter  # noqa: PLC0415 - other commands need none of it

    raise typer.Exit(write_starter(name))


@app.command("test")
def check(  # noqa: PLR0917 - typer passes them by name
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A Python file with a job class.")],
    inputs: Annotated[list[str], typer.Option("--input", "-i", metavar="URI", help="A small input. May be repeated.")],
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Job class, if the file has several.")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Parameter of the program. May be repeated."),
    ] = None,
    input_format: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Text, JSONLines, CSV, ...", show_default="by the names")
    ] = None,
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
def submit(  # noqa: PLR0917 - typer passes them by name
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET", help="A job in YAML or JSON, a Python file with a job class, or a directory with one."
        ),
    ],
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[INPUT]...", help="Input URIs; they replace spec.input.uris.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="URI", help="Output URI; replaces spec.output.uri.")
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Parameter of the program. May be repeated."),
    ] = None,
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Job class, if the program has several.")
    ] = None,
    input_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT", help="Text, JSONLines, CSV, ...", show_default="by the names, for a Python file"
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Set a field, such as spec.runId=2. May be repeated."),
    ] = None,
    requirements: Annotated[
        Path | None,
        typer.Option(
            "--requirements", "-r", help="The packages of the program.", show_default="requirements.txt beside it"
        ),
    ] = None,
    python: Annotated[
        str | None, typer.Option(metavar="VERSION", help="The image's CPython.", show_default="the runtime image's")
    ] = None,
    architecture: Annotated[
        str | None, typer.Option("--arch", metavar="NAME", help="The nodes' processor.", show_default="this machine's")
    ] = None,
    program_uri: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="Prefix for the program's files.",
            show_default="_podreduce-programs/ in the output's bucket",
        ),
    ] = None,
    context: Annotated[
        str | None, typer.Option(metavar="NAME", help="Context of the KUBECONFIG.", show_default="the current one")
    ] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace.", show_default="the context's")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show progress until the job ends.")] = False,  # noqa: FBT002
    dry_run: Annotated[  # noqa: FBT002
        bool, typer.Option("--dry-run", help="Print the YAML. Upload and apply nothing.")
    ] = False,
) -> None:
    """Run a job on a cluster: pack its program, upload it, apply the job.

    The modules beside the program go into an archive, and requirements.txt into wheels, so pods need no registry.
    The AWS_* variables configure S3. Exit codes: 0 applied (with --wait: complete), 1 failed, 2 invalid,
    130 interrupted.
    """
    from podreduce_operator.cli.overrides import Overrides  # noqa: PLC0415 - other commands need none of it
    from podreduce_operator.cli.submit import SubmitOptions, submit_job  # noqa: PLC0415

    overrides = Overrides(
        inputs=tuple(paths or ()),
        output=output,
        assignments=tuple(assignments or ()),
        parameters=tuple(parameters or ()),
    )
    options = SubmitOptions(
        target=target,
        overrides=overrides,
        class_name=class_name,
        input_format=input_format,
        place=program_uri,
        requirements=requirements,
        python=python,
        architecture=architecture,
        context=context,
        namespace=namespace,
        wait=wait,
        dry_run=dry_run,
    )
    raise typer.Exit(submit_job(options))


@app.command()
def copy(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="An object, or a directory or prefix that ends in /.")
    ],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The copy's URI or path; a prefix if it ends in /.")],
) -> None:
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
