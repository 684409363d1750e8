"""Finds the credentials for the API server as kubectl does, and the namespace that goes with them.

Rule: the kubernetes package, which is untyped, reads the files, runs the programs that they name, and refreshes tokens.
"""

import os
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio import config as untyped_config

from podreduce_operator.model.errors import OperatorError

__all__ = ["load_credentials"]

config: Any = untyped_config

NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""In a pod: the pod's own namespace."""

DEFAULT_FILE = "~/.kube/config"
DEFAULT_NAMESPACE = "default"

UNREADABLE = (config.ConfigException, yaml.YAMLError, OSError, TypeError, ValueError, AttributeError, LookupError)
"""What the package raises for a file that is not there, or has another shape than a kubeconfig."""


async def load_credentials(
    configuration: Any,  # noqa: ANN401 - untyped package
    kubeconfig: Path | None,
    context: str | None = None,
) -> str:
    """Load credentials into the configuration, and return the namespace that its context or its pod has.

    They come from `kubeconfig`, KUBECONFIG, the pod's service account or ~/.kube/config. A `context` is one of a
    file's. A service account's token is read again when it rotates.

    Raises:
        OperatorError: there are none, or they cannot be read.
    """
    named = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or None
    try:
        if named or context or "KUBERNETES_SERVICE_HOST" not in os.environ:
            find_file(named)
            loader = await config.load_kube_config(
                named, context, client_configuration=configuration, persist_config=False
            )
            return str(loader.current_context["context"].get("namespace") or DEFAULT_NAMESPACE)
        config.load_incluster_config(client_configuration=configuration)
    except UNREADABLE as error:
        raise OperatorError(explain(error, named, context)) from error
    return read_own_namespace()


def find_file(named: str | None) -> None:
    """Look for the kubeconfig, of which there may be several.

    Raises:
        OperatorError: there is none.
    """
    paths = [path for path in (named or DEFAULT_FILE).split(os.pathsep) if path]
    if not any(Path(path).expanduser().exists() for path in paths):
        raise OperatorError(
            f"no credentials for the API server: {' and '.join(paths)} is not there; set KUBECONFIG, or run in a pod "
            "with a service account"
        )


def read_own_namespace() -> str:
    """Return the namespace of the pod that this runs in."""
    return NAMESPACE_FILE.read_text(encoding="utf-8").strip() if NAMESPACE_FILE.exists() else DEFAULT_NAMESPACE


def explain(error: Exception, named: str | None, context: str | None) -> str:
    """Return why there are no credentials, and what to do."""
    known = [] if context is None else list_contexts(named)
    if known and context not in known:
        return f"there is no context {context!r} in {named or DEFAULT_FILE}; there are: {', '.join(known)}"
    return f"no credentials for the API server: {error}; set KUBECONFIG, or run in a pod with a service account"


def list_contexts(named: str | None) -> list[str]:
    """Return the names of all contexts; none if they cannot be read."""
    try:
        contexts, _ = config.list_kube_config_contexts(named)
    except UNREADABLE:
        return []
    return sorted(str(known["name"]) for known in contexts)
