"""What the tables of the CRDs are made of: the local validator and the API server must agree on each of their cases."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ABSENT", "CrdUnderTest", "ManifestCase"]

ABSENT = object()
"""As a change it leaves the field out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestCase:
    """A manifest and what becomes of it: a valid one with changes, by paths such as `steps.1.inputs.0.from`.

    Attributes:
        refused_at: the field at which it is refused; None where it is taken.
        only_on_cluster: a local run takes it.
    """

    crd: "CrdUnderTest"
    id: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    refused_at: str | None = None
    only_on_cluster: bool = False
    is_unknown_field: bool = False
    name: str = "case"

    def manifest(self, name: str | None = None) -> dict[str, Any]:
        """The manifest, with that name."""
        spec = deepcopy(dict(self.crd.spec))
        for path, value in self.changes.items():
            change(spec, path.split("."), value)
        return {
            "apiVersion": "podreduce.dev/v1beta1",
            "kind": self.crd.kind,
            "metadata": {"name": name or self.name},
            "spec": spec,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CrdUnderTest:
    """A kind, and the valid spec that its cases change. In a keyword `__` stands for a dot."""

    kind: str
    spec: Mapping[str, Any]

    def case(self, called: str, /, **fields: Any) -> ManifestCase:
        return ManifestCase(crd=self, id=called, **fields)

    def taken(self, called: str, /, **changes: Any) -> ManifestCase:
        return self.case(called, changes=by_path(changes))

    def refused(
        self, at: str, called: str, changes: Mapping[str, Any] = {}, /, *, only_on_cluster: bool = False, **more: Any
    ) -> ManifestCase:
        """A case that is refused at a field of the spec, or at the spec if `at` is empty."""
        refused_at, changed = f"spec.{at}" if at else "spec", {**changes, **by_path(more)}
        return self.case(called, changes=changed, refused_at=refused_at, only_on_cluster=only_on_cluster)

    def unknown(self, at: str, called: str) -> ManifestCase:
        """A case with a field that there is not."""
        return self.case(called, changes={at: 1}, refused_at=f"spec.{at}", is_unknown_field=True)


def by_path(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in changes.items()}


def change(target: Any, path: list[str], value: Any) -> None:
    *parents, last = path
    for parent in parents:
        target = target[int(parent)] if isinstance(target, list) else target.setdefault(parent, {})
    place = int(last) if isinstance(target, list) else last
    if value is ABSENT:
        del target[place]
    else:
        target[place] = value
