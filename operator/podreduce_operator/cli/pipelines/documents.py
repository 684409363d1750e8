"""Reads the documents of a pipeline's file: one MapReducePipeline, and the ConfigMaps with its programs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PipelineFile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFile:
    """The content of a pipeline's file. `config_maps`: their data, by name and then by key."""

    source: str
    manifest: dict[str, Any]
    text: str = ""
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
