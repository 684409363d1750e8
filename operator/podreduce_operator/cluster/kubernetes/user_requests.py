"""What a person's commands ask of an API server: by the contexts and namespaces of a KUBECONFIG, as kubectl has them.

Rule: fields are applied on the server's side, as `kubectl apply --server-side` does, and owned by `podreduce`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from podreduce_operator.api.crd import API_VERSION, KIND, PLURAL
from podreduce_operator.cluster.kubernetes.api import ApiServer, Json, connect, core_path, custom_path
from podreduce_operator.model.errors import OperatorError

__all__ = ["apply_documents", "await_end"]

FIELD_MANAGER = "podreduce"
POLL_SECONDS = 1.0
DEFAULT_NAMESPACE = "default"


def apply_documents(context: str | None, namespace: str | None, documents: Sequence[Json]) -> list[Json]:
    """Apply ConfigMaps and MapReduceJobs, and return them as they are then. A job with generateName is created.

    Args:
        context: of the KUBECONFIG; None: the current one.
        namespace: of documents that name none; None: the context's.
        documents: as in their files.

    Raises:
        OperatorError: there are no credentials, or the API server refuses, or does not answer.
    """
    return asyncio.run(apply_all(context, namespace, documents))


async def apply_all(context: str | None, namespace: str | None, documents: Sequence[Json]) -> list[Json]:
    """Apply documents one after another."""
    named = {each.get("metadata", {}).get("namespace") for each in documents} - {None, namespace}
    if namespace and named:
        raise OperatorError(
            f"--namespace {namespace}: a document names another one, {named.pop()}: leave one of them out"
        )
    async with connect(context=context) as api:
        place = namespace or api.namespace or DEFAULT_NAMESPACE
        return [await apply_one(api, place, document) for document in documents]


async def apply_one(api: ApiServer, namespace: str, document: Json) -> Json:
    """Apply one document.

    Raises:
        OperatorError: it is of another kind, or the server refuses it.
    """
    metadata = document.get("metadata") or {}
    place, name = metadata.get("namespace") or namespace, metadata.get("name") or ""
    placed = {**document, "metadata": {**metadata, "namespace": place}}
    if not name:
        return await api.create(path_of(document, place), placed, {"fieldManager": FIELD_MANAGER})
    return await api.apply(path_of(document, place, name), placed, FIELD_MANAGER)


def path_of(document: Mapping[str, object], namespace: str, name: str = "") -> str:
    """Return the path of a document.

    Raises:
        OperatorError: it is neither a job nor a ConfigMap.
    """
    kind = (document.get("apiVersion"), document.get("kind"))
    if kind == (API_VERSION, KIND):
        return custom_path(API_VERSION, PLURAL, namespace, name)
    if kind == ("v1", "ConfigMap"):
        return core_path("configmaps", namespace, name)
    raise OperatorError(f"{kind[1]} {kind[0]}: only {KIND} and ConfigMap are submitted: apply it with kubectl")


def await_end(context: str | None, namespace: str, name: str, tell: Callable[[Json], bool]) -> None:
    """Read a job again and again, and give it to `tell`, until that returns True.

    Raises:
        OperatorError: the API server refuses, or the job is gone.
    """
    asyncio.run(follow(context, namespace, name, tell))


async def follow(context: str | None, namespace: str, name: str, tell: Callable[[Json], bool]) -> None:
    """See `await_end`."""
    async with connect(context=context) as api:
        path = custom_path(API_VERSION, PLURAL, namespace, name)
        while True:
            if tell(await api.get(path)):
                return
            await asyncio.sleep(POLL_SECONDS)
