"""The MapReduceJob of a step, and the step of a job. Rule: pure.

A job's name is a lock: it contains the run's hash and the iteration, so a step has one job in each. Of the pipeline's
metadata only the name of its queue is copied: GitOps tools delete what bears labels of a resource and is not in Git.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from podreduce_operator.api.crd import API_VERSION, GROUP, JOBS, PIPELINES
from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.api.pipeline_formats import settle_format
from podreduce_operator.api.pipeline_parameters import resolve_output_uri, resolve_step
from podreduce_operator.api.pipeline_spec import PipelineSpec, StepInput, StepSpec
from podreduce_operator.api.spec import ProgramSpec
from podreduce_operator.model.pipeline_records import Place
from podreduce_operator.model.pipelines import CreateStep, PipelineView
from podreduce_operator.pipelines.carried_maps import keeps_maps, label_maps
from podreduce_operator.pipelines.freshness import Node
from podreduce_operator.pods.pod_names import MAX_NAME_CHARACTERS, bounded_name
from podreduce_operator.pods.template_merge import join_templates

__all__ = [
    "ITERATION_LABEL",
    "PIPELINE_LABEL",
    "RUN_LABEL",
    "STEP_FIELDS",
    "STEP_LABEL",
    "PinnedRun",
    "StepJobError",
    "build_step_job",
    "find_output_uri",
    "read_place",
    "step_job_name",
]

PIPELINE_LABEL: Final = f"{GROUP}/pipeline"
STEP_LABEL: Final = f"{GROUP}/step"
ITERATION_LABEL: Final = f"{GROUP}/iteration"
RUN_LABEL: Final = f"{GROUP}/pipeline-run"
QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"

KEPT_MAPS_SECONDS: Final = 7 * 86_400
"""How long kept map output stays at least, if nothing deletes it: longer than an iteration takes."""

MAX_SOURCE_BYTES: Final = 131_072
"""The CRD's limit for a program in a job's spec."""

STEP_FIELDS: Final = frozenset(
    {
        "className",
        "dependsOn",
        "image",
        "inheritParameters",
        "inputs",
        "name",
        "output",
        "parallelism",
        "parameters",
        "podTemplate",
        "program",
        "reuse",
        "sideInputs",
    }
)
"""The fields of a step that the pipeline reads. All others are fields of its job, as they are."""
SOURCE_FIELDS: Final = frozenset({"name", "uris", "from", "previous", "first"})
"""The fields of an input that say what it reads. All others are fields of the job's input."""


class StepJobError(ValueError):
    """The job of a step cannot be made. The message names the step and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedRun:
    """What is the same for all jobs of a run.

    Attributes:
        run_hash: tells the runs of all pipelines apart.
        sources: the programs in ConfigMaps, as they were when the run began, by the ConfigMap's name and key.
        owned: the steps whose `output.uri` holds what this pipeline has written.
    """

    run_hash: str
    sources: Mapping[tuple[str, str], str] = field(default_factory=dict)
    owned: frozenset[str] = frozenset()


def build_step_job(
    pipeline: PipelineView, run: PinnedRun, node: Node, action: CreateStep, outputs: Mapping[str, str]
) -> dict[str, Any]:
    """Return the manifest of a step's job. Fields that are not set have the CRD's defaults.

    Args:
        pipeline: with the CRD's defaults.
        run: what its jobs have in common.
        node: the step as it is unrolled: its sources say which outputs it reads.
        action: the step, its iteration and its share of the slots.
        outputs: where the outputs are that it reads, and its own, by the nodes' names.

    Raises:
        StepJobError: its program is missing, or is too large for a job.
        SubstitutionError: a placeholder names no parameter.
        PodTemplateError: the pod templates of the pipeline and the step do not fit together.
    """
    spec, place = pipeline.spec, action.place
    step, raw = resolve_step(spec, place.step), find_raw_step(pipeline, place.step)
    metadata = describe_metadata(pipeline, run, step, action)
    return {
        "apiVersion": API_VERSION,
        "kind": JOBS.kind,
        "metadata": metadata,
        "spec": {
            **{name: value for name, value in raw.items() if name not in STEP_FIELDS},
            **merge_defaults(pipeline.raw_spec, raw),
            "program": describe_program(step, run),
            **describe_inputs(spec, step, raw, node, outputs),
            "output": describe_output(step, raw.get("output", {}), run, outputs[node.name], place),
            "parallelism": action.share,
            "suspend": False,
            "ttlSecondsAfterFinished": choose_ttl(spec, metadata["labels"]),
        },
    }


def find_raw_step(pipeline: PipelineView, name: str) -> Mapping[str, Any]:
    """Return a step as it is written."""
    raw: Mapping[str, Any] = next(each for each in pipeline.raw_spec["steps"] if each["name"] == name)
    return raw


def choose_ttl(spec: PipelineSpec, labels: Mapping[str, str]) -> int:
    """Return how long the job's records stay. A job that keeps its map output is deleted when its loop has ended."""
    ttl = spec.ttl_seconds_after_finished
    return max(ttl, KEPT_MAPS_SECONDS) if keeps_maps(labels) else ttl


def describe_metadata(pipeline: PipelineView, run: PinnedRun, step: StepSpec, action: CreateStep) -> dict[str, Any]:
    """Return a job's name, its labels, and its controller."""
    place = action.place
    labels = {
        PIPELINE_LABEL: bounded_name(pipeline.key.name),
        STEP_LABEL: place.step,
        RUN_LABEL: run.run_hash,
    }
    if place.iteration:
        labels[ITERATION_LABEL] = str(place.iteration)
    labels |= label_maps(pipeline.spec, step, action.maps_from)
    if QUEUE_LABEL in pipeline.labels:
        labels[QUEUE_LABEL] = pipeline.labels[QUEUE_LABEL]
    controller = {
        "apiVersion": API_VERSION,
        "kind": PIPELINES.kind,
        "name": pipeline.key.name,
        "uid": pipeline.uid,
        "controller": True,
    }
    return {
        "name": step_job_name(pipeline.key.name, run.run_hash, place),
        "namespace": pipeline.key.namespace,
        "labels": labels,
        "ownerReferences": [controller],
    }


def step_job_name(pipeline: str, run_hash: str, place: Place) -> str:
    """Return the name of a step's job, such as `pagerank-sum-1f0c9a2b3d-12`. It is also a label, so it is short."""
    iteration = f"-{place.iteration}" if place.iteration else ""
    ending = f"-{place.step}-{run_hash}{iteration}"
    return bounded_name(pipeline, MAX_NAME_CHARACTERS - len(ending)) + ending


def read_place(labels: Mapping[str, str]) -> Place | None:
    """Return the step and the iteration of a job by its labels; None if they are not those of a step's job."""
    step, iteration = labels.get(STEP_LABEL), labels.get(ITERATION_LABEL, "0")
    if not step or not iteration.isdecimal():
        return None
    return Place(step=step, iteration=int(iteration))


def merge_defaults(pipeline: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """Return the image, the storage and the pod template: the step's over the pipeline's."""
    merged = {name: pipeline[name] for name in ("image", "storage", "podTemplate") if name in pipeline}
    if "image" in step:
        merged["image"] = step["image"]
    if "podTemplate" in step:
        path = f"step {step['name']}: podTemplate"
        merged["podTemplate"] = join_templates(pipeline.get("podTemplate", {}), step["podTemplate"], path)
    return merged


def describe_program(step: StepSpec, run: PinnedRun) -> dict[str, Any]:
    """Return the program of a step, with the text of a ConfigMap in it."""
    program = step.program
    if program is None:
        raise StepJobError(f"the step {step.name} has no program: give it one, or give spec.program for all steps")
    code = {"module": program.module} if program.module is not None else {"source": read_source(program, step, run)}
    name = {} if program.class_name is None else {"className": program.class_name}
    return {**code, **name, "parameters": program.parameters, **describe_files(program)}


def describe_files(program: ProgramSpec) -> dict[str, Any]:
    """Return the files that a program needs: its archive and its wheels."""
    archive = {} if program.archive is None else {"archive": msgspec.to_builtins(program.archive)}
    requirements = [msgspec.to_builtins(each) for each in program.requirements]
    return archive | ({"requirements": requirements} if requirements else {})


def read_source(program: ProgramSpec, step: StepSpec, run: PinnedRun) -> str:
    """Return the text of a program."""
    if program.source_from is None:
        return program.source or ""
    reference = program.source_from.config_map_key_ref
    source = run.sources[reference.name, reference.key]
    if len(source.encode()) > MAX_SOURCE_BYTES:
        raise StepJobError(
            f"the step {step.name}: the program in the ConfigMap {reference.name}, key {reference.key} has more than "
            "128 KiB, which a job cannot hold: put it into the image (module), or give steps programs of their own"
        )
    return source


def describe_inputs(
    spec: PipelineSpec, step: StepSpec, raw: Mapping[str, Any], node: Node, outputs: Mapping[str, str]
) -> dict[str, Any]:
    """Return the inputs and the side inputs of a step's job."""
    count = len(step.inputs)
    read = [
        [as_prefix(outputs[source.step])] if source.step is not None else list(each.read_uris)
        for each, source in zip(step.all_inputs, node.sources, strict=True)
    ]
    written = [*raw["inputs"], *raw.get("sideInputs", ())]
    described = [
        describe_input(spec, each, fields, uris)
        for each, fields, uris in zip(step.all_inputs, written, read, strict=True)
    ]
    sides = {"sideInputs": described[count:]} if described[count:] else {}
    return {"inputs": described[:count], **sides}


def describe_input(spec: PipelineSpec, each: StepInput, raw: Mapping[str, Any], uris: list[str]) -> dict[str, Any]:
    """Return an input of a job. Its format is the one that its producer writes, if it names none."""
    producers = [step for name in each.read_steps if (step := spec.step(name)) is not None]
    options = {name: value for name, value in raw.items() if name not in SOURCE_FIELDS}
    return {"name": each.known_name, "uris": uris, **settle_format(each, producers), **options}


def describe_output(step: StepSpec, raw: Mapping[str, Any], run: PinnedRun, uri: str, place: Place) -> dict[str, Any]:
    """Return the output of a job. What is in the operator's own place is always replaced."""
    if_exists = raw.get("ifExists", "Fail")
    if step.output.uri is None or place.iteration:
        if_exists = "Replace"
    elif if_exists == "ReplaceOwn":
        if_exists = "Replace" if step.name in run.owned else "Fail"
    return {**raw, "uri": as_prefix(uri), "format": step.output.written_format, "ifExists": if_exists}


def find_output_uri(spec: PipelineSpec, place: Place, data_uri: str) -> str:
    """Return where a step writes: to its URI, or below `data_uri`. Each iteration of a loop has its own place there.

    Raises:
        SubstitutionError: the URI has a placeholder that names no parameter.
    """
    uri = None if place.iteration else resolve_output_uri(spec, place.step)
    return f"{as_prefix(data_uri)}{place}/" if uri is None else as_prefix(uri)
