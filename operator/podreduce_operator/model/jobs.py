"""A MapReduceJob as read from the cluster or from a file."""

from dataclasses import dataclass

from podreduce.contract.plan import Owner
from podreduce_operator.api.spec import JobSpec
from podreduce_operator.model.resources import JobKey, ResourceView

__all__ = ["JobKey", "JobView"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView(ResourceView):
    """A MapReduceJob, with its decoded spec."""

    spec: JobSpec

    @property
    def owner(self) -> Owner:
        """The resource that its output is for: its controller, or itself."""
        return self.controller or Owner(kind="MapReduceJob", name=self.key.name, uid=self.uid)
