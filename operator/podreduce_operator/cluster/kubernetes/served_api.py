"""What must be known of the API server before the operator starts: that it answers, its CRDs, its identity."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

import structlog

from podreduce_operator.api.crd import API_VERSION, JOBS, PIPELINES, SCHEDULES, ResourceNames, schema_of
from podreduce_operator.api.crd_schema import iter_missing_fields
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, core_path, custom_path
from podreduce_operator.cluster.kubernetes.backoff import Backoff
from podreduce_operator.cluster.kubernetes.object_cache import uid_of
from podreduce_operator.model.errors import OperatorError

__all__ = ["check_api", "list_served", "read_installation", "when_served"]

MAX_RETRY_SECONDS = 5.0
MAX_MISSING = 5
"""How many missing fields of an old CRD are logged."""

log = structlog.get_logger(__name__)
T = TypeVar("T")


async def when_served(call: Callable[[], Awaitable[T]]) -> T:
    """Return the result of `call`, and repeat it while the API server is down.

    If the API server fails, the operator loses its lease and restarts before the server is back. If it ended at each
    refused connection, the kubelet would restart it only once in five minutes.
    """
    backoff = Backoff(jitter=random.random, limit=MAX_RETRY_SECONDS)
    while True:
        try:
            return await call()
        except ApiError as error:
            if not error.is_passing:
                raise
            delay = backoff.next_delay()
            log.warning("waiting for the API server", error=str(error), retry_seconds=round(delay, 1))
        await asyncio.sleep(delay)


async def check_api(api: ApiServer) -> None:
    """Check that the API server has the CRD of jobs, and compare the CRDs that it has."""
    served = await list_served(api)
    if JOBS.plural not in served:
        raise OperatorError(f"the API server has no {JOBS.plural} of {API_VERSION}: apply the files in crds/")
    await check_schemas(api)


async def list_served(api: ApiServer) -> frozenset[str]:
    """Return the plural names of the kinds that the API server has; none if it does not know this version."""
    try:
        served = await api.get(custom_path(API_VERSION, ""))
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return frozenset()
    return frozenset(resource["name"] for resource in served.get("resources") or [])


async def check_schemas(api: ApiServer) -> None:
    """Log the fields that the CRDs in the cluster lack. Resources work without them, but what they say is lost."""
    try:
        served = await api.get(f"/openapi/v3/apis/{API_VERSION}")
    except ApiError as error:
        log.info("the schemas of the CRDs in the cluster cannot be read", error=str(error))
        return
    for names in (JOBS, PIPELINES, SCHEDULES):
        missing = find_missing_fields(served, names)
        if missing:
            log.warning(
                "the CRD in the cluster is older than this operator: apply the files in crds/",
                kind=names.kind,
                missing=", ".join(missing[:MAX_MISSING]) + (", …" if len(missing) > MAX_MISSING else ""),
            )


def find_missing_fields(served: Json, names: ResourceNames) -> list[str]:
    """Return the fields of a kind that the API server's OpenAPI document does not have; none if it has no such kind."""
    schemas = (served.get("components") or {}).get("schemas") or {}
    of_kind = (
        schema
        for schema in schemas.values()
        if any(kind.get("kind") == names.kind for kind in schema.get("x-kubernetes-group-version-kind") or ())
    )
    found = next(of_kind, None)
    if found is None:
        return []
    wanted = {"properties": {name: schema_of(names)["properties"][name] for name in ("spec", "status")}}
    return list(iter_missing_fields(wanted, found, ""))


async def read_installation(api: ApiServer, release: str) -> str:
    """Return an id of this release that is unique among all clusters: the UID of kube-system plus the release."""
    try:
        return f"{uid_of(await api.get(core_path('namespaces', name='kube-system')))}-{release}"
    except ApiError as error:
        if error.is_passing:
            raise
        raise OperatorError(
            f"the namespace kube-system cannot be read ({error}): grant it, or set PODREDUCE_OPERATOR_INSTALLATION"
        ) from error
