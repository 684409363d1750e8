"""Merges pod templates as `kubectl patch` merges pods: mappings by field, lists by the key of their items.

Rule: pure; knows pods and nothing of podreduce. There are two differences from strategic merge: an `env` entry or a
volume replaces the old one with the same name. Merged, it would be invalid, with a value and a valueFrom, or with two
volume sources. Lists without a key, such as tolerations, are replaced.
"""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["PodTemplateError", "merge_template"]

MERGE_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
    "ports": "containerPort",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "resourceClaims": "name",
    "topologySpreadConstraints": "topologyKey",
}
"""The key of the list items, by the list's field name (`patchMergeKey` in the Kubernetes API)."""

REPLACED_WHOLE = frozenset({"env", "volumes"})


class PodTemplateError(ValueError):
    """A pod template cannot be merged. The message starts with the path of the field."""


def merge_template(base: Mapping[str, Any], patch: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return `base` with `patch` merged over it. A null in `patch` removes the field.

    Raises:
        PodTemplateError: a field has a different shape than in `base`, or a list item has no key.
    """
    merged = dict(base)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_field(name, merged.get(name), value, f"{path}.{name}")
    return merged


def merge_field(name: str, old: Any, new: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the merged value of a field."""
    key = MERGE_KEYS.get(name)
    if key is not None and (isinstance(old, list) or isinstance(new, list)):
        return merge_items(name, old or [], new, path)
    if isinstance(old, Mapping):
        if not isinstance(new, Mapping):
            raise PodTemplateError(f"{path}: expected a mapping, not {type(new).__name__}")
        return merge_template(old, new, path)
    return new


def merge_items(name: str, old: Sequence[Any], new: Any, path: str) -> list[Any]:  # noqa: ANN401 - any JSON value
    """Return the old items in order, merged or replaced if `new` has the same key, and then the other new items."""
    key = MERGE_KEYS[name]
    if not isinstance(new, list) or not all(isinstance(item, Mapping) and key in item for item in new):
        raise PodTemplateError(f"{path}: expected a list of mappings that each have {key!r}")
    items = {item[key]: item for item in old}
    for item in new:
        known = items.get(item[key])
        if known is None or name in REPLACED_WHOLE:
            items[item[key]] = item
        else:
            items[item[key]] = merge_template(known, item, f"{path}[{key}={item[key]}]")
    return list(items.values())
