"""Puts parameters into a job's spec: `$(parameters.day)` in URIs and in the program's parameters.

Rule: pure. `$$(` stands for `$(`. A spec without placeholders comes out as it is.
"""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["SubstitutionError", "substitute_spec", "substitute_text"]

PLACEHOLDER = re.compile(r"\$(?P<escaped>\$)?\((?:parameters\.(?P<name>[^()\s]+)\))?")


INPUT_LISTS = frozenset({"inputs", "sideInputs"})
"""The fields of a job that are lists of inputs."""


class SubstitutionError(ValueError):
    """A placeholder names no parameter. The message says where it is, and which parameters there are."""


def substitute_spec(spec: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the spec of a MapReduceJob with the parameters in the inputs' URIs, `output.uri` and `program.parameters`.

    Raises:
        SubstitutionError: a placeholder names no parameter.
    """
    result = dict(spec)
    if "input" in spec:
        result["input"] = substitute_uris(spec["input"], parameters, "spec.input")
    for name in INPUT_LISTS & spec.keys():
        result[name] = [
            substitute_uris(each, parameters, f"spec.{name}[{place}]") for place, each in enumerate(spec[name])
        ]
    if "uri" in spec.get("output", {}):
        uri = substitute_text(spec["output"]["uri"], parameters, "spec.output.uri")
        result["output"] = {**spec["output"], "uri": uri}
    if "program" in spec:
        result["program"] = substitute_files(spec["program"], parameters)
    if "parameters" in spec.get("program", {}):
        values = {
            name: substitute_text(value, parameters, f"spec.program.parameters.{name}")
            for name, value in spec["program"]["parameters"].items()
        }
        result["program"]["parameters"] = values
    return result


def substitute_files(program: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a program with the parameters in the URIs of its files.

    Raises:
        SubstitutionError: a placeholder names no parameter.
    """
    filled = dict(program)
    if "uri" in program.get("archive", {}):
        uri = substitute_text(program["archive"]["uri"], parameters, "spec.program.archive.uri")
        filled["archive"] = {**program["archive"], "uri": uri}
    if "requirements" in program:
        filled["requirements"] = [
            {**each, "uri": substitute_text(each["uri"], parameters, f"spec.program.requirements[{number}].uri")}
            for number, each in enumerate(program["requirements"])
        ]
    return filled


def substitute_uris(source: Mapping[str, Any], parameters: Mapping[str, str], place: str) -> dict[str, Any]:
    """Return an input with the parameters in its URIs.

    Raises:
        SubstitutionError: a placeholder names no parameter.
    """
    if "uris" not in source:
        return dict(source)
    uris = [substitute_text(uri, parameters, f"{place}.uris[{number}]") for number, uri in enumerate(source["uris"])]
    return {**source, "uris": uris}


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
