"""Applies the command line to a job before it is validated, and turns local paths into URIs.

Rule: pure, except that it reads the current directory and checks whether a path is a directory. Validation reports
wrong values; this module only refuses paths of fields that do not exist.
"""

import copy
import itertools
import os.path
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podreduce_operator.api.crd import job_schema

__all__ = [
    "OverrideError",
    "Overrides",
    "StepOverrides",
    "apply_overrides",
    "assign",
    "change_fields",
    "resolve_files",
    "resolve_uri",
]

OWN_DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/self/")
"""Paths that mean a different file in another process. They are replaced by the real file."""

PATH_PART = re.compile(r"((?:[^.\[\]\\=]|\\.)+)|\[(\d+)\]")


class OverrideError(ValueError):
    """A `--set` cannot be applied. The message names it and says what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the command line changes in a job. None or empty keeps the file's value."""

    inputs: Sequence[str] = ()
    output: str | None = None
    parallelism: int | None = None
    retries: int | None = None
    assignments: Sequence[str] = ()
    parameters: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOverrides:
    """What the command line says of a pipeline's steps.

    Attributes:
        outputs: `STEP=URI`: where a step writes.
        to: only these steps run, and those that they need; empty: all.
        force: these steps run whatever has been recorded.
        keep: the directory with the records, and the outputs without a URI; None: they go when the run is complete.
    """

    outputs: Sequence[str] = ()
    to: Sequence[str] = ()
    force: Sequence[str] = ()
    keep: Path | None = None


def apply_overrides(manifest: dict[str, Any], overrides: Overrides) -> dict[str, Any]:
    """Return `manifest` for a run on this machine: with overrides, URIs for paths, and 0 retries by default.

    Raises:
        OverrideError: an assignment's path does not exist.
    """
    changed = change_fields(manifest, overrides)
    spec = changed["spec"]
    if isinstance(spec, dict):
        spec.setdefault("backoffLimitPerTask", 0)
        resolve_uris(spec)
    return changed


def change_fields(manifest: dict[str, Any], overrides: Overrides) -> dict[str, Any]:
    """Return `manifest` with what the command line says, and nothing else.

    Raises:
        OverrideError: an assignment's path does not exist.
    """
    changed = copy.deepcopy(manifest)
    for assignment in overrides.assignments:
        assign(changed, assignment)
    spec = changed.setdefault("spec", {})
    if not isinstance(spec, dict):
        return changed
    if overrides.inputs:
        if "inputs" in spec:
            raise OverrideError(
                "--input: the job has several inputs: set one with --set 'spec.inputs[0].uris=[\"URI\"]'"
            )
        put(spec, "input", "uris", list(overrides.inputs))
    if overrides.output is not None:
        put(spec, "output", "uri", overrides.output)
    for parameter in overrides.parameters:
        set_parameter(spec, parameter)
    if overrides.parallelism is not None:
        spec["parallelism"] = overrides.parallelism
    if overrides.retries is not None:
        spec["backoffLimitPerTask"] = overrides.retries
    return changed


def set_parameter(spec: dict[str, Any], text: str) -> None:
    """Set one of the program's parameters, given as NAME=VALUE.

    Raises:
        OverrideError: there is no `=`.
    """
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise OverrideError(f"-p {text}: expected NAME=VALUE, a parameter of the program; tasks at a time are -j")
    program = spec.setdefault("program", {})
    parameters = program.setdefault("parameters", {}) if isinstance(program, dict) else None
    if isinstance(parameters, dict):
        parameters[name] = value


def put(spec: dict[str, Any], section: str, name: str, value: object) -> None:
    """Set a field in a section of the spec. If the section is not a mapping, validation reports it."""
    fields = spec.setdefault(section, {})
    if isinstance(fields, dict):
        fields[name] = value


def assign(manifest: dict[str, Any], assignment: str) -> None:
    """Apply one `spec.path=value`.

    Raises:
        OverrideError: it has no `=`, or its path does not exist.
    """
    path, separator, text = assignment.partition("=")
    parts = parse_path(path)
    if not separator or len(parts) < 2 or parts[0] not in ("spec", "metadata"):  # noqa: PLR2004 - a place and a field
        raise OverrideError(f"--set {assignment}: expected spec.path=value, such as spec.reduce.partitions=4")
    target: Any = manifest
    for part, following in itertools.pairwise(parts):
        target = descend(target, part, [] if isinstance(following, int) else {}, assignment)
    place(target, parts[-1], parse_value(text, parts), assignment)


def parse_path(path: str) -> list[str | int]:
    r"""Return the parts of a path such as `spec.input.uris[0]`. A dot inside a name is written `\.`."""
    parts: list[str | int] = []
    for name, index in PATH_PART.findall(path):
        parts.append(int(index) if index else re.sub(r"\\(.)", r"\1", name))
    return parts


def descend(target: Any, part: str | int, empty: Any, assignment: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value at `part` of `target`, and create it if it is absent."""
    if isinstance(target, dict) and isinstance(part, str):
        return target.setdefault(part, empty)
    place(target, part, empty, assignment, only_if_absent=True)
    return target[part]


def place(
    target: Any,  # noqa: ANN401 - any JSON value
    part: str | int,
    value: object,
    assignment: str,
    *,
    only_if_absent: bool = False,
) -> None:
    """Put `value` at `part` of a mapping or a list. A list grows by at most one item."""
    if isinstance(target, dict) and isinstance(part, str):
        target[part] = value
    elif isinstance(target, list) and isinstance(part, int) and part <= len(target):
        if part == len(target):
            target.append(value)
        elif not only_if_absent:
            target[part] = value
    else:
        kind = "a list" if isinstance(target, list) else "a mapping" if isinstance(target, dict) else "a plain value"
        raise OverrideError(f"--set {assignment}: there is no {part!r} in {kind}; check the path")


def parse_value(text: str, parts: Sequence[str | int]) -> Any:  # noqa: ANN401 - any JSON value
    """Return `text` unchanged if the schema expects a string, or else as YAML reads it."""
    import yaml  # noqa: PLC0415 - an extra's

    if find_type(parts) == "string":
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def find_type(parts: Sequence[str | int]) -> str | None:
    """Return the schema's type of the field at this path; None if the schema does not know it."""
    schema: Any = job_schema()
    for part in parts:
        if isinstance(part, int):
            schema = schema.get("items", {})
        else:
            schema = schema.get("properties", {}).get(part) or schema.get("additionalProperties") or {}
    found: str | None = schema.get("type")
    return found


def resolve_uris(spec: dict[str, Any]) -> None:
    """Replace the paths in the spec by file URIs."""
    lists, output = (spec.get("inputs"), spec.get("sideInputs")), spec.get("output")
    named = [each for listed in lists if isinstance(listed, list) for each in listed]
    for inputs in [spec.get("input"), *named]:
        if isinstance(inputs, dict) and isinstance(inputs.get("uris"), list):
            inputs["uris"] = [resolve_uri(uri) if isinstance(uri, str) else uri for uri in inputs["uris"]]
    resolve_files(spec.get("program"))
    if isinstance(output, dict) and isinstance(output.get("uri"), str) and output["uri"]:
        uri = resolve_uri(output["uri"])
        output["uri"] = uri if uri.endswith("/") else f"{uri}/"


def resolve_files(program: object) -> None:
    """Replace the paths of a program's archive and wheels by file URIs."""
    for file in find_files(program):
        if isinstance(file.get("uri"), str):
            file["uri"] = resolve_uri(file["uri"])


def find_files(program: object) -> list[dict[str, Any]]:
    """Return the archive and the wheels of a program, as they are written in the manifest."""
    if not isinstance(program, dict):
        return []
    wheels = program.get("requirements")
    return [
        each
        for each in [program.get("archive"), *(wheels if isinstance(wheels, list) else ())]
        if isinstance(each, dict)
    ]


def resolve_uri(text: str) -> str:
    """Return `text` as a URI. A path is relative to the current directory, and a directory gets a slash."""
    scheme, separator, rest = text.partition("://")
    if not text or (separator and scheme != "file"):
        return text
    if separator and not rest.startswith("/"):
        return text
    path = os.path.abspath(os.path.expanduser(rest if separator else text))  # noqa: PTH100, PTH111 - never raise
    if path.startswith(OWN_DESCRIPTORS) and os.path.isfile(path):  # noqa: PTH113 - as above
        path = os.path.realpath(path)
    ending = "/" if path != "/" and (text.endswith("/") or Path(path).is_dir()) else ""
    return f"file://{path}{ending}"
