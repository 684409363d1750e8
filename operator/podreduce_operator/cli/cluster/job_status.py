"""`podreduce status`: a resource as a tree, once or until its run comes to rest."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podreduce_operator.api.crd import PIPELINES, known_spec
from podreduce_operator.api.pipeline_spec import decode_pipeline_spec
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.following import follow
from podreduce_operator.cli.cluster.kinds import JOB, PIPELINE, Reference
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.pipeline_tree import build_pipeline
from podreduce_operator.cli.cluster.printing import print_resources
from podreduce_operator.cli.cluster.program_change import find_program_change
from podreduce_operator.cli.cluster.resources import list_jobs_of, list_pods_of, name_of, read_resource
from podreduce_operator.cli.cluster.run_facts import Ending, find_ending
from podreduce_operator.cli.cluster.screen import open_screen
from podreduce_operator.cli.cluster.status_tree import build_job, build_schedule
from podreduce_operator.cli.cluster.tree import Branch, draw
from podreduce_operator.cli.pipelines.graph_file import write_graph
from podreduce_operator.cli.pipelines.status_graph import graph_of_status
from podreduce_operator.cli.terminal import say, terminal_width

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection
    from podreduce_operator.model.pods import PodView

__all__ = ["show_status", "watch_status"]

Json = dict[str, Any]

MAX_JOBS = 3
"""How many jobs or pipelines of a schedule are shown, the newest first."""


async def show_status(
    connection: "Connection", reference: Reference, output: Format | None, graph: Path | None = None
) -> CommandExit:
    """Print a resource as a tree, or whole. `graph`: the file for the picture of a pipeline.

    Raises:
        CommandError: it is no pipeline and cannot be drawn, or the picture cannot be written.
    """
    manifest = await read_resource(connection, reference)
    if graph is not None:
        draw_graph(reference, manifest, graph)
    if output not in {None, Format.WIDE}:
        print_resources([manifest], output or Format.JSON, is_list=False)
        return CommandExit.DONE
    lines = await render(connection, reference, manifest, terminal_width(sys.stdout))
    say("\n".join([*lines, *suggest(connection, reference, manifest)]))
    return CommandExit.DONE


def draw_graph(reference: Reference, manifest: Json, path: Path) -> None:
    """Draw a pipeline with the states of its steps.

    Raises:
        CommandError: it is no pipeline, or the picture cannot be written.
    """
    if reference.kind is not PIPELINE:
        raise CommandError("--graph: only a pipeline has steps to draw: name one, such as mrp/web")
    spec = decode_pipeline_spec(known_spec(manifest["spec"], PIPELINES))
    problem = write_graph(path, graph_of_status(spec, manifest.get("status") or {}), name_of(manifest))
    if problem:
        raise CommandError(problem)


async def watch_status(connection: "Connection", reference: Reference) -> CommandExit:
    """Show a resource as a tree while its run goes on. A schedule is shown until it is interrupted."""
    with open_screen(sys.stdout) as screen:
        async for manifest in follow(connection, reference):
            screen.show(await render(connection, reference, manifest, screen.width))
            if reference.kind.has_runs and find_ending(manifest) is not None:
                break
    for line in suggest(connection, reference, manifest):
        say(line)
    return CommandExit.DONE


async def render(connection: "Connection", reference: Reference, manifest: Json, width: int | None) -> list[str]:
    """Return the lines of a resource's tree."""
    if reference.kind is JOB:
        return list(draw(await build_with_pods(connection, manifest), width))
    if reference.kind is PIPELINE:
        return list(draw(await build_with_jobs(connection, manifest), width))
    if "pipelineTemplate" in manifest["spec"]:
        pipelines = (await list_jobs_of(connection, manifest, PIPELINE))[:MAX_JOBS]
        trees = [await build_with_jobs(connection, pipeline) for pipeline in pipelines]
    else:
        jobs = (await list_jobs_of(connection, manifest))[:MAX_JOBS]
        trees = [await build_with_pods(connection, job) for job in jobs]
    return list(draw(build_schedule(manifest, trees, time.time()), width))


async def build_with_jobs(connection: "Connection", pipeline: Json) -> Branch:
    """Return a pipeline's tree with the jobs of the steps that run."""
    return build_pipeline(pipeline, await build_running(connection, pipeline), time.time())


async def build_running(connection: "Connection", pipeline: Json) -> dict[str, Branch]:
    """Return the trees of the jobs that run for a pipeline's steps, by their names."""
    names = {
        step.get("job") for step in (pipeline.get("status") or {}).get("steps") or () if step["state"] == "Running"
    }
    jobs = [job for job in await list_jobs_of(connection, pipeline) if name_of(job) in names]
    return {name_of(job): await build_with_pods(connection, job) for job in jobs}


async def build_with_pods(connection: "Connection", job: Json) -> Branch:
    """Return a job's tree with its pods, if they may be listed, and whether its program has changed."""
    pods: list[PodView] | None = []
    if find_ending(job) is None:
        try:
            pods = await list_pods_of(connection, job)
        except CommandError:
            pods = None
    try:
        change = await find_program_change(connection, job)
    except CommandError:  # diagnose says why
        change = ""
    return build_job(job, pods, time.time(), program_change=change)


def suggest(connection: "Connection", reference: Reference, manifest: Json) -> list[str]:
    """Return the next command for a run that came to rest, or that nobody has begun."""
    if reference.kind is not JOB:
        return suggest_for_pipeline(connection, reference, manifest) if reference.kind is PIPELINE else []
    match find_ending(manifest):
        case Ending.COMPLETE:
            return [f"its records: {connection.place.command('output', reference.name, '--head', '10')}"]
        case Ending.FAILED:
            return [f"why it failed: {connection.place.command('diagnose', reference.name)}"]
        case Ending.SUSPENDED:
            return [f"to go on: {connection.place.command('resume', reference.name)}"]
        case None:
            return [] if manifest.get("status") else [f"why: {connection.place.command('diagnose', reference.name)}"]


def suggest_for_pipeline(connection: "Connection", reference: Reference, manifest: Json) -> list[str]:
    """Return the next command for a pipeline that came to rest, or of which a step has failed."""
    steps, ending = (manifest.get("status") or {}).get("steps") or (), find_ending(manifest)
    if ending is Ending.FAILED or any(step["state"] == "Failed" for step in steps) or not manifest.get("status"):
        return [f"why: {connection.place.command('diagnose', str(reference))}"]
    if ending is Ending.COMPLETE:
        return [f"its outputs: {connection.place.command('output', str(reference))}"]
    return [f"to go on: {connection.place.command('resume', str(reference))}"] if ending is Ending.SUSPENDED else []
