"""What the commands show of local runs: `podreduce list local`, `status local/NAME`, `logs local/NAME`.

Rule: only reads, and asks no cluster. A run is shown as a job on a cluster would be, as far as it has the same.
"""

import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podreduce.contract.task import TaskType
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.job_logs import AttemptLog, LogOptions, cut, print_logs
from podreduce_operator.cli.cluster.kinds import JOB
from podreduce_operator.cli.cluster.listing import build_table
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.printing import print_json
from podreduce_operator.cli.cluster.status_tree import build_job
from podreduce_operator.cli.cluster.task_names import NAMED, parse_task
from podreduce_operator.cli.cluster.tree import Branch, draw
from podreduce_operator.cli.local_runs.history import History, LocalRun, open_history
from podreduce_operator.cli.local_runs.names import LOCAL
from podreduce_operator.cli.terminal import complain, say, terminal_width
from podreduce_operator.cli.wording import render_seconds
from podreduce_operator.cli.workspace import LOGS_NAME, RECORDS_NAME

__all__ = ["find_output", "find_records", "find_run", "list_runs", "show_logs_of", "show_run"]

Json = dict[str, Any]


def read_history() -> tuple[History, list[LocalRun]]:
    """Return this user's history and its runs, the newest first.

    Raises:
        CommandError: it cannot be read.
    """
    history = open_history(os.environ)
    try:
        return history, history.read()
    except OSError as error:
        raise CommandError(f"{history.path}: {error.strerror or error}: allow yourself to read it") from error


def find_run(name: str) -> LocalRun:
    """Return the run that `local/NAME` names: by its id, or the newest of a job.

    Raises:
        CommandError: there is none.
    """
    history, runs = read_history()
    wanted = name.partition("/")[2]
    found = next((run for key in ("id", "name") for run in runs if getattr(run, key) == wanted), None)
    if found is None:
        raise CommandError(
            f"{name}: no such run in {history.path}; podreduce list {LOCAL} has the last ones of this machine"
        )
    return found


def list_runs(output: Format | None) -> CommandExit:
    """Print the last runs of this machine, the newest first."""
    history, runs = read_history()
    manifests = [as_manifest(run) for run in runs]
    if output is Format.NAME:
        for run in runs:
            say(f"{LOCAL}/{run.id}")
    elif output in {Format.JSON, Format.YAML}:
        print_json({"kind": "List", "items": manifests}, output)
    elif not runs:
        complain(f"no runs in {history.path}: podreduce run adds them")
    else:
        for line in build_table(JOB, manifests, time.time(), is_wide=output is Format.WIDE, with_namespace=False):
            say(line)
    return CommandExit.DONE


def as_manifest(run: LocalRun) -> Json:
    """Return a run as the job that it would be on a cluster."""
    status: Json = {"startTime": stamp(run.started_at), "runId": "1", **run.status, "phase": find_phase(run)}
    if run.ended_at is not None:
        status.setdefault("completionTime", stamp(run.ended_at))
    output = status.get("output") or {}
    return {
        "metadata": {"name": run.id, "namespace": LOCAL, "creationTimestamp": stamp(run.started_at)},
        "spec": {"runId": status["runId"], "output": {"uri": output.get("uri", "")}},
        "status": status,
        "run": {"file": run.file, "directory": run.directory, "kept": [str(path) for path in kept_paths(run)]},
    }


def find_phase(run: LocalRun) -> str:
    """Return where a run stands. One whose process was killed has no end, and does not run."""
    return run.phase or ("Running" if run.is_running() else "Lost")


def stamp(seconds: float) -> str:
    """Return a time as the API server writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def kept_paths(run: LocalRun) -> Iterator[Path]:
    """Yield the directories that are kept of a run and still there."""
    for name in run.kept:
        path = run.kept_directory(name)
        if path is not None:
            yield path


def show_run(name: str, output: Format | None) -> CommandExit:
    """Print a run as a tree, with the next command."""
    run = find_run(name)
    manifest = as_manifest(run)
    if output in {Format.JSON, Format.YAML}:
        print_json(manifest, output)
        return CommandExit.DONE
    now = time.time()
    took = (run.ended_at or now) - run.started_at
    head = f"{LOCAL}/{run.id}, of {run.file} in {run.directory}: {find_phase(run)}"
    job = build_job(manifest, [], now)
    parts = job.below if run.phase in {"Complete", "Failed"} else ()
    tree = Branch(text=f"{head}, {'took' if run.ended_at else 'for'} {render_seconds(took)}", below=parts)
    say("\n".join([*draw(tree, terminal_width(sys.stdout)), *suggest(run)]))
    return CommandExit.DONE


def suggest(run: LocalRun) -> Iterator[str]:
    """Yield what is kept of a run, and the next command."""
    yield from (f"kept: {path}" for path in kept_paths(run))
    if run.phase == "Complete":
        yield f"its records: podreduce output {LOCAL}/{run.id} --head 10"
    failures = run.status.get("failures") or ()
    if run.kept_directory(RECORDS_NAME) is not None and failures:
        maps = "--maps " if failures[0]["task"].startswith(TaskType.REDUCE.letter) else ""
        yield f"the failed task again: podreduce replay {LOCAL}/{run.id} {failures[0]['task']} {maps}--pdb"
    if find_phase(run) == "Lost":
        yield "its process was killed, so nothing says how far it came: run it again"


def show_logs_of(name: str, options: LogOptions) -> CommandExit:
    """Print the logs that are kept of a run."""
    run = find_run(name)
    task = None if options.task is None else parse_task(options.task, run.status)
    directory = run.kept_directory(LOGS_NAME)
    logs = [] if directory is None else list(read_logs(directory, options))
    logs = [log for log in logs if task in {None, log.task}]
    print_logs(sorted(logs, key=lambda log: (log.task, log.title)), options)
    if not logs:
        complain(f"{name}: no log: {explain_nothing(run)}")
    return CommandExit.DONE if logs else CommandExit.FAILED


def read_logs(directory: Path, options: LogOptions) -> Iterator[AttemptLog]:
    """Yield the logs of attempts, by the names of their files."""
    for path in sorted(directory.glob("*.log")):
        if NAMED.fullmatch(path.stem) is not None:
            task = parse_task(path.stem, {})
            text = cut(path.read_text(encoding="utf-8", errors="replace"), options.tail)
            yield AttemptLog(task=task, attempt_id=path.stem, title=f"{task}, attempt {path.stem}: failed", text=text)


def explain_nothing(run: LocalRun) -> str:
    """Return why there is none."""
    if find_phase(run) == "Running":
        return "it runs, and its terminal shows what its tasks print"
    if run.phase == "Failed":
        return f"that task has not failed, or what was kept in {run.workspace} has been removed"
    return "only of attempts that failed the log is kept; what others print is shown while they run"


def find_output(name: str) -> str:
    """Return the URI of a run's output.

    Raises:
        CommandError: it has published none.
    """
    run = find_run(name)
    uri = (run.status.get("output") or {}).get("uri")
    if uri is None:
        raise CommandError(f"{name}: {find_phase(run).lower()}, without an output", CommandExit.FAILED)
    return str(uri)


def find_records(name: str) -> Path:
    """Return the directory with a run's records.

    Raises:
        CommandError: nothing is kept of it.
    """
    run = find_run(name)
    directory = run.kept_directory(RECORDS_NAME)
    if directory is None:
        raise CommandError(
            f"{name}: {find_phase(run).lower()}: records are kept only of runs that failed, until somebody "
            f"removes {run.workspace}",
            CommandExit.FAILED,
        )
    return directory
