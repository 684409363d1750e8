"""Which resources are this installation's. Several installations may see a resource, and only one serves it.

Rule: a resource without an installation is adopted before anything else is done. The write names the version that was
read, so only one of several installations succeeds.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from podreduce_operator.loop.passes import Worker
from podreduce_operator.policy.run_state import read_installation

__all__ = ["Adoption", "WriteStatus"]

WriteStatus = Callable[[dict[str, Any]], Awaitable[bool]]
"""Writes a resource's status if the resource is still as it was read, and returns whether it was."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """Adopts resources for an installation. None serves all resources and adopts none."""

    installation: str | None

    def is_foreign(self, status: Mapping[str, Any]) -> bool:
        """Tell by its status whether a resource belongs to another installation. Nothing is done to such a one."""
        owner = read_installation(status)
        return not (self.installation is None or owner is None or owner == self.installation)

    async def adopt(self, uid: str, status: Mapping[str, Any], worker: Worker, write: WriteStatus) -> bool:
        """Make a resource this installation's own. Return whether its pass may go on.

        If the API server drops the field, because its CRD is older, the resource counts as adopted by this operator.
        """
        if self.installation is None or read_installation(status) is not None or worker.adopted == uid:
            return True
        if await write({**status, "installation": self.installation}):
            worker.adopted = uid
        return False
