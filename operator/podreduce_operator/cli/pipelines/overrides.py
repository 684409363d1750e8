"""Reads a pipeline's file and applies the command line: which steps, which outputs, which parameters.

Rule: only reads. Paths become URIs, and a failed task is not tried again unless the file says so.
"""

import copy
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from podreduce_operator.api.input_uris import as_prefix
from podreduce_operator.api.pipeline_spec import decode_pipeline_spec
from podreduce_operator.api.substitution import SubstitutionError, substitute_text
from podreduce_operator.cli.job_file import JobFile
from podreduce_operator.cli.overrides import OverrideError, Overrides, StepOverrides, assign, resolve_files, resolve_uri
from podreduce_operator.cli.pipelines.pipeline_file import InvalidPipelineError, load_pipeline
from podreduce_operator.cli.run import InvalidFileError
from podreduce_operator.model.pipelines import PipelineView

__all__ = ["load_local_pipeline"]

TTL_SECONDS = 86_400
"""Replaces the pipeline's ttl: what a local run keeps is for the next run."""


def load_local_pipeline(file: JobFile, overrides: Overrides, of_steps: StepOverrides) -> PipelineView:
    """Return the pipeline, prepared for a run on this machine.

    Its UID follows from its name, and its runId from the time, so that runs with one data directory know each other.

    Raises:
        InvalidFileError: the command line or the file is invalid.
    """
    try:
        pipeline = load_pipeline(replace(file, manifest=apply_pipeline_overrides(file.manifest, overrides, of_steps)))
    except (OverrideError, InvalidPipelineError) as error:
        raise InvalidFileError(str(error)) from error
    if pipeline.spec.suspend:
        raise InvalidFileError(f"{file.source}: spec.suspend is true, so nothing would run: remove it")
    raw = {**pipeline.raw_spec, "runId": make_run_id(), "ttlSecondsAfterFinished": TTL_SECONDS}
    uid = str(uuid5(NAMESPACE_DNS, str(pipeline.key)))
    return replace(pipeline, uid=uid, spec=decode_pipeline_spec(raw), raw_spec=raw)


def make_run_id() -> str:
    """Return a run's own id. Two runs may begin in one second, and with one id the second would be the first."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def apply_pipeline_overrides(
    manifest: Mapping[str, Any], overrides: Overrides, of_steps: StepOverrides
) -> dict[str, Any]:
    """Return the manifest for a run on this machine.

    Raises:
        OverrideError: an option names a step that the pipeline does not have, or is for jobs only.
    """
    if overrides.inputs:
        raise OverrideError("--input: a pipeline's steps have inputs of their own: set parameters with -p NAME=VALUE")
    changed = copy.deepcopy(dict(manifest))
    for assignment in overrides.assignments:
        assign(changed, assignment)
    spec = changed.get("spec")
    steps = spec.get("steps") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return changed
    by_name = {str(step.get("name")): step for step in steps}
    for text in of_steps.outputs:
        name, uri = split_assignment("-o", text, "STEP=URI")
        find_step(by_name, name, "-o").setdefault("output", {})["uri"] = uri
    for text in overrides.parameters:
        name, value = split_assignment("-p", text, "NAME=VALUE")
        spec.setdefault("parameters", {})[name] = value
    for name in of_steps.force:
        find_step(by_name, name, "--force")["reuse"] = "Never"
    if of_steps.to:
        keep_steps(spec, [find_step(by_name, name, "--to") for name in of_steps.to])
    for step in spec["steps"]:
        step["backoffLimitPerTask"] = (
            step.get("backoffLimitPerTask", 0) if overrides.retries is None else overrides.retries
        )
        resolve_step_uris(step, texts_of(spec.get("parameters")))
    resolve_files(spec.get("program"))
    return changed


def split_assignment(option: str, text: str, form: str) -> tuple[str, str]:
    """Return both sides of an assignment.

    Raises:
        OverrideError: it has no `=`.
    """
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise OverrideError(f"{option} {text}: expected {form}, because the file has a pipeline")
    return name, value


def find_step(steps: Mapping[str, dict[str, Any]], name: str, option: str) -> dict[str, Any]:
    """Return a step.

    Raises:
        OverrideError: there is none with this name.
    """
    if name not in steps:
        raise OverrideError(f"{option}: there is no step {name!r}; the steps: {', '.join(steps)}")
    return steps[name]


def keep_steps(spec: dict[str, Any], targets: Sequence[Mapping[str, Any]]) -> None:
    """Leave only these steps and those that they need. A loop is needed whole."""
    needed = {str(step["name"]) for step in targets}
    loops = [loop for loop in spec.get("loops") or () if isinstance(loop, dict)]
    size = -1
    while len(needed) != size:
        size = len(needed)
        for step in spec["steps"]:
            if step.get("name") in needed:
                needed.update(needs_of(step))
        for loop in loops:
            if needed.intersection(loop.get("steps") or ()):
                needed.update(loop["steps"])
    spec["steps"] = [step for step in spec["steps"] if step.get("name") in needed]
    if "loops" in spec:
        spec["loops"] = [loop for loop in loops if needed.intersection(loop.get("steps") or ())]


def needs_of(step: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the steps that a step needs."""
    yield from step.get("dependsOn") or ()
    for each in (*(step.get("inputs") or ()), *(step.get("sideInputs") or ())):
        for source in (each, each.get("first") or {}):
            yield from (source[name] for name in ("from", "previous") if name in source)


def resolve_step_uris(step: dict[str, Any], parameters: Mapping[str, str]) -> None:
    """Replace the paths in a step by file URIs."""
    for each in (*(step.get("inputs") or ()), *(step.get("sideInputs") or ())):
        for source in (each, each.get("first")):
            if isinstance(source, dict) and isinstance(source.get("uris"), list):
                source["uris"] = [resolve_start(uri, parameters) for uri in source["uris"]]
    output = step.get("output")
    if isinstance(output, dict) and isinstance(output.get("uri"), str) and output["uri"]:
        output["uri"] = as_prefix(resolve_start(output["uri"], parameters))
    resolve_files(step.get("program"))


def resolve_start(uri: Any, parameters: Mapping[str, str]) -> Any:  # noqa: ANN401 - what is no text is refused later
    """Return a path as a file URI. A parameter at its start decides whether it is a path, so it is put in first."""
    if not isinstance(uri, str):
        return uri
    if uri.startswith("$("):
        with suppress(SubstitutionError):  # which is told later, with the line
            uri = substitute_text(uri, parameters, "uri").replace("$(", "$$(")
    return resolve_uri(uri)


def texts_of(parameters: object) -> dict[str, str]:
    """Return the parameters that are texts; others are refused later."""
    given = parameters if isinstance(parameters, dict) else {}
    return {name: value for name, value in given.items() if isinstance(value, str)}
