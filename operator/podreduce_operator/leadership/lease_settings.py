"""The settings of the election among the operators of one installation."""

from dataclasses import dataclass

__all__ = ["LeaseSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """The Lease that decides which operator of an installation acts.

    Attributes:
        pod: the pod of this process; empty outside a pod.
        deployment: the operators' Deployment, in the Lease's namespace. The Lease is deleted with it. Empty if none.
        duration_seconds: how long the others wait if a lease is not renewed.
        renew_seconds: how long its holder acts without a renewal.
        retry_seconds: how long to wait between two tries.
    """

    name: str
    namespace: str
    pod: str = ""
    deployment: str = ""
    duration_seconds: int = 15
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0

    @property
    def place(self) -> str:
        """The Lease's namespace and name."""
        return f"{self.namespace}/{self.name}"
