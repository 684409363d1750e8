"""The arguments and options of the commands for files, each with its help. Rule: data.

An option that reads the same in several commands stands here once. Where a command says something else of an option,
its alias is named after that command.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "ApplicationArgument",
    "ApplicationDirectoryArgument",
    "ApplicationInputOption",
    "ApplicationKeepOption",
    "ApplicationOutputOption",
    "ApplicationParametersOption",
    "ArchitectureOption",
    "AssignmentsOption",
    "AtOption",
    "BrowserOption",
    "ClassOption",
    "CopySourceArgument",
    "CopyTargetArgument",
    "DryRunOption",
    "ForceOption",
    "FormatOption",
    "GraphOption",
    "InputsOption",
    "JsonOption",
    "KeepOption",
    "LogFormat",
    "LogFormatOption",
    "MemoryOption",
    "OutputsOption",
    "ParallelismOption",
    "ParametersOption",
    "PathsArgument",
    "PlanArgument",
    "PlanAssignmentsOption",
    "PlanAtOption",
    "PlanForceOption",
    "PlanKeepOption",
    "PlanOutputsOption",
    "PlanParallelismOption",
    "PlanParametersOption",
    "PlanToOption",
    "PreviewArgument",
    "ProgramUriOption",
    "PythonOption",
    "RenderAtOption",
    "RequirementsOption",
    "RetriesOption",
    "RunArgument",
    "RunGraphOption",
    "ScheduleArgument",
    "StarterArgument",
    "SubmitArgument",
    "SubmitAssignmentsOption",
    "SubmitClassOption",
    "SubmitOutputOption",
    "SubmitPathsArgument",
    "TestArgument",
    "TestClassOption",
    "TestFormatOption",
    "TestInputsOption",
    "ToOption",
    "WaitOption",
    "WorkDirectoryOption",
    "WorkUriOption",
]

AS_OF_RUN = "As of run. May be repeated."
FORMATS = "Text, JSONLines, CSV, ..."


class LogFormat(StrEnum):
    """How a run shows progress on standard error."""

    AUTO = "auto"
    BARS = "bars"
    LINES = "lines"
    JSON = "json"


ParallelismOption = Annotated[
    int | None, typer.Option("--parallelism", "-j", min=1, help="Tasks at a time.", show_default="number of cores")
]
ParametersOption = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Parameter of the program. May be repeated."),
]
FormatOption = Annotated[
    str | None, typer.Option(metavar="FORMAT", help=FORMATS, show_default="by the names, for a Python file")
]
LogFormatOption = Annotated[LogFormat, typer.Option(help="How to show progress. auto: bars on a terminal, else lines.")]

RunArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="A Python file with a job class, or a job in YAML or JSON (-: stdin).")
]
PathsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[INPUT]...", help="Input paths or URIs, as by --input.")
]
InputsOption = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", metavar="URI", help="Input path or URI; replaces spec.input.uris. May be repeated."),
]
OutputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="URI",
        help="Output directory or URI; replaces spec.output.uri. STEP=URI: that of a pipeline's step; may be repeated.",
    ),
]
ClassOption = Annotated[
    str | None, typer.Option("--class", metavar="NAME", help="Job class, if a Python file has several.")
]
AssignmentsOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Set a field, such as spec.reduce.partitions=4. May be repeated."),
]
RetriesOption = Annotated[
    int | None, typer.Option(min=0, help="Number of retries per task.", show_default="from the file, or 0")
]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="Memory of each task, such as 512Mi or 2G.", show_default="equal share of free memory"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the final status as JSON.")]
WorkDirectoryOption = Annotated[
    Path | None,
    typer.Option(
        help="Put intermediate data under this directory (removed at the end).", show_default="the temporary directory"
    ),
]
WorkUriOption = Annotated[
    str | None,
    typer.Option(
        metavar="URI", help="Put intermediate data under this prefix (removed at the end): s3://bucket/work/."
    ),
]
AtOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="For a schedule: the time whose job or pipeline to run, such as 2026-05-01T02:30.",
        show_default="now",
    ),
]
KeepOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="For a pipeline: keep its steps' outputs and records here, and use those of before."
    ),
]
ToOption = Annotated[
    list[str] | None,
    typer.Option(metavar="STEP", help="For a pipeline: run only this step and those it needs. May be repeated."),
]
ForceOption = Annotated[
    list[str] | None,
    typer.Option(metavar="STEP", help="For a pipeline: run this step also if it is unchanged. May be repeated."),
]

PlanArgument = Annotated[
    str,
    typer.Argument(metavar="FILE", help="A Python file with a job class; or a job, pipeline or schedule (-: stdin)."),
]
PreviewArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="The job, pipeline or schedule as YAML or JSON; - reads standard input.")
]
PlanOutputsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--output", "-o", metavar="URI", help="As in run. STEP=URI: that of a pipeline's step; may be repeated."
    ),
]
PlanParallelismOption = Annotated[
    int | None,
    typer.Option("--parallelism", "-j", min=1, help="Tasks at a time.", show_default="from the file, or the limit"),
]
PlanParametersOption = Annotated[
    list[str] | None, typer.Option("--parameter", "-p", metavar="NAME=VALUE", help=AS_OF_RUN)
]
PlanAssignmentsOption = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help=AS_OF_RUN)]
PlanKeepOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where runs have kept the steps' outputs and records.")
]
PlanToOption = Annotated[list[str] | None, typer.Option(metavar="STEP", help=AS_OF_RUN)]
PlanForceOption = Annotated[list[str] | None, typer.Option(metavar="STEP", help=AS_OF_RUN)]
PlanAtOption = Annotated[str | None, typer.Option(metavar="TIME", help="As of run, for a schedule.")]
GraphOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="For a pipeline: draw its steps into this SVG file, too.")
]
RunGraphOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="For a pipeline: draw how its steps have ended into this SVG file.")
]
ScheduleArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="The schedule as YAML or JSON; - reads standard input.")
]
RenderAtOption = Annotated[
    str, typer.Option(metavar="TIME", help="One of its times, in its time zone, such as 2026-05-01T02:30.")
]

StarterArgument = Annotated[
    str, typer.Argument(metavar="[NAME]", help="The directory; it is created if there is none.")
]

TestArgument = Annotated[str, typer.Argument(metavar="FILE", help="A Python file with a job class.")]
TestInputsOption = Annotated[
    list[str], typer.Option("--input", "-i", metavar="URI", help="A small input. May be repeated.")
]
TestClassOption = Annotated[
    str | None, typer.Option("--class", metavar="NAME", help="Job class, if the file has several.")
]
TestFormatOption = Annotated[str | None, typer.Option(metavar="FORMAT", help=FORMATS, show_default="by the names")]

SubmitArgument = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="A job in YAML or JSON, a Python file with a job class, or a directory with one."
    ),
]
SubmitPathsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[INPUT]...", help="Input URIs; they replace spec.input.uris.")
]
SubmitOutputOption = Annotated[
    str | None, typer.Option("--output", "-o", metavar="URI", help="Output URI; replaces spec.output.uri.")
]
SubmitClassOption = Annotated[
    str | None, typer.Option("--class", metavar="NAME", help="Job class, if the program has several.")
]
SubmitAssignmentsOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Set a field, such as spec.runId=2. May be repeated."),
]
RequirementsOption = Annotated[
    Path | None,
    typer.Option(
        "--requirements", "-r", help="The packages of the program.", show_default="requirements.txt beside it"
    ),
]
PythonOption = Annotated[
    str | None, typer.Option(metavar="VERSION", help="The image's CPython.", show_default="the runtime image's")
]
ArchitectureOption = Annotated[
    str | None, typer.Option("--arch", metavar="NAME", help="The nodes' processor.", show_default="this machine's")
]
ProgramUriOption = Annotated[
    str | None,
    typer.Option(
        metavar="URI",
        help="Prefix for the program's files.",
        show_default="_podreduce-programs/ in the output's bucket",
    ),
]
WaitOption = Annotated[bool, typer.Option("--wait", help="Show progress until the job ends.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print the YAML. Upload and apply nothing.")]

CopySourceArgument = Annotated[
    str, typer.Argument(metavar="SOURCE", help="An object, or a directory or prefix that ends in /.")
]
CopyTargetArgument = Annotated[
    str, typer.Argument(metavar="TARGET", help="The copy's URI or path; a prefix if it ends in /.")
]

ApplicationArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="An application, as podreduce app list has it.")
]
ApplicationDirectoryArgument = Annotated[str, typer.Argument(metavar="DIR", help="A new directory.")]
ApplicationInputOption = Annotated[
    str | None,
    typer.Option("--input", "-i", metavar="URI", help="Path or URI of your data.", show_default="a sample"),
]
ApplicationOutputOption = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="URI", help="Directory or URI of the results.", show_default="NAME-output"),
]
ApplicationParametersOption = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Parameter of the pipeline. May be repeated."),
]
ApplicationKeepOption = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep the steps' outputs and records here, and use those of before.")
]
BrowserOption = Annotated[bool, typer.Option("--open", help="Show the report in a browser.")]
