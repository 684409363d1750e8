"""The contexts of a KUBECONFIG, as kubectl has them."""

import os
from typing import Any

from kubernetes.aio import config as untyped_config

from podreduce_operator.model.errors import OperatorError

__all__ = ["find_namespace"]

config: Any = untyped_config


def find_namespace(context: str | None) -> str | None:
    """Return the namespace of a context, or of the current one; None if it names none, or if there is no KUBECONFIG.

    Raises:
        OperatorError: there is no such context.
    """
    try:
        contexts, current = config.list_kube_config_contexts(os.environ.get("KUBECONFIG"))
    except config.ConfigException:
        return None
    found = current if context is None else next((each for each in contexts if each["name"] == context), None)
    if found is None:
        names = ", ".join(each["name"] for each in contexts) or "none"
        raise OperatorError(f"there is no context {context} in the KUBECONFIG; it has {names}")
    namespace: str | None = found["context"].get("namespace")
    return namespace
