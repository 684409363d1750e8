"""What `podreduce submit` asks of an API server: to apply a job and the ConfigMaps of its file.

Rule: fields are applied on the server's side, as `kubectl apply --server-side` does, and owned by `podreduce`.
"""

from collections.abc import Mapping, Sequence

from podreduce_operator.api.crd import API_VERSION, KIND, PLURAL
from podreduce_operator.cluster.kubernetes.api import ApiServer, Json, core_path, custom_path
from podreduce_operator.model.errors import OperatorError

__all__ = ["apply_documents"]

FIELD_MANAGER = "podreduce"


async def apply_documents(
    api: ApiServer, documents: Sequence[Json], *, default_namespace: str, asked_namespace: str | None = None
) -> list[Json]:
    """Apply ConfigMaps and MapReduceJobs, one after another, and return them as they are then.

    A job with generateName is created.

    Args:
        api: the server.
        documents: as in their files.
        default_namespace: of documents that name none.
        asked_namespace: the one that a person has named, if one is named: no document may name another.

    Raises:
        OperatorError: a document is of another kind, or names another namespace, or the API server refuses it.
    """
    named = {each.get("metadata", {}).get("namespace") for each in documents} - {None, asked_namespace}
    if asked_namespace and named:
        raise OperatorError(
            f"--namespace {asked_namespace}: a document names another one, {named.pop()}: leave one of them out"
        )
    return [await apply_one(api, asked_namespace or default_namespace, document) for document in documents]


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
