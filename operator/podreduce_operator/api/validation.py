"""Local validation of a resource, from its CRD alone, with messages for people.

Rule: pure. The order is the API server's: unknown fields, defaults, schema, and CEL rules only if the schema holds.
Rules whose message starts with `CLUSTER_ONLY` are skipped, because a local run also takes paths and file:// URIs.
"""

import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from podreduce_operator.api.crd import JOBS, PIPELINES, SCHEDULES, ResourceNames
from podreduce_operator.api.crd import schema_of as schema_of_kind
from podreduce_operator.api.crd_schema import (
    FieldProblem,
    apply_defaults,
    as_json_schema,
    iter_duplicates,
    iter_rule_problems,
    iter_unknown_fields,
)
from podreduce_operator.api.validation_messages import explain_error, explain_unknown

if TYPE_CHECKING:
    import cel
    from jsonschema import Draft4Validator

__all__ = [
    "CLUSTER_ONLY",
    "FieldProblem",
    "InvalidJobError",
    "apply_crd_defaults",
    "find_problems",
    "find_rule_problems",
    "find_schema_problems",
    "validate_job",
]

CLUSTER_ONLY = "on a cluster "
"""The start of the message of a CEL rule that only the API server applies."""

DNS_SUBDOMAIN = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
STRING_MAP = {"type": "object", "additionalProperties": {"type": "string"}}
NAME_START = r"^(([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9][a-z0-9-]*)?$"
METADATA_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": DNS_SUBDOMAIN, "maxLength": 253},
        "generateName": {"type": "string", "pattern": NAME_START, "maxLength": 253},
        "namespace": {"type": "string", "pattern": r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "maxLength": 63},
        "labels": STRING_MAP,
        "annotations": STRING_MAP,
    }
    | {
        name: {}
        for name in (
            "creationTimestamp",
            "deletionGracePeriodSeconds",
            "deletionTimestamp",
            "finalizers",
            "generation",
            "managedFields",
            "ownerReferences",
            "resourceVersion",
            "selfLink",
            "uid",
        )
    },
}
"""The part of Kubernetes' ObjectMeta that a person writes. A CRD cannot describe it; the API server knows it."""

NAMELESS_SCHEMA = {**METADATA_SCHEMA, "required": []}
"""The same, for a manifest with `generateName`: the API server chooses the end of the name."""


class InvalidJobError(ValueError):
    """The CRD does not allow the manifest. `problems` are in the order of the fields."""

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def validate_job(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest of any kind with the defaults of its CRD.

    Raises:
        InvalidJobError: it breaks the schema or a rule, or has an unknown field.
    """
    defaulted = apply_crd_defaults(manifest)
    problems = find_problems(defaulted)
    if problems:
        raise InvalidJobError(problems)
    return defaulted


def apply_crd_defaults(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with the defaults of its kind."""
    defaulted: dict[str, Any] = apply_defaults(schema_of(manifest), dict(manifest))
    return defaulted


def find_problems(defaulted: Mapping[str, Any]) -> tuple[FieldProblem, ...]:
    """Return what is wrong with a manifest that has its defaults."""
    return find_schema_problems(defaulted) or find_rule_problems(defaulted)


def find_schema_problems(defaulted: Mapping[str, Any]) -> tuple[FieldProblem, ...]:
    """Return the unknown fields of a manifest that has its defaults, and the fields of a wrong type."""
    schema = schema_of(defaulted)
    unknown = [explain_unknown(*field) for field in iter_unknown_fields(schema, defaulted, "")]
    of_schema = [*iter_schema_problems(defaulted), *iter_duplicates(schema, defaulted, "")]
    return tuple(dict.fromkeys([*unknown, *of_schema]))


def find_rule_problems(defaulted: Mapping[str, Any], known: Container[str] = ()) -> tuple[FieldProblem, ...]:
    """Return the CEL rules that do not hold for a manifest that fits the schema, without those `known` to hold."""

    def applies(rule: Mapping[str, str]) -> bool:
        return applies_locally(rule) and rule["rule"] not in known

    return tuple(iter_rule_problems(schema_of(defaulted), defaulted, "", rules_hold, applies))


class Kind(NamedTuple):
    """What a manifest is checked as: a resource, whose name a person chooses if it `needs_name`."""

    names: ResourceNames
    needs_name: bool


def schema_of(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema for this manifest."""
    return local_schema(kind_of(manifest))


def kind_of(manifest: Mapping[str, Any]) -> Kind:
    """Return the kind of this manifest. What is no other kind is checked as a job."""
    metadata = manifest.get("metadata")
    needs_name = not (isinstance(metadata, Mapping) and metadata.get("generateName"))
    names = next((each for each in (PIPELINES, SCHEDULES) if manifest.get("kind") == each.kind), JOBS)
    return Kind(names, needs_name)


@cache
def local_schema(kind: Kind) -> Mapping[str, Any]:
    """Return the CRD's schema with a schema for `metadata`."""
    schema, metadata = schema_of_kind(kind.names), METADATA_SCHEMA if kind.needs_name else NAMELESS_SCHEMA
    return {**schema, "properties": {**schema["properties"], "metadata": metadata}}


@cache
def validator_of(kind: Kind) -> "Draft4Validator":
    """Return what checks manifests of a kind; CEL rules are not checked by it."""
    from jsonschema import Draft4Validator  # noqa: PLC0415 - an extra's, and slow to import

    return Draft4Validator(as_json_schema(local_schema(kind)))


def iter_schema_problems(manifest: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """Yield what breaks the schema of a manifest's kind."""
    errors = validator_of(kind_of(manifest)).iter_errors(manifest)
    for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
        yield from explain_error(error)


def applies_locally(rule: Mapping[str, str]) -> bool:
    """Tell whether a CEL rule also applies to local runs."""
    return not rule["message"].startswith(CLUSTER_ONLY)


def rules_hold(rules: Sequence[str], value: Any) -> list[bool]:  # noqa: ANN401 - any JSON value
    """Evaluate CEL rules with `value` as `self`, which is made a value of CEL once."""
    programs = [compile_rule(rule) for rule in rules]
    context = import_cel().Context({"self": value})
    return [bool(program.execute(context)) for program in programs]


@cache
def compile_rule(rule: str) -> "cel.Program":
    """Return the rule's program."""
    program: cel.Program = import_cel().compile(rule)
    return program


def import_cel() -> ModuleType:
    """Return the CEL library, without the command that comes with it: that is slow to load, and not used."""
    sys.modules.setdefault("cel.cli", ModuleType("cel.cli"))
    import cel  # noqa: PLC0415 - an extra's

    return cel
