"""`podreduce.run(...)`: runs a job class from a script, a test or a notebook on this machine, and returns the result.

Rule: the same engine, checks and messages as `podreduce run`. The class's source is run again in each task's process.
So it must hold what the class needs, and must not call `podreduce.run` when it is imported.
"""

import asyncio
import inspect
import linecache
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podreduce.contract.environment import TASK
from podreduce.contract.members import MAPPERS
from podreduce_operator.cli.job_file import JobFile
from podreduce_operator.cli.overrides import Overrides
from podreduce_operator.cli.program_source import find_source
from podreduce_operator.cli.python_job import build_job_file, guess_format
from podreduce_operator.cli.report import PYTHON_REMEDIES, find_verdict, show_uri
from podreduce_operator.cli.run import InvalidFileError, RunOptions, keep_failure, load_job, run_in
from podreduce_operator.cli.wording import render_output
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.model.jobs import JobView

if TYPE_CHECKING:
    import pyarrow as pa

    from podreduce_operator.cli.engine import Outcome

__all__ = ["JobFailedError", "Result", "read_class", "run"]


class JobFailedError(RuntimeError):
    """The run failed. The message is the report of `podreduce run`; `status` is the job's last status."""

    def __init__(self, message: str, status: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status


JobFailedError.__module__ = "podreduce"  # where it is imported from, and what a traceback shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A complete run.

    Attributes:
        status: the job's last status, as `podreduce run --json` prints it.
        output: the URI of the output.
    """

    status: Mapping[str, Any]
    output: str

    def __repr__(self) -> str:
        """Return `<complete: 6 records, 148 B in counts/>`: a notebook shows it, and a status is long."""
        written = self.status.get("output", {})
        return f"<complete: {render_output(written)} in {show_uri(self.output)}>"

    @property
    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """The counters, by group and name; podreduce's own are in the group `podreduce`."""
        counters: Mapping[str, Mapping[str, int]] = self.status.get("counters", {})
        return counters

    def records(self) -> Iterator[Any]:
        """Yield the output's records, part by part: (key, value), or a dict for rows of other columns.

        From Text both are strings as they are written; from Pairs they are exact; from JSONLines and Parquet
        they are what those formats keep.
        """
        from podreduce.storage import open_store  # noqa: PLC0415 - obstore is slow to import
        from podreduce_operator.runs.output_records import iter_records  # noqa: PLC0415 - as above

        return iter_records(open_store(self.output))

    def to_arrow(self) -> "pa.Table":
        """Return the output as a table: the columns of Parquet parts, else `key` and `value`."""
        from podreduce.storage import open_store  # noqa: PLC0415 - as above
        from podreduce_operator.runs.output_records import read_table  # noqa: PLC0415 - as above

        return read_table(open_store(self.output))


def run(
    job: type,
    *,
    inputs: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    output: str | os.PathLike[str],
    parameters: Mapping[str, object] | None = None,
    input_format: str | None = None,
    output_format: str = "JSONLines",
    parallelism: int | None = None,
    settings: Sequence[str] = (),
    progress: bool = True,
) -> Result:
    """Run a job class on this machine and return its result.

    Args:
        job: the class. Its source is read from its file, or from its notebook cell.
        inputs: paths or URIs, as `podreduce run` takes them.
        output: the output's directory or URI; it must not hold anything.
        parameters: the program's parameters; values become strings.
        input_format: as in `spec.input.format`; None: by the names of the inputs.
        output_format: as in `spec.output.format`; JSONLines keeps numbers apart from texts.
        parallelism: tasks at a time; None: the cores.
        settings: further fields, as `--set` takes them: `spec.reduce.partitions=4`.
        progress: whether to show progress on standard error.

    Raises:
        ValueError: the class, an argument or the program is invalid.
        JobFailedError: the run failed.
    """
    refuse_task()
    uris = [os.fspath(uri) for uri in ([inputs] if isinstance(inputs, str | os.PathLike) else inputs)]
    overrides = Overrides(
        inputs=tuple(uris),
        output=os.fspath(output),
        parallelism=parallelism,
        parameters=tuple(f"{name}={value}" for name, value in (parameters or {}).items()),
        assignments=(f"spec.output.format={output_format}", *settings),
    )
    file = read_job(job, input_format or guess_format(uris), uris)
    return run_file(file, RunOptions(file=file.source, overrides=overrides, log_format="auto" if progress else "none"))


def read_job(job: type, input_format: str, uris: Sequence[str]) -> JobFile:
    """Return the job of a class.

    Raises:
        ValueError: its source is not known.
    """
    text, source = read_class(job)
    return build_job_file(text, source, class_name=job.__name__, input_format=input_format, inputs=uris)


def refuse_task() -> None:
    """Refuse to run a job within a task: the program's file was imported there, and calls `podreduce.run`.

    Raises:
        RuntimeError: this process is a task.
    """
    if TASK in os.environ:
        raise RuntimeError(
            'podreduce.run was called while a task imported the program: put the call below if __name__ == "__main__":'
        )


def read_class(job: type) -> tuple[str, str]:
    """Return the text that defines a class, and the name of its file.

    Raises:
        ValueError: it is not a class, or its text is not known.
    """
    if not isinstance(job, type):
        raise ValueError(f"{job!r} is not a class: give the job class itself, not an instance")  # noqa: TRY004
    members = [member for name in MAPPERS if (member := inspect.unwrap(getattr(job, name, None) or job)) is not job]
    codes = [member.__code__.co_filename for member in members if hasattr(member, "__code__")]
    try:
        files = [inspect.getsourcefile(job) or "", *codes]
    except (OSError, TypeError):
        files = codes
    for file in files:
        text = "".join(linecache.getlines(file))
        if text:
            return text, file if Path(file).is_file() else "notebook.py"
    raise ValueError(f"the source of {job.__name__} is not known: define it in a file or a notebook cell")


def run_file(
    file: JobFile,
    options: RunOptions,
    fork_server: ForkServer | None = None,
    environ: Mapping[str, str] | None = None,
) -> Result:
    """Run a job and return its result.

    Without a fork server and variables of its own it starts a fork server for this run.

    Raises:
        ValueError: it is invalid.
        JobFailedError: it failed.
    """
    try:
        job = load_job(file, options.overrides)
    except InvalidFileError as error:
        raise ValueError(str(error)) from None
    own_server = ForkServer.open() if fork_server is None and environ is None else None
    with nullcontext() if own_server is None else closing(own_server):
        return run_loaded(job, file, options, fork_server or own_server, environ or {})


def run_loaded(
    job: JobView, file: JobFile, options: RunOptions, fork_server: ForkServer | None, environ: Mapping[str, str]
) -> Result:
    """Run a valid job in a directory of its own, and keep what is to be kept of it.

    Raises:
        JobFailedError: it failed.
    """
    from podreduce_operator.cli.local_runs.remembering import (  # noqa: PLC0415 - slow to import
        as_written,
        remember_begin,
        remember_end,
    )
    from podreduce_operator.cli.workspace import OutputBusyError, open_workspace  # noqa: PLC0415

    try:
        with open_workspace(job.spec.output.uri, options.work_directory) as workspace:
            remembered = remember_begin(job.key.name, file.source, workspace) if options.remembers else None
            running = run_in(
                workspace,
                job,
                file,
                options,
                memory_bytes=None,
                fork_server=fork_server,
                environ=environ,
                catches_signals=False,
            )
            outcome = run_in_thread(running)
            workspace.keep(workspace.quarantine)
            is_complete = find_verdict(outcome.status)[0] == "Complete"
            told = "" if is_complete else keep_failure(job, file, outcome.status, workspace, PYTHON_REMEDIES)
            if remembered is not None:
                known = as_written(outcome.status, job.key.name, find_source(job.spec.program, file))
                remember_end(remembered, known, workspace, interrupted=outcome.interrupted)
    except OutputBusyError as error:
        raise JobFailedError(f"{job.key.name}: failed: OutputClaimed: {error}", {}) from None
    if not is_complete:
        raise JobFailedError(told, outcome.status)
    return Result(status=outcome.status, output=outcome.status["output"]["uri"])


def run_in_thread(running: "Any") -> "Outcome":  # noqa: ANN401 - a coroutine of run_in
    """Run a coroutine to its end in a thread with a loop of its own: a notebook's thread has a running loop already.

    An interrupt cancels it, which stops its tasks.
    """
    loop = asyncio.new_event_loop()
    task = loop.create_task(running)
    thread = threading.Thread(target=loop.run_until_complete, args=(asyncio.wait({task}),), name="podreduce")
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    finally:
        loop.close()
    outcome: Outcome = task.result()
    return outcome
