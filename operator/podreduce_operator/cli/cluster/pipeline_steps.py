"""The steps of a pipeline's run, each with its job, if there is one.

A step of a loop has a job for each iteration. Without an iteration, its last one is meant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.kinds import Reference
from podreduce_operator.cli.cluster.resources import list_jobs_of, name_of, uid_of
from podreduce_operator.cli.cluster.run_facts import spec_of, status_of
from podreduce_operator.pipelines.job_of_step import RUN_LABEL, read_place
from podreduce_operator.pods.pod_names import hash_run

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["Step", "explain_no_job", "find_failed", "find_steps", "name_steps"]

Json = dict[str, Any]

NO_JOB = {
    "Reused": "is unchanged since run {run}, so this run has made no job for it",
    "Waiting": "waits for other steps, and has no job yet",
    "NotReached": "was not reached, so it has no job",
}
"""Why a step has no job, by its state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of a run.

    Attributes:
        name: as `--step` takes it: `sum`, or `sum/3` if an iteration was asked for.
        line: what the pipeline's status says of it.
        job: None if there is none.
    """

    name: str
    line: Mapping[str, Any]
    job: Json | None = None

    @property
    def state(self) -> str:
        """Where it stands."""
        return str(self.line.get("state", "Waiting"))


async def find_steps(connection: "Connection", reference: Reference, pipeline: Json, wanted: str | None) -> list[Step]:
    """Return the steps of the run that the status describes, in the order of the spec; only one if it is `wanted`.

    Raises:
        CommandError: there is no such step, or no such iteration.
    """
    lines = read_lines(pipeline)
    if wanted is not None:
        lines = [line for line in lines if line["name"] == wanted.partition("/")[0]]
    if not lines and wanted is not None:
        known = ", ".join(line["name"] for line in read_lines(pipeline))
        raise CommandError(f"{reference}: there is no step {wanted}: its steps are {known}", CommandExit.INVALID)
    jobs = await list_jobs_of(connection, pipeline)
    if wanted is not None and "/" in wanted:
        return [Step(name=wanted, line=lines[0], job=find_iteration(reference, pipeline, jobs, wanted))]
    by_name = {name_of(job): job for job in jobs}
    return [Step(name=line["name"], line=line, job=by_name.get(line.get("job", ""))) for line in lines]


def read_lines(pipeline: Json) -> list[Mapping[str, Any]]:
    """Return what the status says of each step. Before the operator has seen the pipeline, all steps wait."""
    lines = status_of(pipeline).get("steps")
    return list(lines or ({"name": step["name"], "state": "Waiting"} for step in spec_of(pipeline).get("steps", ())))


def find_iteration(reference: Reference, pipeline: Json, jobs: Sequence[Json], wanted: str) -> Json:
    """Return the job of one iteration of a step.

    Raises:
        CommandError: there is none.
    """
    run_hash = hash_run(uid_of(pipeline), str(status_of(pipeline).get("runId", "1")))
    labels = [(job["metadata"].get("labels") or {}, job) for job in jobs]
    places = {str(read_place(own)): job for own, job in labels if own.get(RUN_LABEL) == run_hash}
    if wanted in places:
        return places[wanted]
    step = wanted.partition("/")[0]
    known = sorted(int(place.partition("/")[2]) for place in places if place.startswith(f"{step}/"))
    there = f"there are jobs of the iterations {known[0]} to {known[-1]}" if known else "no iteration of it has a job"
    raise CommandError(f"{reference}: {wanted}: {there}", CommandExit.INVALID)


def find_failed(steps: Sequence[Step]) -> Step | None:
    """Return the first step that failed."""
    return next((step for step in steps if step.state == "Failed"), None)


def name_steps(steps: Sequence[Step]) -> str:
    """Return the names of steps, for a message."""
    return ", ".join(step.name for step in steps)


def explain_no_job(step: Step) -> str:
    """Return why a step has no job."""
    if "job" in step.line:
        return f"the job {step.line['job']} of the step {step.name} is not there any more"
    told = NO_JOB.get(step.state, "has no job").format(run=step.line.get("run", "?"))
    return f"the step {step.name} {told}"
