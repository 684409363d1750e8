"""A ServiceAccount with the rights that the chart gives to the operator, and no others."""

import json
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.paths import CHECKOUT

__all__ = ["make_account", "make_kubeconfig"]

RBAC = CHECKOUT / "charts" / "podreduce" / "templates" / "rbac.yaml"


def read_rules() -> list[dict[str, Any]]:
    """The rules that the chart gives to the operator in each namespace."""
    text = RBAC.read_text().partition('{{- define "podreduce.rules" -}}')[2].partition("{{- end -}}")[0]
    rules: list[dict[str, Any]] = yaml.safe_load(text)
    return rules


def make_account(namespace: str) -> list[dict[str, Any]]:
    """A ServiceAccount with the operator's rights in the namespace."""
    rbac = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "operator"}}
    subject = {"kind": "ServiceAccount", "name": "operator", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "operator"}},
        {**rbac, "kind": "Role", "rules": read_rules()},
        {**rbac, "kind": "RoleBinding", "roleRef": role, "subjects": [subject]},
    ]


def make_kubeconfig(outside: Cluster, namespace: str, directory: Path) -> Path:
    """A KUBECONFIG of the operator's ServiceAccount."""
    raw = outside.kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json").stdout
    token = outside.kubectl("create", "token", "operator", "--namespace", namespace).stdout.strip()
    config = json.loads(raw)
    config["users"] = [{"name": config["contexts"][0]["context"]["user"], "user": {"token": token}}]
    file = directory / "kubeconfig"
    file.write_text(json.dumps(config))
    return file
