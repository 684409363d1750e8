"""Merges pod templates as `kubectl patch` merges pods: mappings by field, lists by the key of their items.

Rule: pure; knows pods and nothing of podreduce. It differs from strategic merge: an item is known by all of its keys,
items of one list are never merged with each other, and an `env` entry or a volume replaces the old one with the same
name. Merged, it would be invalid, with a value and a valueFrom, or with two volume sources. Lists without a key, such
as tolerations, are replaced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["PodTemplateError", "join_templates", "merge_template", "refuse_unknown"]

LIST_KEYS: Mapping[str, tuple[str, ...]] = {
    "claims": ("name",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "evictionResponders": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ports": ("containerPort", "protocol"),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""The keys of the list items, by the list's field name.

Source: `x-kubernetes-list-map-keys` in the Kubernetes API, v1.37. `kubectl patch` uses only the first of two keys.
"""

DEFAULT_KEYS = {"protocol": "TCP", "whenUnsatisfiable": "DoNotSchedule"}
"""What the API server takes for a key that an item does not have. Other keys are required."""

REPLACED_WHOLE = frozenset({"env", "volumes"})
TEMPLATE_FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec"})


class PodTemplateError(ValueError):
    """A pod template cannot be merged. The message starts with the path of the field."""


def refuse_unknown(template: Mapping[str, Any], path: str) -> None:
    """Refuse what a pod template cannot have: `containers` beside `spec` would be ignored without a word.

    Raises:
        PodTemplateError: it has such a field.
    """
    unknown = next((name for name in template if name not in TEMPLATE_FIELDS), None)
    if unknown is not None:
        raise PodTemplateError(
            f"{path}.{unknown}: a pod template has metadata and spec; put {unknown!r} into {path}.spec"
        )


def merge_template(base: Mapping[str, Any], patch: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return `base` with `patch` merged over it. A null in `patch` removes the field.

    Raises:
        PodTemplateError: a field has a different shape than in `base`, or a list item has no key.
    """
    return Merge(keeps_nulls=False).fields(base, patch, path)


def join_templates(first: Mapping[str, Any], second: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the one template that does to a pod what both do one after the other: it keeps their nulls.

    No template can say that a mapping is removed and then set. If `first` removes what `second` sets, the joined one
    merges it with what the pod has.

    Raises:
        PodTemplateError: see `merge_template`.
    """
    return Merge(keeps_nulls=True).fields(first, second, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """How mappings and lists are merged. `keeps_nulls`: the result is a template, whose nulls still remove fields."""

    keeps_nulls: bool

    def fields(self, base: Mapping[str, Any], patch: Mapping[str, Any], path: str) -> dict[str, Any]:
        """Return the merged mapping."""
        merged = dict(base)
        for name, value in patch.items():
            if value is not None:
                merged[name] = self.value(name, merged.get(name), value, f"{path}.{name}")
            elif self.keeps_nulls:
                merged[name] = None
            else:
                merged.pop(name, None)
        return merged

    def value(self, name: str, old: Any, new: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return the merged value of a field."""
        if name in LIST_KEYS and (isinstance(old, list) or isinstance(new, list)):
            return self.items(name, old or [], new, path)
        if isinstance(old, Mapping):
            if not isinstance(new, Mapping):
                raise PodTemplateError(f"{path}: expected a mapping, not {type(new).__name__}")
            return self.fields(old, new, path)
        return new

    def items(self, name: str, old: Sequence[Any], new: Any, path: str) -> list[Any]:  # noqa: ANN401 - any JSON value
        """Return the old items in order, merged or replaced if `new` has the same key, and then the other new items.

        New items are not merged with each other: if two have one key, both stay, and the API server says what it
        thinks.
        """
        keys = LIST_KEYS[name]
        required = [key for key in keys if key not in DEFAULT_KEYS]
        if not isinstance(new, list) or not all(isinstance(item, Mapping) and has_all(item, required) for item in new):
            raise PodTemplateError(
                f"{path}: expected a list of mappings that each have {' and '.join(map(repr, required))}"
            )
        merged = list(old)
        places = {identify(item, keys): place for place, item in enumerate(old)}
        for item in new:
            place = places.pop(identify(item, keys), None)
            if place is None:
                merged.append(item)
            elif name in REPLACED_WHOLE:
                merged[place] = item
            else:
                label = ",".join(f"{key}={item[key]}" for key in required)
                merged[place] = self.fields(merged[place], item, f"{path}[{label}]")
        return merged


def has_all(item: Mapping[str, Any], keys: Sequence[str]) -> bool:
    """Tell whether the item has all the keys."""
    return all(key in item for key in keys)


def identify(item: Mapping[str, Any], keys: Sequence[str]) -> tuple[str, ...]:
    """Return what tells an item from the others of its list."""
    return tuple(str(item.get(key) or DEFAULT_KEYS.get(key)) for key in keys)
