"""Reads a manifest: YAML or JSON text becomes one MapReduceJob as plain data, or an error with the line.

Rule: pure. Reads YAML as kubectl does, where PyYAML's defaults differ: duplicate keys are refused, dates and clock
times stay strings, `1e3` is a number, and `y` and `n` are booleans. As a key, where nobody means one, they are refused.
"""

import json
import re
from typing import Any, ClassVar

import yaml

from podreduce.contract.texts import render_count
from podreduce_operator.api.crd import API_VERSION, KIND

__all__ = ["ManifestError", "load_documents", "parse_manifest", "show"]


SHOWN_CHARACTERS = 60
BOOL = "tag:yaml.org,2002:bool"


class ManifestError(ValueError):
    """The text is not a MapReduceJob. The message starts with the file and, if known, the line."""


def parse_manifest(text: str, source: str) -> dict[str, Any]:
    """Return the MapReduceJob in `text`, which is YAML or JSON; `source` names the file in errors.

    Raises:
        ManifestError: the text is neither, or is not exactly one MapReduceJob of this version.
    """
    documents = load_documents(text, source)
    if len(documents) != 1:
        found = render_count(len(documents), "document") if documents else "an empty file"
        raise ManifestError(f"{source}: expected one {KIND}, found {found}: put each job in a separate file")
    manifest = documents[0]
    if not isinstance(manifest, dict):
        raise ManifestError(
            f"{source}: expected a mapping with apiVersion and kind, got {type(manifest).__name__}: name a job in YAML "
            "or JSON, or a Python file (job.py) before its input"
        )
    for field, expected in (("apiVersion", API_VERSION), ("kind", KIND)):
        if manifest.get(field) != expected:
            raise ManifestError(f"{source}: {field}: must be {expected}, got {show(manifest.get(field))}")
    return manifest


def load_documents(text: str, source: str) -> list[Any]:
    """Return the YAML documents of `text` that are not empty. JSON without tabs is also YAML."""
    if source.endswith(".json"):
        return [load_json(text, source)]
    try:
        documents = [document for document in yaml.load_all(text, ManifestLoader) if document is not None]
        return [as_json(document) for document in documents]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ManifestError(f"{source}{place}: not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise ManifestError(f"{source}: not valid YAML: {error}") from error
    except RecursionError as error:
        raise ManifestError(f"{source}: not valid YAML: nested too deeply") from error


def load_json(text: str, source: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value of `text`."""
    try:
        return json.loads(text, object_pairs_hook=unique_pairs)
    except json.JSONDecodeError as error:
        raise ManifestError(f"{source}:{error.lineno}:{error.colno}: not valid JSON: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{source}: not valid JSON: {error}") from error


def unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object with these fields.

    Raises:
        ValueError: a field is given twice.
    """
    fields = dict(pairs)
    if len(fields) < len(pairs):
        twice = next(name for index, (name, _) in enumerate(pairs) if name in dict(pairs[:index]))
        raise ValueError(f"{twice!r} is given twice")
    return fields


def as_json(document: object) -> Any:  # noqa: ANN401 - any JSON value
    """Return `document` with string keys and no shared values. Refuse values that JSON cannot express."""
    return json.loads(json.dumps(document, allow_nan=False))


class ManifestLoader(yaml.SafeLoader):
    """PyYAML's safe loader, changed to read YAML as kubectl does."""

    bool_values: ClassVar = {**yaml.SafeLoader.bool_values, "y": True, "n": False}

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:  # noqa: ANN401 - PyYAML's signature
        """Return the mapping's node.

        Raises:
            yaml.composer.ComposerError: a key is given twice, or is a boolean that looks like a text.
        """
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag == BOOL and key.value.lower() not in {"true", "false"}:
                problem = f'{key.value} is not a text in YAML 1.1: kubectl reads it as a boolean; write "{key.value}"'
                raise yaml.composer.ComposerError(None, None, problem, key.start_mark)
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.composer.ComposerError(None, None, f"{key.value!r} is given twice", key.start_mark)
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else key)
        return node


IMPLICIT_TAGS = {
    BOOL: re.compile(r"^(?:y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"),
    "tag:yaml.org,2002:int": re.compile(r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$"),
    "tag:yaml.org,2002:float": re.compile(
        r"^(?:[-+]?(?:[0-9][0-9_]*\.?[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?)"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
    "tag:yaml.org,2002:merge": re.compile(r"^(?:<<)$"),
    "tag:yaml.org,2002:null": re.compile(r"^(?:~|null|Null|NULL|)$"),
}
"""The types of a plain scalar besides string, tried in this order: YAML 1.1 without dates and base-60 numbers."""

ManifestLoader.yaml_implicit_resolvers = {None: list(IMPLICIT_TAGS.items())}


def show(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return `value` as JSON, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
