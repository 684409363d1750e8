"""The command line of `podreduce run` as typer reads it, and what it asks for.

Rule: says only what is asked. What a run needs is imported when somebody runs.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from podreduce_operator.cli.command_words import words_of
from podreduce_operator.cli.options import (
    AssignmentsOption,
    AtOption,
    ClassOption,
    ForceOption,
    FormatOption,
    InputsOption,
    JsonOption,
    KeepOption,
    LogFormat,
    LogFormatOption,
    MemoryOption,
    OutputsOption,
    ParallelismOption,
    ParametersOption,
    PathsArgument,
    RetriesOption,
    RunArgument,
    RunGraphOption,
    ToOption,
    WorkDirectoryOption,
    WorkUriOption,
)

if TYPE_CHECKING:
    from podreduce_operator.cli.overrides import Overrides, StepOverrides
    from podreduce_operator.cli.run import RunOptions

__all__ = ["RunArguments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunArguments:
    """The arguments and options, in the order of the help."""

    context: typer.Context
    file: RunArgument
    paths: PathsArgument = None
    inputs: InputsOption = None
    outputs: OutputsOption = None
    parallelism: ParallelismOption = None
    parameters: ParametersOption = None
    class_name: ClassOption = None
    input_format: FormatOption = None
    assignments: AssignmentsOption = None
    retries: RetriesOption = None
    memory: MemoryOption = None
    as_json: JsonOption = False
    log_format: LogFormatOption = LogFormat.AUTO
    work_dir: WorkDirectoryOption = None
    at: AtOption = None
    work_uri: WorkUriOption = None
    keep: KeepOption = None
    to: ToOption = None
    force: ForceOption = None
    graph: RunGraphOption = None

    def read_options(self) -> "RunOptions":
        """Return how to run the file, with what is changed in its job or pipeline."""
        from podreduce_operator.cli.run import RunOptions  # noqa: PLC0415 - other commands need none of it

        return RunOptions(
            file=self.file,
            class_name=self.class_name,
            input_format=self.input_format,
            overrides=self.read_overrides(),
            memory=self.memory,
            as_json=self.as_json,
            log_format=self.log_format.value,
            work_directory=self.work_dir,
            work_uri=self.work_uri,
            at=self.at,
            graph=self.graph,
            command=words_of(self.context),
        )

    def read_overrides(self) -> "Overrides":
        """Return what is changed in the job or pipeline."""
        from podreduce_operator.cli.overrides import Overrides  # noqa: PLC0415 - as above

        return Overrides(
            inputs=(*(self.paths or ()), *(self.inputs or ())),
            output=self.outputs[0] if self.outputs else None,
            parallelism=self.parallelism,
            retries=self.retries,
            assignments=tuple(self.assignments or ()),
            parameters=tuple(self.parameters or ()),
        )

    def read_step_overrides(self) -> "StepOverrides":
        """Return what is said of a pipeline's steps."""
        from podreduce_operator.cli.overrides import StepOverrides  # noqa: PLC0415 - as above

        return StepOverrides(
            outputs=tuple(self.outputs or ()), to=tuple(self.to or ()), force=tuple(self.force or ()), keep=self.keep
        )
