"""Reads a file with a MapReducePipeline, and checks all of it: the CRD, the graph, the programs, the job of each step.

Rule: only reads. Nothing is asked of a cluster, so the checks are those that the text alone allows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

from podreduce_operator.api.crd import API_VERSION, PIPELINES, schema_of
from podreduce_operator.api.crd_schema import FieldProblem
from podreduce_operator.api.job_files import ManifestError, load_documents, show
from podreduce_operator.api.job_positions import find_block, find_line, split_path
from podreduce_operator.api.pipeline_parameters import resolve_step
from podreduce_operator.api.pipeline_problems import find_pipeline_problems
from podreduce_operator.api.pipeline_spec import PipelineSpec, decode_pipeline_spec
from podreduce_operator.api.spec import ProgramSpec, decode_spec
from podreduce_operator.api.validation import (
    InvalidJobError,
    apply_crd_defaults,
    find_rule_problems,
    find_schema_problems,
    validate_job,
)
from podreduce_operator.cli.job_file import JobFile, index_config_maps, is_kind
from podreduce_operator.cli.program_source import ProgramSource, describe_problems
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.pipelines.first_jobs import build_first_jobs
from podreduce_operator.pipelines.job_of_step import PinnedRun, StepJobError
from podreduce_operator.pods.template_check import find_template_problem
from podreduce_operator.pods.template_merge import PodTemplateError

__all__ = [
    "InvalidPipelineError",
    "describe_place",
    "find_step_source",
    "graph_rules",
    "has_pipeline",
    "load_pipeline",
    "parse_pipeline_file",
]

DATA_URI = "s3://intermediate/data/"
"""Where outputs without a URI would lie, to check the jobs. Nothing is written there."""
UNKNOWN_SOURCE = "class Job:\n    def map_func(self, key, value):\n        yield key, value\n"
"""Stands for a program in a ConfigMap that the file does not hold."""


class InvalidPipelineError(ValueError):
    """The pipeline cannot run. The message names the file, the lines and the fields, and what is expected."""


def has_pipeline(text: str, source: str) -> bool:
    """Tell whether a YAML or JSON file holds a pipeline.

    Raises:
        ManifestError: it is neither YAML nor JSON.
    """
    return any(is_kind(document, PIPELINES.kind) for document in load_documents(text, source))


def parse_pipeline_file(text: str, source: str) -> JobFile:
    """Return the pipeline and the ConfigMaps in `text`.

    Raises:
        ManifestError: it does not have exactly one MapReducePipeline of this version.
    """
    documents = load_documents(text, source)
    pipelines = [document for document in documents if is_kind(document, PIPELINES.kind)]
    others = [each for each in documents if not is_kind(each, PIPELINES.kind) and not is_kind(each, "ConfigMap")]
    if len(pipelines) != 1 or others:
        kinds = ", ".join(str(each.get("kind")) if isinstance(each, dict) else show(each) for each in documents)
        raise ManifestError(f"{source}: expected one {PIPELINES.kind} and its ConfigMaps, found {kinds or 'nothing'}")
    (manifest,) = pipelines
    if manifest.get("apiVersion") != API_VERSION:
        raise ManifestError(f"{source}: apiVersion: must be {API_VERSION}, got {show(manifest.get('apiVersion'))}")
    config_maps = index_config_maps([each for each in documents if is_kind(each, "ConfigMap")], source)
    return JobFile(source=source, manifest=manifest, text=text, document=PIPELINES.kind, config_maps=config_maps)


def load_pipeline(file: JobFile) -> PipelineView:
    """Return the pipeline of a file, with the CRD's defaults.

    Raises:
        InvalidPipelineError: something is wrong with it, as far as its text shows.
    """
    manifest = apply_crd_defaults(file.manifest)
    refuse(file, find_schema_problems(manifest))
    spec = decode_pipeline_spec(manifest["spec"])
    refuse(file, find_pipeline_problems(spec))
    refuse(file, find_rule_problems(manifest, known=graph_rules()))
    pipeline = view_pipeline(manifest, spec)
    found = dict.fromkeys(line for step in spec.steps for line in describe_program(file, spec, step.name))
    if found:
        raise InvalidPipelineError("\n".join(found))
    refuse(file, tuple(find_job_problems(pipeline, file)))
    return pipeline


def graph_rules() -> frozenset[str]:
    """Return the CRD's rules about the whole graph. `find_pipeline_problems` says the same, and much faster."""
    return frozenset(rule["rule"] for rule in schema_of(PIPELINES)["properties"]["spec"]["x-kubernetes-validations"])


def refuse(file: JobFile, problems: tuple[FieldProblem, ...]) -> None:
    """Refuse a pipeline that has problems.

    Raises:
        InvalidPipelineError: it has, and each is told with its line.
    """
    if problems:
        within = (replace(problem, path=place_in(file, problem.path)) for problem in problems)
        raise InvalidPipelineError("\n".join(describe_place(file, problem) for problem in within))


def place_in(file: JobFile, path: str) -> str:
    """Return the path of a pipeline's field in its document, which may be a schedule."""
    return ".".join([*file.template, path])


def describe_place(file: JobFile, problem: FieldProblem) -> str:
    """Return a problem with the file and the line. Its path is that in the document."""
    line = None if file.source.endswith(".json") else find_line(file.text, {"kind": file.document}, problem.path)
    return f"{file.source}{'' if line is None else f':{line}'}: {problem}"


def view_pipeline(manifest: Mapping[str, Any], spec: PipelineSpec) -> PipelineView:
    """Return a valid manifest as the pipeline that the loop sees. With the start of a name alone, this is its name."""
    metadata = manifest["metadata"]
    return PipelineView(
        key=JobKey(
            namespace=metadata.get("namespace") or "default",
            name=metadata.get("name") or metadata["generateName"].rstrip("-."),
        ),
        uid=str(uuid4()),
        generation=1,
        spec=spec,
        raw_spec=manifest["spec"],
        status={},
        labels=metadata.get("labels") or {},
    )


def describe_program(file: JobFile, spec: PipelineSpec, name: str) -> list[str]:
    """Return what is certainly wrong with the program of a step, each with its place in the file."""
    program, source = resolve_step(spec, name).program, find_step_source(file, spec, name)
    return [] if program is None or source is None else describe_problems(source, program.class_name)


def find_step_source(file: JobFile, spec: PipelineSpec, name: str) -> ProgramSource | None:
    """Return the text of a step's program; None if it is in a module, or in a ConfigMap that the file does not hold."""
    program = resolve_step(spec, name).program
    number = next(number for number, step in enumerate(spec.steps) if step.name == name)
    path = "spec.program" if spec.steps[number].program is None else f"spec.steps[{number}].program"
    return None if program is None else find_text(file, program, path)


def find_text(file: JobFile, program: ProgramSpec, path: str) -> ProgramSource | None:
    """Return the text of the program at a path; None if the file does not hold it."""
    if program.source is not None:
        within, matches = place_in(file, f"{path}.source"), {"kind": file.document}
        block = find_block(file.text, matches, split_path(within), program.source)
        return ProgramSource(text=program.source, file=file.source, within=within, block=block)
    if program.source_from is None:
        return None
    reference = program.source_from.config_map_key_ref
    text = file.config_maps.get(reference.name, {}).get(reference.key)
    if text is None:
        return None
    matches = {"kind": "ConfigMap", "metadata.name": reference.name}
    block = find_block(file.text, matches, ["data", reference.key], text)
    within = f"ConfigMap {reference.name}, key {reference.key}"
    return ProgramSource(text=text, file=file.source, within=within, block=block)


def find_job_problems(pipeline: PipelineView, file: JobFile) -> Iterator[FieldProblem]:
    """Yield what is wrong with the jobs that the steps would have: the API server would refuse them."""
    try:
        jobs = build_first_jobs(
            pipeline, PinnedRun(run_hash="0" * 10, sources=collect_sources(pipeline, file)), DATA_URI
        )
    except (StepJobError, PodTemplateError) as error:
        yield FieldProblem(path="spec.steps", message=str(error))
        return
    for number, step in enumerate(pipeline.spec.steps):
        path = f"spec.steps[{number}]"
        try:
            job = validate_job(jobs[step.name])
        except InvalidJobError as error:
            for problem in error.problems:
                inner = problem.path.removeprefix("spec")
                yield replace(problem, path=f"{path}{inner}", message=f"{problem.message} (step {step.name})")
            continue
        problem_text = find_template_problem(decode_spec(job["spec"]))
        if problem_text is not None:
            yield FieldProblem(path=path, message=f"{problem_text} (step {step.name})")


def collect_sources(pipeline: PipelineView, file: JobFile) -> dict[tuple[str, str], str]:
    """Return the programs in ConfigMaps that steps name, those that the file does not hold as an empty job."""
    programs = [pipeline.spec.program, *(step.program for step in pipeline.spec.steps)]
    references = [each.source_from.config_map_key_ref for each in programs if each is not None and each.source_from]
    return {
        (each.name, each.key): file.config_maps.get(each.name, {}).get(each.key, UNKNOWN_SOURCE) for each in references
    }
