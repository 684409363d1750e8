"""`podreduce run`: reads a job file, applies the command line, validates the job, runs it and reports the result.

Rule: if a step fails, it prints why and returns the exit code.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from podreduce.contract.process_variables import MODULES_VARIABLE
from podreduce_operator.api.crd import SCHEDULES
from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.api.quantities import QuantityError, parse_bytes
from podreduce_operator.api.spec import SpecError
from podreduce_operator.api.substitution import SubstitutionError, substitute_text
from podreduce_operator.api.validation import InvalidJobError, validate_job
from podreduce_operator.cli.job_file import JobFile, beside, parse_job_file, read_text
from podreduce_operator.cli.overrides import OverrideError, Overrides, apply_overrides
from podreduce_operator.cli.program_source import describe_module, describe_problems, find_source
from podreduce_operator.cli.python_job import is_python, read_python_job
from podreduce_operator.cli.terminal import complain, say
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.cluster.local.job_view import view_job
from podreduce_operator.cluster.local.machine import count_cores
from podreduce_operator.model.jobs import JobView
from podreduce_operator.pods.template_check import find_template_problem

if TYPE_CHECKING:
    from podreduce_operator.cli.engine import Outcome
    from podreduce_operator.cli.workspace import Workspace

__all__ = [
    "ExitStatus",
    "InvalidFileError",
    "RunOptions",
    "keep_failure",
    "load_job",
    "read_any_file",
    "read_memory",
    "run_in",
    "run_job",
]

TTL_SECONDS = 86_400
"""Replaces the job's ttl: a local run's data is removed with its directory, after the report."""


class ExitStatus(IntEnum):
    """The command's exit codes."""

    COMPLETE = 0
    FAILED = 1
    INVALID = 2
    INTERRUPTED = 130


class InvalidFileError(ValueError):
    """The job cannot run. The message names the fields and what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The command line of `podreduce run`.

    `remembers`: whether the run goes into the history, with the words of `command` to start it again. `graph`: the file
    for the picture of a pipeline.
    """

    file: str
    overrides: Overrides
    class_name: str | None = None
    input_format: str | None = None
    memory: str | None = None
    as_json: bool = False
    log_format: str = "auto"
    work_directory: Path | None = None
    work_uri: str | None = None
    at: str | None = None
    remembers: bool = True
    command: tuple[str, ...] = ()
    graph: Path | None = None


def run_job(options: RunOptions, fork_server: ForkServer | None) -> ExitStatus:
    """Run the job in a file on this machine."""
    try:
        file = read_any_file(options)
        job = load_job(file, options.overrides)
        refuse_suspended(job, file)
        memory_bytes = read_memory(options.memory)
        check_work_uri(options.work_uri)
    except InvalidFileError as error:
        complain(str(error))
        return ExitStatus.INVALID
    return run_loaded(job, file, options, memory_bytes, fork_server)


def run_loaded(
    job: JobView, file: JobFile, options: RunOptions, memory_bytes: int | None, fork_server: ForkServer | None
) -> ExitStatus:
    """Run a valid job: make its directory, run the engine, print the report."""
    from podreduce_operator.cli.local_runs.remembering import (  # noqa: PLC0415 - slow to import
        as_written,
        remember_begin,
        remember_end,
    )
    from podreduce_operator.cli.workspace import OutputBusyError, open_workspace  # noqa: PLC0415

    started = time.monotonic()
    try:
        with open_workspace(job.spec.output.uri, options.work_directory) as workspace:
            remembered = remember_begin(job.key.name, file.source, workspace, command=options.command)
            outcome = asyncio.run(
                run_in(workspace, job, file, options, memory_bytes=memory_bytes, fork_server=fork_server)
            )
            workspace.keep(workspace.quarantine)
            ended = report(job, file, outcome, workspace, time.monotonic() - started, as_json=options.as_json)
            known = as_written(outcome.status, job.key.name, find_source(job.spec.program, file))
            remember_end(remembered, known, workspace, interrupted=outcome.interrupted)
            return ended
    except OutputBusyError as error:
        complain(f"{job.key.name}: failed: OutputClaimed: {error}")
        return ExitStatus.FAILED


async def run_in(
    workspace: "Workspace",
    job: JobView,
    file: JobFile,
    options: RunOptions,
    *,
    memory_bytes: int | None,
    fork_server: ForkServer | None,
    environ: Mapping[str, str] = MappingProxyType({}),
    catches_signals: bool = True,
) -> "Outcome":
    """Run a valid job in its directory, and show its progress. `environ`: more variables of its tasks."""
    from podreduce_operator.cli.engine import LocalJob, run_engine  # noqa: PLC0415 - obstore is slow to import
    from podreduce_operator.cli.logging_setup import configure_logs  # noqa: PLC0415 - see above
    from podreduce_operator.cli.views import open_view  # noqa: PLC0415
    from podreduce_operator.cli.watcher import Watcher  # noqa: PLC0415

    configure_logs(options.log_format)
    parallelism = job.spec.parallelism or count_cores()
    local = LocalJob(
        view=as_local_view(job, parallelism),
        config_maps=file.config_maps,
        workspace=workspace,
        parallelism=parallelism,
        memory_bytes=memory_bytes,
        fork_server=fork_server,
        work_uri=options.work_uri and as_prefix(options.work_uri),
        environ={**module_environ(file), **environ},
    )
    with closing(open_view(options.log_format)) as view:
        return await run_engine(local, Watcher(job.key.name, view), catches_signals=catches_signals)


def as_local_view(job: JobView, parallelism: int) -> JobView:
    """Return the job as it runs here: with so many tasks at a time, and nothing of it removed before the report."""
    spec = msgspec.structs.replace(
        job.spec,
        parallelism=parallelism,
        ttl_seconds_after_finished=TTL_SECONDS,
        delete_after_finished_seconds=None,
    )
    return replace(job, spec=spec)


def module_environ(file: JobFile) -> dict[str, str]:
    """Return the variables with which tasks find the modules beside a program's file."""
    return {} if file.directory is None else {MODULES_VARIABLE: str(file.directory)}


def report(
    job: JobView, file: JobFile, outcome: "Outcome", workspace: "Workspace", seconds: float, *, as_json: bool
) -> ExitStatus:
    """Print how the run ended. If it failed, keep its logs and post-mortem."""
    from podreduce_operator.cli.report import find_verdict, render_success  # noqa: PLC0415 - see above

    if as_json:
        say(json.dumps(outcome.status, indent=2))
    if outcome.interrupted:
        complain("interrupted: no output was written")
        return ExitStatus.INTERRUPTED
    if find_verdict(outcome.status)[0] == "Complete":
        if not as_json:
            say(render_success(job.key.name, outcome.status, seconds))
        return ExitStatus.COMPLETE
    complain(keep_failure(job, file, outcome.status, workspace))
    return ExitStatus.FAILED


def keep_failure(
    job: JobView,
    file: JobFile,
    status: Mapping[str, Any],
    workspace: "Workspace",
    remedies: Mapping[str, str] | None = None,
) -> str:
    """Keep the logs and the post-mortem of a failed run, and return its report; `remedies`: what to do, by reason."""
    from podreduce_operator.cli.kept_run import write_setting  # noqa: PLC0415 - see above
    from podreduce_operator.cli.report import REMEDIES, Kept, render_failed  # noqa: PLC0415

    write_setting(workspace.records, module_environ(file))
    kept = Kept(
        logs=workspace.keep(workspace.logs),
        post_mortem=workspace.keep(workspace.post_mortem),
        records=workspace.keep(workspace.records),
    )
    return render_failed(job.key.name, status, kept, find_source(job.spec.program, file), remedies or REMEDIES)


def read_file(path: str, at: str | None = None) -> JobFile:
    """Read the file of a job, or of a schedule, whose job of the time `at` (else of now) is returned.

    Raises:
        InvalidFileError: it has neither.
    """
    try:
        text, source = read_text(path)
        if SCHEDULES.kind in text:
            from podreduce_operator.cli.schedule_file import read_scheduled_job  # noqa: PLC0415 - rarely needed

            job = read_scheduled_job(text, source, at, time.time())
            if job is not None:
                return beside(job, path)
        if at is not None:
            raise InvalidFileError(f"--at: {source} has no {SCHEDULES.kind}, and a job has no time of its own")
        return beside(parse_job_file(text, source), path)
    except ManifestError as error:
        raise InvalidFileError(str(error)) from error


def read_any_file(options: RunOptions) -> JobFile:
    """Read the job file, or the Python file and what the command line says of its job.

    Raises:
        InvalidFileError: it has no job, or the command line does not say enough.
    """
    inputs = options.overrides.inputs
    if not is_python(options.file):
        file = read_file(options.file, options.at)
        for path, name, value in (
            ("program", "className", options.class_name),
            ("input", "format", options.input_format),
        ):
            if value is not None:
                file.manifest.setdefault("spec", {}).setdefault(path, {})[name] = value
        return file
    try:
        file = read_python_job(
            options.file, class_name=options.class_name, input_format=options.input_format, inputs=inputs
        )
    except ManifestError as error:
        raise InvalidFileError(str(error)) from error
    if not inputs or options.overrides.output is None:
        command = f"podreduce run {options.file} INPUT... -o OUTPUT"
        raise InvalidFileError(f"{options.file}: say what to read and where to write: {command}")
    guessed = file.manifest["spec"]["input"]["format"]
    if options.input_format is None and guessed != "Text":
        complain(f"input format: {guessed}, by the names; --input-format Text reads lines")
    return file


def load_job(file: JobFile, overrides: Overrides) -> JobView:
    """Return the job, prepared for a run on this machine.

    Raises:
        InvalidFileError: the command line or the file is invalid.
    """
    try:
        job = view_job(validate_job(apply_overrides(file.manifest, fill_overrides(overrides, file.parameters))))
    except (OverrideError, SubstitutionError) as error:
        raise InvalidFileError(str(error)) from error
    except InvalidJobError as error:
        lines = [f"{file.source}: {problem}" for problem in error.problems]
        raise InvalidFileError("\n".join(lines)) from error
    except SpecError as error:
        raise InvalidFileError(f"{file.source}: {error}") from error
    check_program(job, file)
    problem = find_template_problem(job.spec)
    if problem is not None:
        raise InvalidFileError(f"{file.source}: {problem}")
    return job


def fill_overrides(overrides: Overrides, parameters: Mapping[str, str] | None) -> Overrides:
    """Return what the command line changes, with the schedule's parameters in its URIs.

    Raises:
        SubstitutionError: a placeholder names no parameter.
    """
    if parameters is None:
        return overrides
    output = overrides.output
    return replace(
        overrides,
        inputs=[substitute_text(uri, parameters, "--input") for uri in overrides.inputs],
        output=None if output is None else substitute_text(output, parameters, "--output"),
    )


def check_program(job: JobView, file: JobFile) -> None:
    """Refuse a program that is certainly no job, before anything starts.

    Raises:
        InvalidFileError: it does not compile, or has no job class, or that class has wrong members.
    """
    program = job.spec.program
    source = find_source(program, file)
    problems = [] if source is None else describe_problems(source, program.class_name)
    if program.module is not None and file.directory is not None:
        problems = describe_module(file.directory, program.module, program.class_name)
    if problems:
        raise InvalidFileError("\n".join(problems))


def refuse_suspended(job: JobView, file: JobFile) -> None:
    """Refuse a suspended job. It would wait for ever, because nobody can resume a local run.

    Raises:
        InvalidFileError: it is suspended.
    """
    if job.spec.suspend:
        raise InvalidFileError(f"{file.source}: spec.suspend is true, so nothing would run: --set spec.suspend=false")


def read_memory(size: str | None) -> int | None:
    """Return the bytes that each task may use, or None without the option.

    Raises:
        InvalidFileError: it is not a size.
    """
    if size is None:
        return None
    try:
        memory_bytes = parse_bytes(size)
    except QuantityError as error:
        raise InvalidFileError(f"--memory: {error}") from error
    if memory_bytes == 0:
        raise InvalidFileError("--memory: must be more than 0: leave the option out to share the free memory")
    return memory_bytes


def check_work_uri(uri: str | None) -> None:
    """Check the URI for intermediate data.

    Raises:
        InvalidFileError: it is not a prefix in a bucket.
    """
    if uri is not None and not re.fullmatch(r"s3://[^/]+/[^/].*", uri):
        raise InvalidFileError(f"--work-uri: {uri}: give a prefix in a bucket, s3://bucket/work/, or use --work-dir")
