"""A MapReduceJob as read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podreduce_operator.api.spec import JobSpec

__all__ = ["JobKey", "JobView"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class JobKey:
    """Which MapReduceJob, by name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A MapReduceJob as read: its identity, its labels, its spec decoded and raw, its last status."""

    key: JobKey
    uid: str
    generation: int
    spec: JobSpec
    raw_spec: Mapping[str, Any]
    status: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    deleting: bool = False
