"""Applies a structural OpenAPI schema to plain data as the API server does: nulls, defaults, keys, unknown fields, CEL.

Rule: pure; knows no field of any resource. Source: Kubernetes' documentation of CustomResourceDefinitions
("Defaulting", "Defaulting and nullable", "Field pruning", "Validation rules").
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "END_OF_TEXT",
    "FieldProblem",
    "apply_defaults",
    "as_json_schema",
    "drop_defaults",
    "drop_unknown",
    "iter_duplicates",
    "iter_missing_fields",
    "iter_rule_problems",
    "iter_unknown_fields",
]

Schema = Mapping[str, Any]
RULES = "x-kubernetes-validations"
END_OF_TEXT = r"\Z"
"""Replaces the `$` at the end of each pattern. In Python, `$` also matches before a last newline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """What is wrong with the field at `path`, such as `spec.input.uris[0]`, and what is expected."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def apply_defaults(schema: Schema, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` with its defaults. A null in a declared field counts as absent.

    Nothing below what the schema describes is looked at, however deeply it is nested.
    """
    if isinstance(value, list) and "items" in schema:
        return [apply_defaults(schema["items"], item) for item in value]
    if not isinstance(value, dict):
        return value
    given = {name: item for name, item in value.items() if item is not None or child_schema(schema, name) is None}
    absent = {
        name: child["default"]
        for name, child in schema.get("properties", {}).items()
        if "default" in child and name not in given
    }
    children = ((name, child_schema(schema, name), item) for name, item in (given | absent).items())
    return {name: item if child is None else apply_defaults(child, item) for name, child, item in children}


def drop_defaults(schema: Schema, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value`, which has its defaults, without the fields that have them: the same in every release."""
    if isinstance(value, list) and "items" in schema:
        return [drop_defaults(schema["items"], item) for item in value]
    if not isinstance(value, Mapping) or is_open(schema):
        return value
    children = ((name, child_schema(schema, name) or {}, item) for name, item in value.items())
    return {
        name: drop_defaults(child, item)
        for name, child, item in children
        if "default" not in child or item != apply_defaults(child, child["default"])
    }


def child_schema(schema: Schema, name: str) -> Schema | None:
    """Return the schema of the object's field `name`; None if the schema does not know it."""
    declared: Schema | None = schema.get("properties", {}).get(name)
    additional: Schema | None = schema.get("additionalProperties")
    return declared if declared is not None else additional


def child_schemas(schema: Schema, value: Any, path: str) -> Iterator[tuple[Schema, Any, str]]:  # noqa: ANN401
    """Yield the schema, value and path of each field or item of `value` that `schema` describes."""
    if isinstance(value, dict):
        for name, item in value.items():
            child = child_schema(schema, name)
            if child is not None:
                yield child, item, join_path(path, name)
    elif isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield schema["items"], item, f"{path}[{index}]"


def join_path(path: str, name: str) -> str:
    """Return the path of the field `name` of the object at `path`."""
    return f"{path}.{name}" if path else name


def iter_unknown_fields(schema: Schema, value: Any, path: str) -> Iterator[tuple[str, str, list[str]]]:  # noqa: ANN401
    """Yield the path, the name and the known names for each unknown field."""
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "properties" not in schema
    if isinstance(value, dict) and not is_open:
        for name in value:
            if child_schema(schema, name) is None:
                yield join_path(path, name), name, list(schema["properties"])
    for child, item, child_path in child_schemas(schema, value, path):
        yield from iter_unknown_fields(child, item, child_path)


def iter_duplicates(schema: Schema, value: Any, path: str) -> Iterator[FieldProblem]:  # noqa: ANN401
    """Yield a problem for each item of a list with keys that has the keys of an earlier item."""
    names = schema.get("x-kubernetes-list-map-keys")
    if names and isinstance(value, list):
        seen: list[list[Any]] = []
        for index, item in enumerate(value):
            keys = [item.get(name) for name in names] if isinstance(item, dict) else None
            if keys in seen:
                shown = ", ".join(f"{name} {key!r}" for name, key in zip(names, keys or (), strict=False))
                yield FieldProblem(path=f"{path}[{index}]", message=f"an earlier item has the same {shown}")
            elif keys is not None:
                seen.append(keys)
    for child, item, child_path in child_schemas(schema, value, path):
        yield from iter_duplicates(child, item, child_path)


def drop_unknown(schema: Schema, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return `value` without the fields that `schema` does not know."""
    if isinstance(value, list) and "items" in schema:
        return [drop_unknown(schema["items"], item) for item in value]
    if not isinstance(value, Mapping) or is_open(schema):
        return value
    children = ((name, child_schema(schema, name), item) for name, item in value.items())
    return {name: drop_unknown(child, item) for name, child, item in children if child is not None}


def is_open(schema: Schema) -> bool:
    """Tell whether objects of the schema may have fields that it does not name."""
    declares = "properties" in schema or "additionalProperties" in schema
    return bool(schema.get("x-kubernetes-preserve-unknown-fields")) or not declares


def iter_missing_fields(wanted: Schema, served: Schema, path: str) -> Iterator[str]:
    """Yield the path of each field that `wanted` declares and `served` does not know: the API server drops it."""
    for name, child in wanted.get("properties", {}).items():
        known = child_schema(served, name)
        if known is not None:
            yield from iter_missing_fields(child, known, join_path(path, name))
        elif not served.get("x-kubernetes-preserve-unknown-fields"):
            yield join_path(path, name)
    for name in ("items", "additionalProperties"):
        if name in wanted:
            yield from iter_missing_fields(wanted[name], served.get(name) or {}, f"{path}[]")


def iter_rule_problems(
    schema: Schema,
    value: Any,  # noqa: ANN401 - any JSON value
    path: str,
    hold: Callable[[Sequence[str], Any], Iterable[bool]],
    applies: Callable[[Mapping[str, str]], bool],
) -> Iterator[FieldProblem]:
    """Yield a problem for each CEL rule that `applies` and does not hold for its value.

    `hold` is given all rules of a value at once, and tells of each whether it holds.
    """
    rules = [rule for rule in schema.get(RULES, ()) if applies(rule)]
    if rules:
        held = zip(rules, hold([rule["rule"] for rule in rules], value), strict=True)
        yield from (FieldProblem(path=path, message=rule["message"]) for rule, holds in held if not holds)
    for child, item, child_path in child_schemas(schema, value, path):
        yield from iter_rule_problems(child, item, child_path, hold, applies)


def as_json_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema as plain JSON Schema: int-or-string spelled out, no extensions, patterns for Python."""
    plain = {name: value for name, value in schema.items() if not name.startswith("x-")}
    if "pattern" in schema:
        plain["pattern"] = schema["pattern"].removesuffix("$") + END_OF_TEXT
    if schema.get("x-kubernetes-int-or-string"):
        plain["type"] = ["integer", "string"]
    for name in ("items", "additionalProperties"):
        if name in schema:
            plain[name] = as_json_schema(schema[name])
    if "properties" in schema:
        plain["properties"] = {name: as_json_schema(child) for name, child in schema["properties"].items()}
    return plain
