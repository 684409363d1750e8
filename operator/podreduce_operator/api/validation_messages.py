"""The messages of local validation: what a field must be, what it is, and what was probably meant.

Rule: pure. Works from the schema alone, so a new field needs no new messages.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from podreduce_operator.api.crd_schema import END_OF_TEXT, FieldProblem
from podreduce_operator.api.job_files import show

if TYPE_CHECKING:
    from jsonschema import ValidationError

__all__ = ["explain_error", "explain_unknown"]

TYPE_NAMES = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "an integer",
    "number": "a number",
    "object": "a mapping",
    "string": "a string",
}


def explain_unknown(path: str, name: str, known: list[str]) -> FieldProblem:
    """Return the problem of an unknown field, with the probable name if there is one."""
    close = difflib.get_close_matches(name, known, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"expected one of {', '.join(sorted(known))}"
    return FieldProblem(path=path, message=f"unknown field; {remedy}")


def explain_error(error: "ValidationError") -> Iterator[FieldProblem]:
    """Yield jsonschema's error in words for people."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    schema = cast("Mapping[str, Any]", error.schema)
    instance: Any = error.instance
    if error.validator == "required":
        yield from explain_missing(path, schema, instance)
        return
    message = f"must be {describe_expected(schema)}, got {show(instance)}"
    if error.validator == "type" and schema["type"] == "string" and not isinstance(instance, list | dict):
        message += ": put it in quotes"
    yield FieldProblem(path=path or "the manifest", message=message)


def explain_missing(path: str, schema: Mapping[str, Any], instance: Mapping[str, Any]) -> Iterator[FieldProblem]:
    """Yield the problem of each missing required field."""
    for name in schema["required"]:
        if name not in instance:
            expected = describe_expected(schema["properties"][name])
            yield FieldProblem(path=f"{path}.{name}".lstrip("."), message=f"is required: {expected}")


def describe_expected(schema: Mapping[str, Any]) -> str:
    """Return in words what a schema allows, such as `an integer from 1 to 100000`."""
    if "enum" in schema:
        return " or ".join(schema["enum"])
    types = schema.get("type", "object")
    words = " or ".join(TYPE_NAMES[name] for name in ([types] if isinstance(types, str) else types))
    low, high, unit = describe_limits(schema)
    if low is not None and high is not None:
        words += f" {'from' if not unit else 'of'} {low} to {high}{unit}"
    elif low is not None:
        words += f" ≥ {low}" if not unit else f" of at least {low}{unit}"
    elif high is not None:
        words += f" of at most {high}{unit}"
    pattern = schema.get("pattern", "").replace(END_OF_TEXT, "$")
    return f"{words} like {pattern}" if pattern else words


def describe_limits(schema: Mapping[str, Any]) -> tuple[int | None, int | None, str]:
    """Return the minimum, the maximum and the unit of what is allowed."""
    for low, high, unit in (
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " fields"),
    ):
        if low in schema or high in schema:
            return schema.get(low), schema.get(high), unit
    return None, None, ""
