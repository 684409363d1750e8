"""Finds where a text stands in its job file. The program is a block in YAML, and its author counts the file's lines.

Rule: pure.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import yaml

from podreduce_operator.api.job_files import ManifestLoader

__all__ = ["TextBlock", "find_block", "find_line", "split_path"]

PART = re.compile(r"[^.\[\]]+")
"""A field or a number in a path such as `spec.steps[1].name`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextBlock:
    """A text within a file.

    Attributes:
        first_line: the file's line of the text's first line, from 1; None if the file does not hold its lines as they
            are, as in JSON or in a folded block.
        indent: how many columns each line is indented.
    """

    first_line: int | None = None
    indent: int = 0

    def place(self, line: int, column: int) -> tuple[int, int] | None:
        """Return the file's line and column of a place in the text, each from 1; None if nobody can tell."""
        if self.first_line is None or line < 1:
            return None
        return self.first_line + line - 1, column + self.indent if column else 0


def find_block(text: str, matches: Mapping[str, str], path: Sequence[str], value: str) -> TextBlock:
    """Return where `value` stands in the YAML `text`.

    `matches` are scalars by their dotted path that the document must have, such as `kind`; `path` leads to the value.
    """
    for document in compose(text):
        if all(read_scalar(document, name.split(".")) == wanted for name, wanted in matches.items()):
            node = descend(document, path)
            if isinstance(node, yaml.ScalarNode) and node.value == value:
                return read_block(text.split("\n"), node)
    return TextBlock()


def find_line(text: str, matches: Mapping[str, str], path: str) -> int | None:
    """Return the line, from 1, of the field at `path`, such as `spec.steps[1].name`, or of the nearest field around it.

    `matches` are scalars that the document must have, as for `find_block`. None if there is no such document.
    """
    for document in compose(text):
        if all(read_scalar(document, name.split(".")) == wanted for name, wanted in matches.items()):
            line = document.start_mark.line
            node: yaml.Node | None = document
            for part in split_path(path):
                node, line = step_into(node, part, line)
            return line + 1
    return None


def split_path(path: str) -> list[str]:
    """Return the fields and numbers of a path such as `spec.steps[1].name`."""
    return PART.findall(path)


def step_into(node: yaml.Node | None, part: str, line: int) -> tuple[yaml.Node | None, int]:
    """Return the node of a field or an item, and the line on which it begins: if there is none, `line`."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == part:
                return value, key.start_mark.line
    if isinstance(node, yaml.SequenceNode) and part.isdecimal() and int(part) < len(node.value):
        item = node.value[int(part)]
        return item, item.start_mark.line
    return None, line


@lru_cache(maxsize=1)
def compose(text: str) -> Sequence[yaml.Node]:
    """Return the documents' nodes, as far as the text is YAML. The last file's are kept: each step asks."""
    nodes: list[yaml.Node] = []
    with suppress(yaml.YAMLError, RecursionError):
        nodes.extend(node for node in yaml.compose_all(text, ManifestLoader) if node is not None)
    return nodes


def descend(node: yaml.Node | None, path: Sequence[str]) -> yaml.Node | None:
    """Return the node at a path of mapping keys and numbers of items; None if there is none."""
    for name in path:
        node, _ = step_into(node, name, 0)
    return node


def read_scalar(node: yaml.Node, path: Sequence[str]) -> str | None:
    """Return the text of the scalar at a path; None if there is none."""
    found = descend(node, path)
    return str(found.value) if isinstance(found, yaml.ScalarNode) else None


def read_block(lines: Sequence[str], node: yaml.ScalarNode) -> TextBlock:
    """Return the place of a literal block whose lines stand in the file as they are, only indented."""
    first = node.start_mark.line + 1
    shown = lines[first:]
    indents = set()
    for own, line in zip(node.value.rstrip("\n").split("\n"), shown, strict=False):
        line_as_read = line.removesuffix("\r")
        if own and not line_as_read.endswith(own):
            return TextBlock()
        indents |= {len(line_as_read) - len(own)} if own else set()
    if node.style != "|" or len(indents) != 1:
        return TextBlock()
    return TextBlock(first_line=first + 1, indent=indents.pop())
