"""Somebody who types commands about the resources of a namespace, of which no operator knows."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from podreduce_operator.api.crd import JOBS, PIPELINES, SCHEDULES, load_crd
from podreduce_operator.cli.commands import app
from tests.cluster.cluster import Cluster
from tests.cluster.minio import MinioServer
from tests.support import job_manifests

__all__ = ["Person", "appear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with a kubeconfig and a namespace, who types commands."""

    cluster: Cluster
    namespace: str

    def types(self, *words: str, typed: str | None = None) -> Result:
        """Run a command; its last options are the place."""
        place = ("--kubeconfig", str(self.cluster.kubeconfig), "-n", self.namespace)
        return CliRunner().invoke(app, [*words, *place], input=typed, catch_exceptions=False)

    def has(self, manifest: dict[str, Any], name: str | None = None) -> str:
        """Create a resource with its status, and return its UID."""
        known = {key: manifest["metadata"][key] for key in ("labels", "ownerReferences") if key in manifest["metadata"]}
        metadata = {"name": name or manifest["metadata"]["name"], "namespace": self.namespace, **known}
        self.cluster.apply({**{key: manifest[key] for key in ("apiVersion", "kind", "spec")}, "metadata": metadata})
        kind = str(manifest["kind"]).lower()
        if "status" in manifest:
            self.write_status(kind, metadata["name"], manifest["status"])
        return str(self.get(kind, metadata["name"])["metadata"]["uid"])

    def write_status(self, kind: str, name: str, status: dict[str, Any]) -> None:
        """Write a status as the operator does: what the CRD does not know is an error."""
        patch = json.dumps({"status": status})
        written = self.cluster.kubectl(
            "patch", kind, name, "-n", self.namespace, "--subresource=status", "--type=merge", "-p", patch
        )
        assert "unknown field" not in written.stderr

    def has_storage(self, minio: MinioServer, bucket: str) -> None:
        """Create the storage Secret: intermediate data is below `work/` in the bucket."""
        keys = {"endpoint": minio.endpoint, "region": minio.region, "accessKey": minio.access_key,
                "secretKey": minio.secret_key, "workUri": f"s3://{bucket}/work/"}  # fmt: skip
        metadata = {"name": "podreduce-storage", "namespace": self.namespace}
        self.cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": keys})

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Return a resource as it is."""
        found = self.cluster.get(kind, name, self.namespace)
        assert found is not None
        return found


@contextmanager
def appear(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """Give a person a namespace on a cluster with the CRDs; manifests are of now."""
    cluster.apply_crds(*map(load_crd, (JOBS, PIPELINES, SCHEDULES)))
    monkeypatch.setattr(job_manifests, "NOW", time.time())
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    namespace = cluster.namespace("commands")
    yield Person(cluster=cluster, namespace=namespace)
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")
