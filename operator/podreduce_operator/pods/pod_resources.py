"""Which resources a task's container gets, and more memory after it ran out.

Rule: pure. If a pod template sets a limit or a request for a resource, both defaults for this resource are dropped.
Otherwise a default request above the template's limit would make the pod invalid.
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from podreduce_operator.api.quantities import read_quantity
from podreduce_operator.model.pods import Requests

__all__ = ["raise_memory", "read_requests", "remaining_defaults", "request_scratch"]

KINDS = ("limits", "requests")
DISK = "ephemeral-storage"


def remaining_defaults(
    defaults: Mapping[str, Any], templates: Iterable[Mapping[str, Any]], container: str
) -> dict[str, Any]:
    """Return `defaults` (`{"limits": …, "requests": …}`) without the resources that `templates` set for `container`."""
    named = {resource for template in templates for resource in named_resources(template, container)}
    return {
        kind: {resource: amount for resource, amount in amounts.items() if resource not in named}
        for kind, amounts in defaults.items()
    }


def request_scratch(resources: Mapping[str, Any], size: str | None) -> Mapping[str, Any]:
    """Return `resources` with a request for the scratch volume's disk, if it has a size and they say nothing of disk.

    Without the request the scheduler does not count the volume, and clusters that give each pod a limit give a small
    one. There is no limit but the volume's own: that of a container would count its log as well.
    """
    if size is None or any(DISK in mapping(resources.get(kind)) for kind in KINDS):
        return resources
    return {**resources, "requests": {**mapping(resources.get("requests")), DISK: size}}


def raise_memory(resources: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """Return `resources` with `factor` times the memory in the limit and in the request, if they are set."""
    raised = dict(resources)
    for kind in KINDS:
        amounts = mapping(resources.get(kind))
        if "memory" in amounts and factor != 1.0:
            raised[kind] = {**amounts, "memory": multiply(amounts["memory"], factor)}
    return raised


def multiply(quantity: Any, factor: float) -> Any:  # noqa: ANN401 - a template's value
    """Return a Kubernetes quantity times `factor`, in whole bytes. The API server refuses any other value later."""
    number = read_quantity(str(quantity))
    return quantity if number is None else str(int(number * Decimal(factor)))


def read_requests(resources: Mapping[str, Any]) -> Requests:
    """Return what a container's `resources` request. Equal requests give the same object."""
    requests = mapping(resources.get("requests"))
    return shared_requests(str(requests.get("cpu", "")), str(requests.get("memory", "")))


@lru_cache(maxsize=256)
def shared_requests(cpu: str, memory: str) -> Requests:
    """Return these quantities as numbers."""
    cores, memory_bytes = read_quantity(cpu), read_quantity(memory)
    return Requests(
        None if cores is None else int(cores * 1000),
        None if memory_bytes is None else int(memory_bytes),
    )


def named_resources(template: Mapping[str, Any], container: str) -> Iterator[str]:
    """Yield the resources that a template sets. A template with a wrong shape sets none; it is refused later."""
    containers = mapping(template.get("spec")).get("containers")
    for each in containers if isinstance(containers, list) else ():
        if mapping(each).get("name") == container:
            resources = mapping(mapping(each).get("resources"))
            for kind in KINDS:
                yield from mapping(resources.get(kind))


def mapping(value: object) -> Mapping[str, Any]:
    """Return `value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}
