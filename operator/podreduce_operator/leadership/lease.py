"""A Lease (coordination.k8s.io/v1), read and written.

Rule: pure. Its times are some machine's wall clock and written for people: no rule reads them. That a Lease was renewed
shows in its resource version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["LEASE_API", "Lease", "build_lease", "format_time", "parse_lease"]

LEASE_API = "coordination.k8s.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What a Lease says.

    Attributes:
        holder: who holds it; empty if nobody does.
        duration_seconds: for how long, from each renewal.
        transitions: how often it has changed hands.
        version: the object's resource version; empty of one that is not there (yet).
    """

    holder: str = ""
    duration_seconds: int = 1
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    version: str = ""


def parse_lease(manifest: Mapping[str, Any]) -> Lease:
    """Return what a manifest says; what it lacks counts as nobody's."""
    spec = manifest.get("spec") or {}
    return Lease(
        holder=spec.get("holderIdentity") or "",
        duration_seconds=int(spec.get("leaseDurationSeconds") or 1),
        acquired=spec.get("acquireTime") or "",
        renewed=spec.get("renewTime") or "",
        transitions=int(spec.get("leaseTransitions") or 0),
        version=str(manifest["metadata"]["resourceVersion"]),
    )


def build_lease(lease: Lease, name: str, owner: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the manifest, which is also the merge patch: it takes nothing away that others put on the object.

    `owner` is the object that it goes with: for one that is made anew.
    """
    metadata: dict[str, Any] = {"name": name}
    if lease.version:
        metadata["resourceVersion"] = lease.version
    if owner is not None:
        metadata["ownerReferences"] = [owner]
    return {
        "apiVersion": LEASE_API,
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": lease.holder or None,
            "leaseDurationSeconds": lease.duration_seconds,
            "acquireTime": lease.acquired or None,
            "renewTime": lease.renewed or None,
            "leaseTransitions": lease.transitions,
        },
    }


def format_time(at: datetime) -> str:
    """Return a time in UTC as the API's MicroTime."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
