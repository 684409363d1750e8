"""Reads objects and logs from the API server over one kept connection.

Tests look at a cluster some times a second while they wait. A kubectl for each look takes a tenth of a second of the
processors that the cluster runs on; this takes a few thousandths.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from kubernetes.client import ApiClient
from kubernetes.config import new_client_from_config

from tests.cluster.processes import ClusterError

NOT_FOUND = 404
FAILURES = 400
"""HTTP's status of a refusal or a failure: this and more."""
SECONDS = 60


class Reader:
    """Objects by the names of their kinds that kubectl knows: `pods`, `pod`, `mrj`."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._paths: dict[str, str] = {}

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        """Return an object, or None where there is none.

        Raises:
            ClusterError: the API server refused, or knows no such kind.
        """
        status, data = self._ask(f"{self._path(kind, namespace)}/{name}")
        return None if status == NOT_FOUND else decode(status, data)

    def list(self, kind: str, namespace: str, selector: str) -> list[dict[str, Any]]:
        """Return the objects of a kind in a namespace; raises as `get` does."""
        items: list[dict[str, Any]] = self._read(
            f"{self._path(kind, namespace)}?{urlencode({'labelSelector': selector})}"
        )["items"]
        return items

    def log(self, pod: str, namespace: str) -> str:
        """Return what a pod's only container has printed; empty while it cannot be read."""
        status, data = self._ask(f"{self._path('pods', namespace)}/{pod}/log")
        return data.decode(errors="replace") if status < FAILURES else ""

    @cached_property
    def _client(self) -> ApiClient:
        return new_client_from_config(config_file=str(self._kubeconfig))

    def _read(self, path: str) -> dict[str, Any]:
        return decode(*self._ask(path))

    def _ask(self, path: str) -> tuple[int, bytes]:
        """Return the status and the body of an answer."""
        headers: dict[str, str] = {"Accept": "application/json, */*"}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
        answer = self._client.call_api(
            "GET", f"{self._client.configuration.host}{path}", headers, _request_timeout=SECONDS
        )
        return answer.status, answer.read() or b""

    def _path(self, kind: str, namespace: str) -> str:
        """Return the path of all objects of a kind; what is not known is asked for, since a CRD may have come."""
        if kind not in self._paths:
            self._paths = self._discover()
        if kind not in self._paths:
            raise ClusterError(f"the API server knows no kind {kind}")
        return self._paths[kind].format(namespace=namespace)

    def _discover(self) -> dict[str, str]:
        """Return the path by each name of each kind, with `{namespace}` where it has one; the core group first."""
        groups = self._read("/apis")["groups"]
        paths: dict[str, str] = {}
        for start in ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]:
            status, data = self._ask(start)
            for kind in decode(status, data)["resources"] if status < FAILURES else []:  # an extension may be away
                place = "/namespaces/{namespace}/" if kind["namespaced"] else "/"
                for name in (kind["name"], kind.get("singularName", ""), *kind.get("shortNames", ())):
                    paths.setdefault(name, f"{start}{place}{kind['name']}")
        return paths


def decode(status: int, data: bytes) -> dict[str, Any]:
    """Return the object in an answer.

    Raises:
        ClusterError: it is a refusal; the message is the API server's.
    """
    if status >= FAILURES:
        raise ClusterError(f"the API server answers {status}: {data.decode(errors='replace')}")
    found: dict[str, Any] = json.loads(data)
    return found
