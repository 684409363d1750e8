"""Prints resources as kubectl does: JSON, YAML, names, or a table. Fields that only servers read are left out."""

import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.terminal import say

__all__ = ["align", "print_json", "print_resources"]


GAP = "   "
INDENT = 4
MIN_TEXT = 30
"""A text with less room than this is printed below its row."""


def print_resources(resources: Sequence[Mapping[str, Any]], output: Format, *, is_list: bool) -> None:
    """Print resources whole, or only their names."""
    if output is Format.NAME:
        for each in resources:
            say(full_name(each))
        return
    shown = [strip(each) for each in resources]
    print_json({"apiVersion": "v1", "kind": "List", "items": shown} if is_list else shown[0], output)


def print_json(value: Mapping[str, Any], output: Format) -> None:
    """Print a value as JSON or YAML."""
    if output is Format.YAML:
        import yaml  # noqa: PLC0415 - only needed here

        say(yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip("\n"))
        return
    say(json.dumps(value, indent=2, ensure_ascii=False))


def strip(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resource without `managedFields`."""
    metadata = {name: value for name, value in resource["metadata"].items() if name != "managedFields"}
    return {**resource, "metadata": metadata}


def full_name(resource: Mapping[str, Any]) -> str:
    """Return a name as kubectl prints it: `mapreducejob.podreduce.dev/wordcount`, `event/wordcount.17`."""
    group, separator, _ = str(resource["apiVersion"]).rpartition("/")
    return f"{str(resource['kind']).lower()}{'.' if separator else ''}{group}/{resource['metadata']['name']}"


def align(rows: Sequence[Sequence[str]], width: int | None = None) -> list[str]:
    """Return the rows of a table as lines, with columns of equal widths. The last column is wrapped at `width`."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for *cells, last in rows:
        start = "".join(cell.ljust(size) + GAP for cell, size in zip(cells, widths, strict=False))
        lines += wrap_last(start, last, width)
    return lines


def wrap_last(start: str, text: str, width: int | None) -> list[str]:
    """Return a row: its last text is beside the others, or below them if there is no room."""
    if width is None or len(start) + len(text) <= width:
        return [f"{start}{text}".rstrip()]
    indent = " " * (len(start) if width - len(start) >= MIN_TEXT else INDENT)
    lead = start if width - len(start) >= MIN_TEXT else f"{start.rstrip()}\n{indent}"
    room = width - len(indent)
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    return f"{lead}{lines[0]}".split("\n") + [f"{indent}{line}" for line in lines[1:]]
