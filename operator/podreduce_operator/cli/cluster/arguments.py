"""The arguments and options that several commands have, each with its help. Rule: data."""

from pathlib import Path
from typing import Annotated

import typer

from podreduce_operator.cli.cluster.completion import complete_jobs, complete_references
from podreduce_operator.cli.cluster.output_format import Format

__all__ = [
    "ContextOption",
    "EndpointOption",
    "JobArgument",
    "KubeconfigOption",
    "NameArgument",
    "NamespaceOption",
    "OutputOption",
    "YesOption",
]

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="A job, or KIND/NAME: mrj/wordcount, mrs/nightly.", autocompletion=complete_references
    ),
]
JobArgument = Annotated[str, typer.Argument(metavar="NAME", help="A job.", autocompletion=complete_jobs)]
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
