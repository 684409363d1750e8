"""`podreduce plan`: what a run of a pipeline would do now, and why. Rule: changes nothing."""

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import PodreduceError
from podreduce_operator.api.pipeline_parameters import resolve_steps
from podreduce_operator.cli.job_file import JobFile
from podreduce_operator.cli.overrides import Overrides, StepOverrides
from podreduce_operator.cli.pipelines.graph import Known, StepGraph, StepMark, build_graph
from podreduce_operator.cli.pipelines.graph_file import write_graph
from podreduce_operator.cli.pipelines.graph_lines import draw_list, draw_rows
from podreduce_operator.cli.pipelines.last_run import read_last_run
from podreduce_operator.cli.pipelines.overrides import load_local_pipeline
from podreduce_operator.cli.pipelines.status_graph import describe_last
from podreduce_operator.cli.run import ExitStatus, InvalidFileError
from podreduce_operator.cli.terminal import complain, say, terminal_width
from podreduce_operator.cli.wording import render_bytes, render_seconds, wrap
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.local.local_jobs import LocalJobs, Machine
from podreduce_operator.cluster.local.machine import count_cores
from podreduce_operator.cluster.local.processes import INSTALLATION
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.pipelines import PipelineObserved, PipelineRunState, PipelineView
from podreduce_operator.pipeline_runs.pin_run import describe_run
from podreduce_operator.pipeline_runs.pipeline_run import PipelineRun, RunMemory
from podreduce_operator.pipeline_runs.step_data import look_for_data
from podreduce_operator.pipelines.freshness import State
from podreduce_operator.pipelines.picture import Picture, as_record, look_at
from podreduce_operator.pipelines.reasons import explain_states
from podreduce_operator.pods.pod_names import hash_run

__all__ = ["plan_pipeline"]

STATES: Mapping[State, str] = {State.REUSED: "reuse", State.RUN: "run", State.WAITING: "run after"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a run would do.

    Attributes:
        observed: what is known of the pipeline now.
        picture: its steps.
        reasons: why each step runs or not, by its node's name.
    """

    observed: PipelineObserved
    picture: Picture
    reasons: Mapping[str, str]


def plan_pipeline(
    file: JobFile, overrides: Overrides, of_steps: StepOverrides, graph: Path | None = None
) -> ExitStatus:
    """Print what a run of the pipeline in a file would do now, with the records in `--keep`, if it is given.

    `graph`: the file for its picture.
    """
    try:
        pipeline = load_local_pipeline(file, overrides, of_steps)
        keep = None if of_steps.keep is None else str(of_steps.keep.absolute())
        outlook = asyncio.run(look_ahead(pipeline, file, keep))
    except (InvalidFileError, ActionError, PodreduceError) as error:
        complain(str(error))
        return ExitStatus.INVALID
    say("\n".join(render_outlook(outlook, terminal_width(sys.stdout))))
    if graph is None:
        return ExitStatus.COMPLETE
    problem = write_graph(graph, graph_of(outlook, read_last_run(of_steps.keep)), pipeline.key.name)
    if problem:
        complain(problem)
    return ExitStatus.FAILED if problem else ExitStatus.COMPLETE


def graph_of(outlook: Outlook, last: Mapping[str, Any] = MappingProxyType({})) -> StepGraph:
    """Return the pipeline as a graph, with what a run would do, and what became of each step in the `last` one."""
    picture, spec = outlook.picture, outlook.observed.pipeline.spec
    nodes = {place.step: name for name, place in latest(picture).items()}
    reused = {step: picture.states[name] is State.REUSED for step, name in nodes.items()}
    before = {step["name"]: step for step in last.get("steps") or ()}
    sizes = {step: outlook.observed.digests[step].bytes_in for step in nodes}
    known = Known(
        marks={step: StepMark.REUSE if is_reused else StepMark.RUN for step, is_reused in reused.items()},
        notes={
            step: [
                *([f"reads {render_bytes(size)}"] if size and not reused[step] else []),
                *(describe_last(before[step]) if step in before else []),
            ]
            for step, size in sizes.items()
        },
        iterations={name: loop.iteration - (0 if loop.end else 1) for name, loop in picture.unrolled.loops.items()},
        path=[picture.unrolled.places[name].step for name in picture.critical_path],
    )
    return build_graph(resolve_steps(spec), known)


async def look_ahead(pipeline: PipelineView, file: JobFile, keep: str | None) -> Outlook:
    """Return what a run would do. The programs, the listings and the records are read, and nothing is written."""
    with tempfile.TemporaryDirectory() as empty:
        storage = JobStorage(work_uri=f"file://{keep or empty}/", installation=INSTALLATION, settings=StorageSettings())
        run = PipelineRun(view=pipeline, run_id=pipeline.spec.run_id, storage=storage, memory=RunMemory())
        cluster = LocalJobs(
            pipeline=pipeline,
            config_maps=file.config_maps,
            work_directory=Path(empty),
            data_uri=storage.work_uri,
            machine=Machine(parallelism=count_cores(), memory_bytes=1),
            tell=lambda _job, _notice: None,
            tell_status=ignore,
            remove_data=ignore_job,
        )
        await run.read_records()
        run.memory.pinned[run.run_id] = await describe_run(run, cluster)
        run = run.with_pinned_spec()
        observed = PipelineObserved(
            pipeline=run.view,
            run=PipelineRunState(run_id=run.run_id),
            run_hash=hash_run(pipeline.uid, run.run_id),
            parallelism=pipeline.spec.parallelism or count_cores(),
            digests=run.digests(),
            records=dict(run.memory.records),
            data=await look_for_data(run),
        )
    return explain(observed, run)


def explain(observed: PipelineObserved, run: PipelineRun) -> Outlook:
    """Return the outlook on what is observed."""
    picture = look_at(observed)
    steps = {} if run.pinned is None else {step.name: step.reason for step in run.pinned.steps if step.reason}
    never = {name: steps[place.step] for name, place in picture.unrolled.places.items() if place.step in steps}
    records = {name: as_record(record, observed) for name, record in observed.records.items()}
    reasons = explain_states(picture.unrolled.nodes, records, observed.data, never)
    return Outlook(observed=observed, picture=picture, reasons=reasons)


def ignore(_status: Mapping[str, Any]) -> None:
    """Do nothing: no status is written."""


async def ignore_job(_job: object) -> None:
    """Do nothing: no job is deleted."""


def render_outlook(outlook: Outlook, width: int | None = None) -> Iterator[str]:
    """Yield a line for each step, and the longest way. With the width of a terminal, what steps wait for is drawn."""
    told = dict(describe_nodes(outlook))
    if width is None:
        yield from (f"{name:<14} {what:<22} {why}" for name, what, why in told.values())
    else:
        shown = {step: (name, what.split()[0], why) for step, (name, what, why) in told.items()}
        yield from draw_list(draw_rows(graph_of(outlook)), shown, width)
    picture = outlook.picture
    if picture.critical_path:
        seconds = render_seconds(max(picture.ranks.values(), default=0.0))
        path = f"longest way: {' > '.join(picture.critical_path)}, about {seconds}"
        yield path if width is None else wrap(path, width)
    else:
        yield "nothing would run"


def describe_nodes(outlook: Outlook) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """Yield each step with its node's name, what would be done about it, and why."""
    picture, observed = outlook.picture, outlook.observed
    waits = {node.name: [*node.producers, *node.after] for node in picture.unrolled.nodes}
    for name, place in latest(picture).items():
        state = picture.states[name]
        before = [each for each in waits[name] if picture.states[each] is not State.REUSED]
        what = f"{STATES[state]} {', '.join(dict.fromkeys(before))}" if state is State.WAITING else STATES[state]
        size = observed.digests[place.step].bytes_in
        amount = f"{render_bytes(size)} of objects" if size and state is not State.REUSED else ""
        yield place.step, (name, what, f"{outlook.reasons[name]}{f'; reads {amount}' if amount else ''}")


def latest(picture: Picture) -> dict[str, Any]:
    """Return the newest node of each step, with its place."""
    newest = {place.step: name for name, place in picture.unrolled.places.items()}
    return {name: picture.unrolled.places[name] for name in newest.values()}
