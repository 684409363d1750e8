"""The connection to one API server, as the command line names it.

Rule: the only file of the command line that imports the Kubernetes client, which is slow to import.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from podreduce_operator.api.crd import API_VERSION
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.kinds import JOB, Kind
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, connect, core_path, custom_path
from podreduce_operator.cluster.kubernetes.storage_reader import StorageReader
from podreduce_operator.cluster.kubernetes.user_requests import apply_documents
from podreduce_operator.model.errors import OperatorError

__all__ = ["Connection", "open_connection"]

Json = dict[str, Any]

USER_AGENT = "podreduce-cli"
"""The API server's audit log and `managedFields` show it."""

PAGE_SIZE = 500
DEFAULT_NAMESPACE = "default"
NO_NAMESPACE = "namespaces "
"""How the API server's message begins if there is no such namespace."""
RIGHTS = "ask the cluster's administrator for the Role in docs/cli.md, Rights"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Requests to one API server. Every error is a CommandError that says what to do.

    Attributes:
        namespace: the one that is asked; None means all.
    """

    api: ApiServer
    place: Place
    namespace: str | None

    @property
    def where(self) -> str:
        """The namespace in words."""
        return f"the namespace {self.namespace}" if self.namespace else "any namespace"

    async def get(self, kind: Kind, name: str) -> Json | None:
        """Return a resource; None if there is none."""
        try:
            return await self.api.get(self.path(kind, name))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise self.explain(error) from error

    async def list_all(self, kind: Kind, selector: str = "") -> list[Json]:
        """Return all resources of a kind, in the order of their names."""
        query = {"labelSelector": selector} if selector else {}
        try:
            return await self._list(self.path(kind), query)
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise self.explain_unserved(kind) from error
            raise self.explain(error) from error

    async def list_core(self, resource: str, query: Mapping[str, str]) -> list[Json]:
        """Return objects of the core group, such as pods or events."""
        try:
            return await self._list(core_path(resource, self.namespace), query)
        except ApiError as error:
            raise self.explain(error) from error

    async def _list(self, path: str, query: Mapping[str, str]) -> list[Json]:
        found: list[Json] = []
        query = {**query, "limit": str(PAGE_SIZE)}
        while True:
            page = await self.api.get(path, query)
            found += page.get("items") or []
            if not (token := page["metadata"].get("continue")):
                return found
            query = {**query, "continue": token}

    async def read_config_map(self, name: str) -> dict[str, str] | None:
        """Return the data of a ConfigMap; None if there is none."""
        try:
            found = await self.api.get(core_path("configmaps", self.namespace, name))
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise self.explain(error) from error
        return dict(found.get("data") or {})

    async def patch(self, kind: Kind, name: str, change: Json) -> Json:
        """Merge a change into a resource, and return it as it is now."""
        try:
            return await self.api.patch(self.path(kind, name), change)
        except ApiError as error:
            raise self.explain(error) from error

    async def apply(self, documents: Sequence[Json]) -> list[Json]:
        """Apply a job and the ConfigMaps of its file on the server's side, and return them as they are then."""
        default = self.namespace or DEFAULT_NAMESPACE
        try:
            return await apply_documents(
                self.api, documents, default_namespace=default, asked_namespace=self.place.namespace
            )
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND and not str(error).startswith(NO_NAMESPACE):
                raise self.explain_unserved(JOB) from error
            raise self.explain(error) from error
        except OperatorError as error:
            raise CommandError(str(error), CommandExit.INVALID) from error

    async def delete(self, kind: Kind, name: str, uid: str) -> None:
        """Delete the resource with this name and UID."""
        body: Json = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        try:
            await self.api.delete(self.path(kind, name), body)
        except ApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise self.explain(error) from error

    async def read_log(self, pod: str, query: Mapping[str, str]) -> str | None:
        """Return a pod's log; None if the pod is gone, or has not started."""
        try:
            return await self.api.read_text(core_path("pods", self.namespace, pod, "log"), query)
        except ApiError as error:
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
                return None
            raise self.explain(error) from error

    async def read_storage(self, secret: str, installation: str, directory: Path) -> JobStorage:
        """Return the storage that a Secret describes. Certificates are written to `directory`."""
        try:
            return await StorageReader(self.api, installation, directory).read(self.namespace or "", secret)
        except OperatorError as error:
            raise CommandError(str(error)) from error

    def path(self, kind: Kind, name: str = "") -> str:
        """Return the path of a resource, or of the kind's list."""
        return custom_path(API_VERSION, kind.names.plural, self.namespace, name)

    def explain_unserved(self, kind: Kind) -> CommandError:
        """Return that the cluster does not know a kind, and what to do."""
        return CommandError(
            f"the cluster at {self.api.server} does not serve {kind.names.plural}: install podreduce's chart, "
            f"or apply crds/{kind.names.file_name}; if it is the wrong cluster, choose another --context"
        )

    def explain(self, error: ApiError) -> CommandError:
        """Return the error with what to do about it."""
        message = f"{describe(error, self.api.server)}; {advise(error)}"
        return CommandError(message, is_passing=error.is_passing)


def describe(error: ApiError, server: str) -> str:
    """Return what the API server said, or that it said nothing."""
    return f"{server}: {error}" if error.status == 0 else str(error)


CORRECT_IT = "correct the field that it names: nothing was changed"
ADVICE: Mapping[int, str] = {
    0: "is it the right --context, and does this machine reach that address?",
    HTTPStatus.BAD_REQUEST: CORRECT_IT,
    HTTPStatus.UNPROCESSABLE_ENTITY: CORRECT_IT,
    HTTPStatus.UNAUTHORIZED: "the credentials are not accepted: log in to the cluster again, or choose another "
    "--context",
    HTTPStatus.FORBIDDEN: RIGHTS,
    HTTPStatus.NOT_FOUND: "kubectl get namespaces shows those that there are; -n chooses another",
    HTTPStatus.CONFLICT: "somebody else changed it at the same moment: look at it, and try again",
}
"""What to do about a refusal, by the HTTP status; 0: there was no answer."""


def advise(error: ApiError) -> str:
    """Return what to do about a refusal."""
    return ADVICE.get(error.status, "try it again later; the API server's own log says more")


@asynccontextmanager
async def open_connection(place: Place) -> AsyncIterator[Connection]:
    """Connect to the API server that `place` names.

    Raises:
        CommandError: there are no credentials.
    """
    try:
        async with connect(place.kubeconfig, context=place.context, user_agent=USER_AGENT) as api:
            namespace = None if place.all_namespaces else place.namespace or api.namespace
            yield Connection(api=api, place=place, namespace=namespace)
    except OperatorError as error:
        raise CommandError(str(error)) from error
