"""Reads resources with what belongs to them: pods, events, and the jobs of a schedule."""

import difflib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from podreduce_operator.api.owners import read_controller
from podreduce_operator.cli.cluster.errors import CommandError
from podreduce_operator.cli.cluster.kinds import JOB, KINDS, Kind, Reference
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.model.pods import PodView
from podreduce_operator.pods.pod_names import job_selector
from podreduce_operator.pods.pod_view import parse_pod

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["list_jobs_of", "list_pods_of", "name_of", "read_resource", "uid_of"]

Json = dict[str, Any]

NEAR_NAMES = 3


async def read_resource(connection: "Connection", reference: Reference) -> Json:
    """Return a resource.

    Raises:
        CommandError: there is none; the message has names that are like it.
    """
    if connection.namespace is None:
        raise CommandError(f"{reference}: one resource is in one namespace: give -n NAMESPACE instead of -A")
    found = await connection.get(reference.kind, reference.name)
    if found is not None:
        return found
    names = [name_of(manifest) for manifest in await connection.list_all(reference.kind)]
    others = await find_namesakes(connection, reference)
    raise CommandError(explain_absence(connection, reference, names, others))


async def find_namesakes(connection: "Connection", reference: Reference) -> list[Reference]:
    """Return resources of other kinds that have this name. A kind that may not be read has none."""
    found = []
    for kind in KINDS:
        with suppress(CommandError):
            if kind is not reference.kind and await connection.get(kind, reference.name) is not None:
                found.append(Reference(kind=kind, name=reference.name))
    return found


def explain_absence(connection: "Connection", reference: Reference, names: list[str], others: list[Reference]) -> str:
    """Return that there is no such resource, and which ones there are. `others` have its name, and another kind."""
    near = difflib.get_close_matches(reference.name, names, n=NEAR_NAMES, cutoff=0.5)
    kind = reference.kind.names
    message = f"there is no {kind.kind} {reference.name!r} in {connection.where}"
    if others:
        return f"{message}; there is a {others[0].kind.noun}: say {' or '.join(map(str, others))}"
    if near:
        return f"{message}; like it: {', '.join(near)}"
    word = [] if reference.kind is JOB else [reference.kind.short]
    if names:
        return f"{message}; {connection.place.command('list', *word)} shows what is there"
    return f"{message}, nor any other; {Place().command('list', *word, '-A')} asks all namespaces"


async def list_pods_of(connection: "Connection", job: Json) -> list[PodView]:
    """Return the pods of all runs of a job that the cluster still has, in the order of their tasks and attempts."""
    manifests = await connection.list_core("pods", {"labelSelector": job_selector(name_of(job))})
    owned = (parse_pod(manifest) for manifest in manifests)
    pods = [pod.view for pod in owned if pod is not None and pod.owner_uid == uid_of(job)]
    return sorted(pods, key=lambda pod: (pod.task, pod.ordinal))


async def list_jobs_of(connection: "Connection", owner: Json, kind: Kind = JOB) -> list[Json]:
    """Return the resources that another one controls, such as the jobs of a schedule, the newest first."""
    found = [
        manifest
        for manifest in await connection.list_all(kind)
        if (controller := read_controller(manifest["metadata"])) is not None and controller.uid == uid_of(owner)
    ]
    return sorted(found, key=lambda manifest: str(manifest["metadata"].get("creationTimestamp")), reverse=True)


def name_of(manifest: Json) -> str:
    """Return a resource's name."""
    return str(manifest["metadata"]["name"])


def uid_of(manifest: Json) -> str:
    """Return a resource's UID."""
    return str(manifest["metadata"]["uid"])
