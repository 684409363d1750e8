"""The arguments and options of the commands that ask a cluster, each with its help. Rule: data."""

from pathlib import Path
from typing import Annotated

import typer

from podreduce_operator.cli.cluster.completion import complete_kinds, complete_references
from podreduce_operator.cli.cluster.output_format import Format

__all__ = [
    "ContextOption",
    "CountOption",
    "DebugOption",
    "EndpointOption",
    "EverywhereOption",
    "FailedOption",
    "HeadOption",
    "KindArgument",
    "KubeconfigOption",
    "MapsOption",
    "NameArgument",
    "NamesArgument",
    "NamespaceOption",
    "OutputOption",
    "PublishedArgument",
    "RawOption",
    "ReplaceOption",
    "ReplayArgument",
    "ReplayStepOption",
    "ReplayTaskArgument",
    "RunIdOption",
    "SaveOption",
    "SelectorOption",
    "StatusGraphOption",
    "StepOption",
    "TailOption",
    "TaskArgument",
    "TimeoutOption",
    "WatchOption",
    "YesOption",
]

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A job, or KIND/NAME: mrj/wordcount, mrp/web, mrs/nightly.",
        autocompletion=complete_references,
    ),
]
StepOption = Annotated[
    str | None,
    typer.Option(metavar="STEP", help="Of a pipeline: this step; sum/3 is an iteration of a loop.", show_default="all"),
]
ReplayStepOption = Annotated[
    str | None, typer.Option("--step", metavar="STEP", help="Of a pipeline.", show_default="the first that failed")
]
NamespaceOption = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAME", help="The namespace.", show_default="the context's"),
]
ContextOption = Annotated[
    str | None,
    typer.Option("--context", metavar="NAME", help="The kubeconfig's context.", show_default="the current one"),
]
KubeconfigOption = Annotated[
    Path | None,
    typer.Option("--kubeconfig", metavar="FILE", help="The kubeconfig.", show_default="KUBECONFIG, ~/.kube/config"),
]
OutputOption = Annotated[Format | None, typer.Option("-o", "--output", help="How the result is printed.")]
StatusGraphOption = Annotated[
    Path | None,
    typer.Option("--graph", metavar="FILE", help="Draw the steps of a pipeline into this SVG file, too."),
]
EndpointOption = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Another address of the store, such as that of a port-forward.",
        envvar="PODREDUCE_STORE_ENDPOINT",
        show_default="the Secret's",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without a question.")]

KindArgument = Annotated[
    str,
    typer.Argument(metavar="[KIND]", help="mrj (jobs), mrp, mrs, or local (runs here).", autocompletion=complete_kinds),
]
EverywhereOption = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Ask all namespaces.")]
SelectorOption = Annotated[str, typer.Option("--selector", "-l", metavar="LABELS", help="Only with these labels.")]
WatchOption = Annotated[bool, typer.Option("--watch", "-w", help="Show it until its run comes to rest.")]
NamesArgument = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="Jobs, or KIND/NAME.", autocompletion=complete_references)
]
TimeoutOption = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=0, help="Give up then.", show_default="never")
]
TaskArgument = Annotated[str | None, typer.Argument(metavar="[TASK]", help="One task: m-3 is a map, r-0 a reduce.")]
FailedOption = Annotated[bool, typer.Option("--failed", help="Only attempts that failed.")]
TailOption = Annotated[int | None, typer.Option(metavar="N", min=1, help="The last lines of each.")]
RawOption = Annotated[bool, typer.Option("--raw", help="Lines as they were written.")]
ReplayArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="As of status; or the directory that a failed local run has kept.",
        autocompletion=complete_references,
    ),
]
ReplayTaskArgument = Annotated[
    str | None,
    typer.Argument(metavar="[TASK]", help="m-3 is a map, r-0 a reduce.", show_default="the last that failed"),
]
DebugOption = Annotated[bool, typer.Option("--pdb", help="Open a debugger where it fails.")]
MapsOption = Annotated[
    bool, typer.Option("--maps", help="For a reduce: run all maps here first, as their data is gone.")
]
PublishedArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="As of status; or the path or URI of an output.", autocompletion=complete_references
    ),
]
HeadOption = Annotated[int | None, typer.Option(metavar="N", min=1, help="Only the first records.")]
CountOption = Annotated[bool, typer.Option("--count", help="Only how many records there are.")]
SaveOption = Annotated[Path | None, typer.Option(metavar="DIR", help="Copy the parts there instead.")]
RunIdOption = Annotated[
    str | None, typer.Option(metavar="ID", help="The new spec.runId.", show_default="the old one, counted on")
]
ReplaceOption = Annotated[bool, typer.Option("--replace", help="Let it replace the old output.")]
