"""What all of podreduce's resources have, as read from the cluster or from a file: identity, raw spec, status."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podreduce.contract.plan import Owner

__all__ = ["JobKey", "ResourceView"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class JobKey:
    """The namespace and name of a resource."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceView:
    """A resource as last seen. Each kind adds its decoded spec.

    Attributes:
        controller: the resource that made it, such as a schedule; None if a person did.
        spec_error: why its newest spec is not understood. The resource goes on with the last spec that was.
    """

    key: JobKey
    uid: str
    generation: int
    raw_spec: Mapping[str, Any]
    status: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    controller: Owner | None = None
    deleting: bool = False
    spec_error: str = ""
