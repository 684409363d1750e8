"""The KUBECONFIG of a server that a test starts."""

from typing import Any

__all__ = ["make_kubeconfig"]


def make_kubeconfig(server: str) -> dict[str, Any]:
    """Return a KUBECONFIG of a server that asks for no credentials."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "users": [{"name": "x", "user": {}}],
        "clusters": [{"name": "x", "cluster": {"server": server}}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
