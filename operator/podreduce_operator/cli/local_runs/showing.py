"""What the commands show of local runs: `podreduce list local`, `status local/NAME`, `logs local/NAME[/STEP]`.

Rule: only reads, and asks no cluster. A run is shown as a job on a cluster would be, as far as it has the same.
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podreduce.contract.task import TaskType
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.job_logs import AttemptLog, LogOptions, cut, print_logs
from podreduce_operator.cli.cluster.kinds import JOB, PIPELINE
from podreduce_operator.cli.cluster.listing import build_table
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.pipeline_outputs import render_outputs
from podreduce_operator.cli.cluster.pipeline_tree import build_pipeline
from podreduce_operator.cli.cluster.printing import print_json
from podreduce_operator.cli.cluster.published_output import OutputOptions, show_output_at
from podreduce_operator.cli.cluster.status_tree import build_job
from podreduce_operator.cli.cluster.task_names import NAMED, parse_task
from podreduce_operator.cli.cluster.tree import Branch, draw
from podreduce_operator.cli.local_runs.history import PIPELINE_RUN, History, LocalRun, open_history
from podreduce_operator.cli.local_runs.names import LOCAL
from podreduce_operator.cli.local_runs.printed_logs import find_printed
from podreduce_operator.cli.pipelines.step_words import render_state
from podreduce_operator.cli.terminal import complain, say, terminal_width
from podreduce_operator.cli.wording import render_seconds
from podreduce_operator.cli.workspace import LOGS_NAME, RECORDS_NAME
from podreduce_operator.policy.pipeline_status import DONE

__all__ = [
    "as_manifest",
    "find_output",
    "find_phase",
    "find_records",
    "find_run",
    "find_step",
    "list_runs",
    "show_logs_of",
    "show_output_of",
    "show_run",
]

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
    """Return the run that `local/NAME` or `local/NAME/STEP` names: by its id, or the newest of a job or pipeline.

    Raises:
        CommandError: there is none.
    """
    history, runs = read_history()
    wanted = name.split("/")[1]
    found = next((run for key in ("id", "name") for run in runs if getattr(run, key) == wanted), None)
    if found is None:
        raise CommandError(
            f"{name}: no such run in {history.path}; podreduce list {LOCAL} has the last ones of this machine"
        )
    return found


def find_step(name: str, run: LocalRun) -> str:
    """Return the step that `local/NAME/STEP` names, or an empty text.

    Raises:
        CommandError: the run has no such step.
    """
    step, steps = name.partition("/")[2].partition("/")[2], [each["name"] for each in run.status.get("steps", ())]
    if step and step not in steps:
        has = f"its steps are {', '.join(steps)}" if steps else "it is the run of a job, or has not ended"
        raise CommandError(f"{name}: there is no such step: {has}", CommandExit.INVALID)
    return step


def list_runs(output: Format | None) -> CommandExit:
    """Print the last runs of this machine, the newest first: jobs, and then pipelines."""
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
        say("\n\n".join(build_tables(runs, is_wide=output is Format.WIDE)))
    return CommandExit.DONE


def build_tables(runs: Sequence[LocalRun], *, is_wide: bool) -> Iterator[str]:
    """Yield a table of each kind of run that there is."""
    for kind, is_pipeline in ((JOB, False), (PIPELINE, True)):
        manifests = [as_manifest(run) for run in runs if (run.kind == PIPELINE_RUN) is is_pipeline]
        if manifests:
            yield "\n".join(build_table(kind, manifests, time.time(), is_wide=is_wide, with_namespace=False))


def as_manifest(run: LocalRun) -> Json:
    """Return a run as the job or pipeline that it would be on a cluster."""
    status: Json = {"startTime": stamp(run.started_at), "runId": "1", **run.status, "phase": find_phase(run)}
    if run.ended_at is not None:
        status.setdefault("completionTime", stamp(run.ended_at))
    output = status.get("output") or {}
    return {
        "kind": (PIPELINE if run.kind == PIPELINE_RUN else JOB).names.kind,
        "metadata": {"name": run.id, "namespace": LOCAL, "creationTimestamp": stamp(run.started_at)},
        "spec": {"runId": status["runId"], "output": {"uri": output.get("uri", "")}},
        "status": status,
        "run": {
            "file": run.file,
            "directory": run.directory,
            "kept": [str(path) for path in kept_paths(run)],
            **({"outputs": run.outputs} if run.outputs else {}),
        },
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
    whole = build_pipeline(manifest, {}, now) if run.kind == PIPELINE_RUN else build_job(manifest, [], now)
    parts = whole.below if run.phase in {"Complete", "Failed"} or "steps" in run.status else ()
    tree = Branch(text=f"{head}, {'took' if run.ended_at else 'for'} {render_seconds(took)}", below=parts)
    say("\n".join([*draw(tree, terminal_width(sys.stdout)), *suggest(run)]))
    return CommandExit.DONE


def suggest(run: LocalRun) -> Iterator[str]:
    """Yield what is kept of a run, and the next command."""
    if run.phase == "Failed":
        yield f"why: podreduce diagnose {LOCAL}/{run.id}"
    yield from (f"kept: {path}" for path in kept_paths(run))
    for step, uri in run.outputs.items():
        yield f"output of {step}: {uri.removeprefix('file://')}; podreduce output {LOCAL}/{run.id}/{step} --head 10"
    if run.phase == "Complete" and run.kind != PIPELINE_RUN:
        yield f"its records: podreduce output {LOCAL}/{run.id} --head 10"
    failures = [run.failed_task.rpartition("/")[2], *(each["task"] for each in run.status.get("failures") or ())]
    task = next((each for each in failures if each), None)
    if run.kept_directory(RECORDS_NAME) is not None and task is not None:
        maps = "--maps " if task.startswith(TaskType.REDUCE.letter) else ""
        yield f"the failed task again: podreduce replay {LOCAL}/{run.id} {task} {maps}--pdb"
    if find_phase(run) == "Lost":
        yield f"its process was killed, so nothing says how far it came: podreduce rerun {LOCAL}/{run.id}"


def show_logs_of(name: str, options: LogOptions) -> CommandExit:
    """Print the logs that are kept of a run or one of its steps: of failed attempts, and what others have printed."""
    run = find_run(name)
    step = find_step(name, run)
    task = None if options.task is None else parse_task(options.task, run.status)
    steps = [step] if step else [each["name"] for each in run.status.get("steps", ())] or [""]
    found = [log for each in steps for log in (*read_failed(run, each, options), *read_printed(run, each, options))]
    logs = [log for log in found if task in {None, log.task}]
    print_logs(logs, options)
    if not logs:
        complain(f"{name}: no log: {explain_nothing(run)}")
    return CommandExit.DONE if logs else CommandExit.FAILED


def read_failed(run: LocalRun, step: str, options: LogOptions) -> list[AttemptLog]:
    """Return the logs of the failed attempts of a job, or of a step, by the names of their files, in order."""
    directory = run.kept_directory(LOGS_NAME)
    if directory is None or step != run.failed_step:
        return []
    logs = []
    for path in directory.glob("*.log"):
        if NAMED.fullmatch(path.stem) is not None:
            task = parse_task(path.stem, {})
            text = cut(path.read_text(encoding="utf-8", errors="replace"), options.tail)
            title = f"{f'{step}, ' if step else ''}{task}, attempt {path.stem}: failed"
            logs.append(AttemptLog(task=task, attempt_id=path.stem, title=title, text=text))
    return sorted(logs, key=lambda log: (log.task, log.title))


def read_printed(run: LocalRun, step: str, options: LogOptions) -> Iterator[AttemptLog]:
    """Yield what the tasks of a job, or of a step, that went well have printed."""
    if options.only_failed:
        return
    for task, attempt_id, path in find_printed(open_history(os.environ), run.id, step):
        text = cut(path.read_text(encoding="utf-8", errors="replace"), options.tail)
        title = f"{f'{step}, ' if step else ''}{task}: went well; these are the last lines that it printed"
        yield AttemptLog(task=parse_task(task, {}), attempt_id=attempt_id, title=title, text=text)


def explain_nothing(run: LocalRun) -> str:
    """Return why there is none."""
    if find_phase(run) == "Running":
        return "it runs, and its terminal shows what its tasks print"
    if run.phase == "Failed":
        return f"that task has not failed and printed nothing, or what was kept in {run.workspace} has been removed"
    return "no task has printed anything; only of attempts that failed the whole log is kept"


def show_output_of(name: str, options: OutputOptions) -> CommandExit:
    """Print the records of a run or of a step; of a pipeline list the steps that have an output."""
    run = find_run(name)
    if run.kind != PIPELINE_RUN or find_step(name, run) or not options.is_whole or not run.outputs:
        return show_output_at(find_output(name), options)
    say("\n".join(render_outputs(run.status.get("steps", ()), run.outputs)))
    complain(f"the records of one: podreduce output {LOCAL}/{run.id} --step {[*run.outputs][-1]} --head 10")
    return CommandExit.DONE


def find_output(name: str) -> str:
    """Return the URI of the output of a run, or of one of its steps.

    Raises:
        CommandError: it has published none, or several.
    """
    run = find_run(name)
    step = find_step(name, run)
    uri = run.outputs.get(step) if step else (run.status.get("output") or {}).get("uri")
    if uri is None and run.outputs and not step:
        if len(run.outputs) > 1:
            names = ", ".join(run.outputs)
            raise CommandError(
                f"{name}: several steps have an output: name one with --step: {names}", CommandExit.INVALID
            )
        uri = next(iter(run.outputs.values()))
    if uri is None and step:
        raise CommandError(f"{name}: {explain_no_output(run, step)}", CommandExit.FAILED)
    if uri is None:
        why = f"; podreduce diagnose {LOCAL}/{run.id} says why" if run.phase == "Failed" else ""
        raise CommandError(f"{name}: {find_phase(run).lower()}, without an output{why}", CommandExit.FAILED)
    return str(uri)


def explain_no_output(run: LocalRun, step: str) -> str:
    """Return why a step has no output to show."""
    line = next(each for each in run.status["steps"] if each["name"] == step)
    if line["state"] in DONE:
        return f"the step {step} is {render_state(line)}, and has no output with a uri of its own"
    return f"the step {step} has no output: it is {render_state(line)}; podreduce diagnose {LOCAL}/{run.id} says why"


def find_records(name: str) -> Path:
    """Return the directory with a run's records.

    Raises:
        CommandError: nothing is kept of it.
    """
    run = find_run(name)
    step = find_step(name, run)
    if step not in {"", run.failed_step}:
        raise CommandError(
            f"{name}: records are kept only of the step that failed: {run.failed_step or 'none did'}",
            CommandExit.FAILED,
        )
    directory = run.kept_directory(RECORDS_NAME)
    if directory is None:
        raise CommandError(
            f"{name}: {find_phase(run).lower()}: records are kept only of runs that failed, until somebody "
            f"removes {run.workspace}",
            CommandExit.FAILED,
        )
    return directory
