"""Which of the installation's default resources a task's container gets.

Rule: pure. A resource that a pod template names, as a limit or as a request, is the template's alone: a default
request above its limit would make the pod invalid.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["remaining_defaults"]

KINDS = ("limits", "requests")


def remaining_defaults(
    defaults: Mapping[str, Any], templates: Iterable[Mapping[str, Any]], container: str
) -> dict[str, Any]:
    """Return `defaults` (`{"limits": …, "requests": …}`) without what `templates` name for `container`."""
    named = {resource for template in templates for resource in named_resources(template, container)}
    return {
        kind: {resource: amount for resource, amount in amounts.items() if resource not in named}
        for kind, amounts in defaults.items()
    }


def named_resources(template: Mapping[str, Any], container: str) -> Iterator[str]:
    """Yield the resources that a template names; a template of another shape names none, and is refused later."""
    containers = mapping(template.get("spec")).get("containers")
    for each in containers if isinstance(containers, list) else ():
        if mapping(each).get("name") == container:
            resources = mapping(mapping(each).get("resources"))
            for kind in KINDS:
                yield from mapping(resources.get(kind))


def mapping(value: object) -> Mapping[str, Any]:
    """Return `value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}
