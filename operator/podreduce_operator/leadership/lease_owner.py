"""Whose the Lease is: the Deployment's of the operators, so that it goes with them, whoever removes them and how.

Not the chart's: an operator makes its Lease anew when that vanishes, also while it is being uninstalled, and helm would
refuse to install over one that is not its own; and Argo CD, as it comes, does not deal in Leases.
"""

from http import HTTPStatus

import structlog

from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, custom_path
from podreduce_operator.cluster.kubernetes.object_cache import uid_of

__all__ = ["find_owner"]


log = structlog.get_logger(__name__)


async def find_owner(api: ApiServer, namespace: str, deployment: str, *, has_led: bool) -> Json | None:
    """Return the reference to the Deployment; None where nobody has named one, or what is named cannot be had.

    `has_led`: this operator has held the Lease before. If its Deployment is gone, then so is the installation, and a
    Lease that is made now would be left behind.

    Raises:
        ApiError: it cannot be read now, or is gone.
    """
    if not deployment:
        return None
    try:
        found = await api.get(custom_path("apps/v1", "deployments", namespace, deployment))
    except ApiError as error:
        if error.status != HTTPStatus.FORBIDDEN and (error.status != HTTPStatus.NOT_FOUND or has_led):
            raise
        log.warning(
            "the Lease will outlast the operators: name their Deployment, and grant get on it",
            deployment=f"{namespace}/{deployment}",
            error=str(error),
        )
        return None
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment, "uid": uid_of(found)}
