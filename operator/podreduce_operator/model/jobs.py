"""A MapReduceJob as read from the cluster or from a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podreduce.contract.plan import Owner
from podreduce_operator.api.spec import JobSpec

__all__ = ["JobKey", "JobView"]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class JobKey:
    """The namespace and name of a MapReduceJob."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A MapReduceJob: its identity, its labels, its spec decoded and raw, and its last status.

    `controller`: the resource that made it, such as a pipeline; None if a person did.
    `spec_error`: why its newest spec is not understood. The job goes on with the last spec that was.
    """

    key: JobKey
    uid: str
    generation: int
    spec: JobSpec
    raw_spec: Mapping[str, Any]
    status: Mapping[str, Any]
    labels: Mapping[str, str] = field(default_factory=dict)
    controller: Owner | None = None
    deleting: bool = False
    spec_error: str = ""

    @property
    def owner(self) -> Owner:
        """The resource that its output is for: its controller, or itself."""
        return self.controller or Owner(kind="MapReduceJob", name=self.key.name, uid=self.uid)
