"""Puts parameters into a job's spec: `$(parameters.day)` in URIs and in the program's parameters.

Rule: pure. `$$(` stands for `$(`. A spec without placeholders comes out as it is.
"""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["SubstitutionError", "substitute_spec", "substitute_text"]

PLACEHOLDER = re.compile(r"\$(?P<escaped>\$)?\((?:parameters\.(?P<name>[^()\s]+)\))?")


class SubstitutionError(ValueError):
    """A placeholder names no parameter. The message says where it is, and which parameters there are."""


def substitute_spec(spec: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the spec of a MapReduceJob with the parameters in the URIs and in `program.parameters`.

    Raises:
        SubstitutionError: a placeholder names no parameter.
    """
    result = dict(spec)
    if "input" in spec:
        result["input"] = substitute_uris(spec["input"], parameters, "spec.input")
    for name in ("inputs", "sideInputs"):
        if name in spec:
            result[name] = [
                substitute_uris(each, parameters, f"spec.{name}[{number}]") for number, each in enumerate(spec[name])
            ]
    if "uri" in spec.get("output", {}):
        uri = substitute_text(spec["output"]["uri"], parameters, "spec.output.uri")
        result["output"] = {**spec["output"], "uri": uri}
    if "parameters" in spec.get("program", {}):
        values = {
            name: substitute_text(value, parameters, f"spec.program.parameters.{name}")
            for name, value in spec["program"]["parameters"].items()
        }
        result["program"] = {**spec["program"], "parameters": values}
    return result


def substitute_uris(spec: Mapping[str, Any], parameters: Mapping[str, str], place: str) -> dict[str, Any]:
    """Return the spec of an input, which is at `place`, with the parameters in its URIs.

    Raises:
        SubstitutionError: a placeholder names no parameter.
    """
    if "uris" not in spec:
        return dict(spec)
    uris = [substitute_text(uri, parameters, f"{place}.uris[{number}]") for number, uri in enumerate(spec["uris"])]
    return {**spec, "uris": uris}


def substitute_text(text: str, parameters: Mapping[str, str], place: str) -> str:
    """Return the text with its placeholders replaced.

    Args:
        text: what may contain `$(parameters.name)`.
        parameters: the values by name.
        place: the path of the text, for the message.

    Raises:
        SubstitutionError: a placeholder names no parameter.
    """

    def replacement(found: re.Match[str]) -> str:
        name = found["name"]
        if found["escaped"]:
            return found[0][1:]
        if name is None:
            return found[0]
        if name not in parameters:
            known = ", ".join(sorted(parameters)) or "none"
            raise SubstitutionError(
                f"{place}: there is no parameter {name!r} for {found[0]}: add it, or write $$( for a plain $(; the "
                f"parameters: {known}"
            )
        return parameters[name]

    return PLACEHOLDER.sub(replacement, text)
