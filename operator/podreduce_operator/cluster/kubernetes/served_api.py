"""What must be known of the API server before the operator starts: that it answers, its CRD, its identity."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar

import structlog

from podreduce_operator.api.crd import API_VERSION, KIND, PLURAL, job_schema
from podreduce_operator.api.crd_schema import iter_missing_fields
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, Json, core_path, custom_path
from podreduce_operator.cluster.kubernetes.backoff import Backoff
from podreduce_operator.cluster.kubernetes.object_cache import uid_of
from podreduce_operator.model.errors import OperatorError

__all__ = ["check_api", "read_installation", "when_served"]

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
    """Check that the API server has the CRD."""
    try:
        served = await api.get(custom_path(API_VERSION, ""))
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        raise OperatorError(f"the API server does not serve {API_VERSION}: apply the files in crds/") from error
    if PLURAL not in {resource["name"] for resource in served.get("resources") or []}:
        raise OperatorError(f"the API server serves {API_VERSION} without {PLURAL}: apply the files in crds/")
    await check_schema(api)


async def check_schema(api: ApiServer) -> None:
    """Log the fields that the CRD in the cluster lacks. Jobs run without them, but what they say is lost."""
    try:
        served = await api.get(f"/openapi/v3/apis/{API_VERSION}")
    except ApiError as error:
        log.info("the schema of the CRD in the cluster cannot be read", error=str(error))
        return
    missing = find_missing_fields(served)
    if missing:
        log.warning(
            "the CRD in the cluster is older than this operator: apply the files in crds/",
            missing=", ".join(missing[:MAX_MISSING]) + (", …" if len(missing) > MAX_MISSING else ""),
        )


def find_missing_fields(served: Json) -> list[str]:
    """Return the fields of a MapReduceJob that the API server's OpenAPI document does not have."""
    schemas = (served.get("components") or {}).get("schemas") or {}
    of_jobs = (
        schema
        for schema in schemas.values()
        if any(kind.get("kind") == KIND for kind in schema.get("x-kubernetes-group-version-kind") or ())
    )
    found = next(of_jobs, None)
    if found is None:
        return []
    wanted = {"properties": {name: job_schema()["properties"][name] for name in ("spec", "status")}}
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
