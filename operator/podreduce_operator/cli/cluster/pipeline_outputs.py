"""Where the steps of a pipeline have written: at a URI of their own, or in the pipeline's place below `workUri`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from podreduce_operator.api.crd import PIPELINES, known_spec
from podreduce_operator.api.owners import read_controller
from podreduce_operator.api.pipeline_spec import PipelineSpec, decode_pipeline_spec
from podreduce_operator.api.spec import SpecError
from podreduce_operator.api.substitution import SubstitutionError
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.pipeline_steps import Step, name_steps
from podreduce_operator.cli.cluster.printing import align
from podreduce_operator.cli.cluster.run_facts import spec_of, status_of
from podreduce_operator.cli.pipelines.step_words import render_state
from podreduce_operator.cli.wording import render_bytes
from podreduce_operator.model.pipeline_records import Place
from podreduce_operator.model.resources import JobKey, ResourceView
from podreduce_operator.pipeline_runs.places import DATA_PREFIX, result_uri, steps_uri
from podreduce_operator.pipelines.job_of_step import find_output_uri
from podreduce_operator.policy.pipeline_status import DONE

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.run_store import RunStore
    from podreduce_operator.cli.cluster.subjects import Subject

__all__ = ["choose_step", "find_outputs", "find_step_uri", "render_outputs"]

Json = dict[str, Any]


def find_outputs(subject: "Subject") -> dict[str, str]:
    """Return the URIs of the steps that have one of their own, by the steps' names."""
    spec = read_spec(subject)
    uris = {step.name: own_uri(spec, step.name) for step in subject.steps or ()}
    return {name: uri for name, uri in uris.items() if uri is not None}


def render_outputs(lines: Iterable[Mapping[str, Any]], uris: Mapping[str, str]) -> list[str]:
    """Return a table of the steps that have an output. `lines`: what the pipeline's status says of each step."""
    rows = [
        (
            line["name"],
            render_state(line),
            f"{line['records']:,}" if "records" in line else "-",
            render_bytes(line["bytes"]) if "bytes" in line else "-",
            uris[line["name"]].removeprefix("file://"),
        )
        for line in lines
        if line["name"] in uris
    ]
    return align([("STEP", "STATE", "RECORDS", "SIZE", "OUTPUT"), *rows])


def choose_step(subject: "Subject") -> Step:
    """Return the step whose output is meant: the one that is asked about, or the only one with a URI of its own.

    Raises:
        CommandError: several have one, or none.
    """
    steps, uris = subject.steps or [], find_outputs(subject)
    if len(steps) == 1:
        return steps[0]
    named = [step for step in steps if step.name in uris]
    if len(named) == 1:
        return named[0]
    raise CommandError(f"{subject.reference}: {explain_choice(named, steps)}", CommandExit.INVALID)


def explain_choice(named: Sequence[Step], steps: Sequence[Step]) -> str:
    """Return which steps may be named."""
    if named:
        return f"several steps have an output: name one with --step: {name_steps(named)}"
    return f"no step has an output with a URI; --step shows what a step wrote for others: {name_steps(steps)}"


def find_step_uri(subject: "Subject", step: Step, opened: "RunStore") -> str:
    """Return where a complete step has written.

    Raises:
        CommandError: it is not complete, or its place is below `workUri`, which is not known.
    """
    spec = read_spec(subject)
    place = find_place(subject, spec, step)
    if "/" not in step.name and step.state not in DONE:
        command = "diagnose" if step.state in {"Failed", "NotReached"} else "wait"
        raise CommandError(
            f"{subject.reference}: the step {step.name} has no complete output: it is {render_state(step.line)}; "
            f"podreduce {command} {subject.reference}",
            CommandExit.FAILED,
        )
    uri = None if place.iteration else own_uri(spec, place.step)
    if uri is not None:
        return uri
    if opened.storage is None:
        raise CommandError(
            f"{subject.reference}: the step {step.name} has no URI of its own: its output is below workUri, which only "
            "the storage Secret says"
        )
    return find_output_uri(spec, place, steps_uri(opened.storage, view(subject.manifest)) + DATA_PREFIX)


def find_place(subject: "Subject", spec: PipelineSpec, step: Step) -> Place:
    """Return the step, and its iteration: the one that is named, or the last complete one without a URI of its own."""
    name, _, iteration = step.name.partition("/")
    if iteration:
        return Place(step=name, iteration=int(iteration))
    loop = spec.loop_of(name)
    if loop is None or own_uri(spec, name) is not None:
        return Place(step=name)
    lines = status_of(subject.manifest).get("loops") or ()
    return Place(step=name, iteration=next((line["iteration"] for line in lines if line["name"] == loop.name), 0))


def read_spec(subject: "Subject") -> PipelineSpec:
    """Return the spec of a pipeline.

    Raises:
        CommandError: this release does not understand it.
    """
    try:
        return decode_pipeline_spec(known_spec(spec_of(subject.manifest), PIPELINES))
    except SpecError as error:
        raise CommandError(f"{subject.reference}: {error}", CommandExit.FAILED) from error


def own_uri(spec: PipelineSpec, name: str) -> str | None:
    """Return the URI that the author gave for a step's output.

    Raises:
        CommandError: it has a placeholder that names no parameter.
    """
    try:
        return result_uri(spec, name.partition("/")[0])
    except SubstitutionError as error:
        raise CommandError(str(error), CommandExit.FAILED) from error


def view(manifest: Json) -> ResourceView:
    """Return a manifest as the operator sees it, as far as the place of its data depends on it."""
    metadata = manifest["metadata"]
    return ResourceView(
        key=JobKey(namespace=metadata["namespace"], name=metadata["name"]),
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        raw_spec=spec_of(manifest),
        status=status_of(manifest),
        labels=metadata.get("labels") or {},
        controller=read_controller(metadata),
    )
