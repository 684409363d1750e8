"""The command line of `podreduce submit` as typer reads it, and what it asks for.

Rule: says only what is asked. What a submission needs is imported when somebody submits.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from podreduce_operator.cli.cluster.arguments import ContextOption, KubeconfigOption, NamespaceOption
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.options import (
    ArchitectureOption,
    DryRunOption,
    FormatOption,
    ParametersOption,
    ProgramUriOption,
    PythonOption,
    RequirementsOption,
    SubmitArgument,
    SubmitAssignmentsOption,
    SubmitClassOption,
    SubmitOutputOption,
    SubmitPathsArgument,
    WaitOption,
)

if TYPE_CHECKING:
    from podreduce_operator.cli.submit import SubmitOptions

__all__ = ["SubmitArguments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitArguments:
    """The arguments and options, in the order of the help."""

    target: SubmitArgument
    paths: SubmitPathsArgument = None
    output: SubmitOutputOption = None
    parameters: ParametersOption = None
    class_name: SubmitClassOption = None
    input_format: FormatOption = None
    assignments: SubmitAssignmentsOption = None
    requirements: RequirementsOption = None
    python: PythonOption = None
    architecture: ArchitectureOption = None
    program_uri: ProgramUriOption = None
    namespace: NamespaceOption = None
    context: ContextOption = None
    kubeconfig: KubeconfigOption = None
    wait: WaitOption = False
    dry_run: DryRunOption = False

    def read_options(self) -> "SubmitOptions":
        """Return what to submit, where, and how."""
        from podreduce_operator.cli.overrides import Overrides  # noqa: PLC0415 - other commands need none of it
        from podreduce_operator.cli.submit import SubmitOptions  # noqa: PLC0415 - as above

        overrides = Overrides(
            inputs=tuple(self.paths or ()),
            output=self.output,
            assignments=tuple(self.assignments or ()),
            parameters=tuple(self.parameters or ()),
        )
        return SubmitOptions(
            target=self.target,
            overrides=overrides,
            class_name=self.class_name,
            input_format=self.input_format,
            place=self.program_uri,
            requirements=self.requirements,
            python=self.python,
            architecture=self.architecture,
            cluster=Place(kubeconfig=self.kubeconfig, context=self.context, namespace=self.namespace),
            wait=self.wait,
            dry_run=self.dry_run,
        )
