"""How the operators of one installation agree on the one that acts."""

from dataclasses import dataclass

__all__ = ["LeaseSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSettings:
    """The Lease by which the operators of one installation agree on the one that acts.

    Attributes:
        pod: the pod that this process runs in; empty outside of one.
        deployment: that of the operators, in the Lease's namespace; the Lease goes with it. Empty if there is none.
        duration_seconds: for how long a lease that is not renewed is respected by the others.
        renew_seconds: for how long its holder acts without having renewed it.
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
