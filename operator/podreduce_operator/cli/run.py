"""`podreduce run`: a job file, changed by the command line, validated, run to its end, and told of.

Rule: each step either goes on or says why not and ends with the exit code of the design's table.
"""

import asyncio
import json
import re
import secrets
import sys
import time
from contextlib import closing
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.api.job_files import ManifestError
from podreduce_operator.api.quantities import QuantityError, parse_bytes
from podreduce_operator.api.spec import SpecError, decode_spec
from podreduce_operator.api.validation import InvalidJobError, validate_job
from podreduce_operator.cli.job_file import JobFile, read_job_file
from podreduce_operator.cli.overrides import OverrideError, Overrides, apply_overrides
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.cluster.local.machine import count_cores
from podreduce_operator.model.jobs import JobKey, JobView

if TYPE_CHECKING:
    from podreduce_operator.cli.engine import Outcome
    from podreduce_operator.cli.workspace import Workspace

__all__ = ["ExitStatus", "InvalidFileError", "RunOptions", "load_job", "read_memory", "run_job"]

TTL_SECONDS = 86_400
"""In place of the job's: what a local run has stored goes with its directory, and not before it was told of."""


GENERATED_START = 58
GENERATED_CHARACTERS = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels, so that no words come about: as the API server has it."""


class ExitStatus(IntEnum):
    """How the command ends."""

    COMPLETE = 0
    FAILED = 1
    INVALID = 2
    INTERRUPTED = 130


class InvalidFileError(ValueError):
    """A job that will not run; the message names the fields and what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The command line of `podreduce run`."""

    file: str
    overrides: Overrides
    memory: str | None = None
    as_json: bool = False
    log_format: str = "auto"
    work_directory: Path | None = None
    work_uri: str | None = None


def run_job(options: RunOptions, fork_server: ForkServer | None) -> ExitStatus:
    """Run the job of a file on this machine."""
    try:
        file = read_file(options.file)
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
    """Run a valid job: its directory, its engine, its report."""
    from podreduce_operator.cli.engine import run_engine  # noqa: PLC0415 - obstore, and it can wait
    from podreduce_operator.cli.logs import configure_logs  # noqa: PLC0415 - likewise
    from podreduce_operator.cli.views import open_view  # noqa: PLC0415
    from podreduce_operator.cli.watcher import Watcher  # noqa: PLC0415
    from podreduce_operator.cli.workspace import OutputBusyError, open_workspace  # noqa: PLC0415

    configure_logs(options.log_format)
    started = time.monotonic()
    parallelism = job.spec.parallelism or count_cores()
    spec = msgspec.structs.replace(job.spec, parallelism=parallelism, ttl_seconds_after_finished=TTL_SECONDS)
    try:
        with open_workspace(job.spec.output.uri, options.work_directory) as workspace:
            with closing(open_view(options.log_format)) as view:
                running = run_engine(
                    replace(job, spec=spec),
                    config_maps=file.config_maps,
                    workspace=workspace,
                    parallelism=parallelism,
                    memory_bytes=memory_bytes,
                    watcher=Watcher(job.key.name, view),
                    fork_server=fork_server,
                    work_uri=options.work_uri and as_prefix(options.work_uri),
                )
                outcome = asyncio.run(running)
            workspace.keep(workspace.quarantine)
            return report(job, outcome, workspace, time.monotonic() - started, as_json=options.as_json)
    except OutputBusyError as error:
        complain(f"{job.key.name}: failed: OutputClaimed: {error}")
        return ExitStatus.FAILED


def report(job: JobView, outcome: "Outcome", workspace: "Workspace", seconds: float, *, as_json: bool) -> ExitStatus:
    """Print how the run ended; of one that failed, keep the logs and the post-mortem."""
    from podreduce_operator.cli.report import find_verdict, render_failed, render_success  # noqa: PLC0415 - see above

    if as_json:
        say(json.dumps(outcome.status, indent=2))
    if outcome.interrupted:
        complain("interrupted: no output was written")
        return ExitStatus.INTERRUPTED
    if find_verdict(outcome.status)[0] == "Complete":
        if not as_json:
            say(render_success(job.key.name, outcome.status, seconds))
        return ExitStatus.COMPLETE
    logs, post_mortem = workspace.keep(workspace.logs), workspace.keep(workspace.post_mortem)
    complain(render_failed(job.key.name, outcome.status, logs, post_mortem))
    return ExitStatus.FAILED


def read_file(path: str) -> JobFile:
    """Read the job file.

    Raises:
        InvalidFileError: it holds no job.
    """
    try:
        return read_job_file(path)
    except ManifestError as error:
        raise InvalidFileError(str(error)) from error


def load_job(file: JobFile, overrides: Overrides) -> JobView:
    """Return the job as it is to run on this machine.

    Raises:
        InvalidFileError: the command line or the file asks for what cannot be.
    """
    try:
        manifest = validate_job(apply_overrides(file.manifest, overrides))
        return view_job(manifest)
    except OverrideError as error:
        raise InvalidFileError(str(error)) from error
    except InvalidJobError as error:
        lines = [f"{file.source}: {problem}" for problem in error.problems]
        raise InvalidFileError("\n".join(lines)) from error
    except SpecError as error:
        raise InvalidFileError(f"{file.source}: {error}") from error


def view_job(manifest: dict[str, Any]) -> JobView:
    """Return a valid manifest as the job that the loop gets to see."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    return JobView(
        key=JobKey(
            namespace=metadata.get("namespace") or "default",
            name=metadata.get("name") or generate_name(metadata["generateName"]),
        ),
        uid=str(uuid4()),
        generation=1,
        spec=decode_spec(spec),
        raw_spec=spec,
        status={},
    )


def generate_name(start: str) -> str:
    """Return a name that begins with `start`, as the API server makes one: cut, and five characters at the end."""
    return start[:GENERATED_START] + "".join(secrets.choice(GENERATED_CHARACTERS) for _ in range(5))


def refuse_suspended(job: JobView, file: JobFile) -> None:
    """Refuse a job that would wait for ever: nobody can resume a local run.

    Raises:
        InvalidFileError: it is suspended.
    """
    if job.spec.suspend:
        raise InvalidFileError(f"{file.source}: spec.suspend: is true, so nothing would run: --set spec.suspend=false")


def read_memory(size: str | None) -> int | None:
    """Return the bytes that each task may use, if the command line says.

    Raises:
        InvalidFileError: it is no size.
    """
    if size is None:
        return None
    try:
        memory_bytes = parse_bytes(size)
    except QuantityError as error:
        raise InvalidFileError(f"--memory: {error}") from error
    if memory_bytes == 0:
        raise InvalidFileError("--memory: a task cannot do with none: leave the option out to share what is free")
    return memory_bytes


def check_work_uri(uri: str | None) -> None:
    """Refuse a place for intermediate data that is no prefix of a bucket.

    Raises:
        InvalidFileError: it is none.
    """
    if uri is not None and not re.fullmatch(r"s3://[^/]+/[^/].*", uri):
        raise InvalidFileError(f"--work-uri: {uri}: give a prefix in a bucket, s3://bucket/work/, or use --work-dir")


def say(text: str) -> None:
    """Print a result."""
    print(text, flush=True)  # noqa: T201 - the command's output


def complain(text: str) -> None:
    """Print what went wrong."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command's output
