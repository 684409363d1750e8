"""Finds the owner of the Lease: the operators' Deployment, so that the Lease is deleted with it, by any tool.

The chart does not create the Lease, for two reasons. An operator creates it again if it vanishes, even during an
uninstall, and helm would then refuse to install over it. And Argo CD does not manage Leases by default.
"""

from http import HTTPStatus

import structlog

from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, custom_path
from podreduce_operator.cluster.kubernetes.object_cache import uid_of

__all__ = ["find_owner"]


log = structlog.get_logger(__name__)


async def find_owner(api: ApiServer, namespace: str, deployment: str, *, has_led: bool) -> Json | None:
    """Return the reference to the Deployment; None if none is named, or if it does not exist or is not readable.

    `has_led`: this operator has held the Lease before. If its Deployment is gone, the installation is gone too, and a
    new Lease would be left behind.

    Raises:
        ApiError: the Deployment cannot be read now, or it is gone and this operator has led.
    """
    if not deployment:
        return None
    try:
        found = await api.get(custom_path("apps/v1", "deployments", namespace, deployment))
    except ApiError as error:
        if error.status != HTTPStatus.FORBIDDEN and (error.status != HTTPStatus.NOT_FOUND or has_led):
            raise
        log.warning(
            "the Lease will not be deleted with the operators: name their Deployment, and grant get on it",
            deployment=f"{namespace}/{deployment}",
            error=str(error),
        )
        return None
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment, "uid": uid_of(found)}
