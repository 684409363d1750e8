"""A run's objects and its output, read with the keys of the job's storage Secret.

Rule: only reads. The Secret is read by name, as the operator does, and never printed. If it may not be read, the AWS_*
variables count, if they are set.
"""

import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from podreduce.contract.errors import ObjectNotFoundError, PodreduceError, StorageUnavailableError
from podreduce.contract.layout import POST_MORTEM_KEY, run_prefix
from podreduce.contract.post_mortem import PostMortem
from podreduce.contract.wire import decode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.api.spec import DEFAULT_SECRET
from podreduce_operator.cli.cluster.errors import CommandError
from podreduce_operator.cli.cluster.run_facts import spec_of, status_of
from podreduce_operator.policy.run_state import read_installation

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection
    from podreduce_operator.cluster.interface import JobStorage

__all__ = ["RunStore", "open_run_store", "read_post_mortem"]

OWN_KEYS = "AWS_ACCESS_KEY_ID"
SERVICE_PARTS = 3
"""A Service is reached inside the cluster at NAME.NAMESPACE.svc, with or without a domain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStore:
    """Opens what belongs to a job's run. `storage` is None if the AWS_* variables count."""

    manifest: Mapping[str, Any]
    storage: "JobStorage | None"

    def open(self, uri: str) -> ObjectStore:
        """Open the store at a URI that ends in `/`. A store that is away is not asked again and again."""
        store = open_store(uri) if self.storage is None else self.storage.open(uri)
        return store.asked_once()

    def open_run(self) -> ObjectStore:
        """Open the prefix of the run that the status describes.

        Raises:
            CommandError: it is not known where that is.
        """
        status = status_of(self.manifest)
        post_mortem = (status.get("postMortem") or {}).get("uri", "")
        if post_mortem.endswith(POST_MORTEM_KEY):
            return self.open(post_mortem.removesuffix(POST_MORTEM_KEY))
        installation, run_id = read_installation(status), status.get("runId")
        if self.storage is None or installation is None or run_id is None:
            raise CommandError("it is not known where the run's objects are: the storage Secret says it, or the end")
        metadata = self.manifest["metadata"]
        prefix = run_prefix(installation, metadata["namespace"], metadata["name"], metadata["uid"], run_id)
        return self.open(self.storage.work_uri + prefix)

    def explain(self, error: PodreduceError) -> CommandError:
        """Return the error of a request with what to do about it."""
        endpoint = "" if self.storage is None else self.storage.settings.endpoint or ""
        if isinstance(error, StorageUnavailableError):
            return CommandError(f"{error}; {advise(endpoint)}")
        return CommandError(str(error))


def advise(endpoint: str) -> str:
    """Return how a store is reached that is inside the cluster."""
    address = urlsplit(endpoint)
    name, *parts = (address.hostname or "").split(".")
    if len(parts) + 1 >= SERVICE_PARTS and parts[1] == "svc":
        port = address.port or (443 if address.scheme == "https" else 80)
        forward = f"kubectl port-forward -n {parts[0]} service/{name} {port}:{port}"
        return f"{endpoint} is an address inside the cluster: {forward}, and --endpoint {address.scheme}://127.0.0.1:{port}"
    return f"does this machine reach {endpoint or 'the store'}? --endpoint URL gives another address of the same store"


@asynccontextmanager
async def open_run_store(
    connection: "Connection", manifest: Mapping[str, Any], endpoint: str | None
) -> AsyncIterator[RunStore]:
    """Open the store of a job. `endpoint` replaces the one of its Secret.

    Raises:
        CommandError: the Secret cannot be read, and there are no keys in the environment.
    """
    secret = ((spec_of(manifest).get("storage") or {}).get("secretRef") or {}).get("name", DEFAULT_SECRET.name)
    with tempfile.TemporaryDirectory(prefix="podreduce-") as directory:
        installation = read_installation(status_of(manifest)) or ""
        try:
            storage = await connection.read_storage(secret, installation, Path(directory))
        except CommandError as error:
            if OWN_KEYS not in os.environ:
                raise CommandError(f"{error}; or set {OWN_KEYS}, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL") from error
            yield RunStore(manifest=manifest, storage=None)
            return
        if endpoint is not None:
            storage = replace(storage, settings=msgspec.structs.replace(storage.settings, endpoint=endpoint))
        yield RunStore(manifest=manifest, storage=storage)


def read_post_mortem(store: RunStore) -> PostMortem | None:
    """Return the post-mortem of the run that ended; None if there is none, or it was deleted.

    Raises:
        PodreduceError: it cannot be read.
    """
    if "postMortem" not in status_of(store.manifest):
        return None
    with suppress(ObjectNotFoundError):
        return decode(store.open_run().get(POST_MORTEM_KEY), PostMortem)
    return None
