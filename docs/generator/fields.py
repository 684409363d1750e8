"""docs/reference.md: the fields of the three kinds, as their CRDs have them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from docs.generator.tables import clean, table
from podreduce_operator.api.crd import (
    JOBS,
    PIPELINES,
    ResourceNames,
    schema_of,
)
from podreduce_operator.api.spec import LIVE_FIELDS
from podreduce_operator.pipelines.job_of_step import STEP_FIELDS


def list_live_fields() -> str:
    """Return the fields that a running job still reads."""
    return "".join(f"- `{name}`\n" for name in sorted(LIVE_FIELDS))


def list_fields(part: str, names: ResourceNames = JOBS) -> str:
    """Return the fields of the spec or of the status, as the CRD has them."""
    schema = schema_of(names)["properties"][part]
    if part == "status":
        fields = [(f"`{path}`", kind, text) for path, kind, _, text in iter_fields(schema, part)]
        return table(("field", "type", "what it says"), *fields)
    if names is not JOBS:
        found = [each for each in iter_fields(schema, part) if not OF_TEMPLATES.match(each[0])]
        return table(("field", "type", "default", "what it does"), *((f"`{p}`", k, d, t) for p, k, d, t in found))
    head = ("field", "type", "default", "change", "what it does")
    return table(head, *((f"`{p}`", k, d, say_change(p), t) for p, k, d, t in iter_fields(schema, part)))


OF_TEMPLATES = re.compile(r"spec\.(job|pipeline)Template\.spec\.")
"""The fields that are described with the jobs and the pipelines."""


def list_pipeline_fields() -> str:
    """Return the fields of a pipeline's spec, without those of its steps that are a job's."""
    fields = iter_fields(schema_of(PIPELINES)["properties"]["spec"], "spec")
    own = ((f"`{path}`", kind, default, text) for path, kind, default, text in fields if is_of_pipelines(path))
    return table(("field", "type", "default", "what it does"), *own)


def is_of_pipelines(path: str) -> bool:
    """Tell whether a field is not described with the jobs."""
    if not path.startswith("spec.steps[]."):
        return not path.startswith(("spec.program.", "spec.storage."))
    place = re.sub(r"^spec.steps\[\]\.", "", path)
    return place in STEP_FIELDS or bool(OWN_OF_STEPS.match(place))


OWN_OF_STEPS = re.compile(
    r"(inputs|sideInputs)\[\]\.(name|uris|from|previous|first(\..*)?|format)$|output\.(uri|format|ifExists)$"
)


def say_change(path: str) -> str:
    """Return when a change of the field takes effect."""
    name = path.split(".")[1].removesuffix("[]")
    if name == "runId":
        return "starts a run"
    return "live" if name in LIVE_FIELDS else "next runId"


def iter_fields(schema: Mapping[str, Any], path: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield path, type, default and description of the fields below."""
    for name, field in schema.get("properties", {}).items():
        place = f"{path}.{name}"
        items = field.get("items", {})
        yield place, say_type(field), say_default(field), clean(field.get("description", ""))
        yield from iter_fields(items if items.get("properties") else field, f"{place}[]" if items else place)


def say_type(field: Mapping[str, Any]) -> str:
    """Return a field's type, and the values that it may have."""
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "int or string"
    return f"{say_type(field['items'])} list" if field.get("type") == "array" else str(field.get("type", "any"))


def say_default(field: Mapping[str, Any]) -> str:
    """Return a field's default as JSON; nothing where it has none, or only its fields have."""
    value = field.get("default", {})
    return "" if value == {} else f"`{json.dumps(value).strip(chr(34))}`"
