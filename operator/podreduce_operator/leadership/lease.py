"""Reads and builds a Lease (coordination.k8s.io/v1).

Rule: pure. Its times are from a machine's wall clock and only for people; no rule reads them. A renewal is visible as a
new resource version.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["LEASE_API", "Lease", "build_lease", "format_time", "parse_lease"]

LEASE_API = "coordination.k8s.io/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The content of a Lease.

    Attributes:
        holder: the identity of its holder; empty if there is none.
        duration_seconds: how long it is valid after each renewal.
        transitions: how often the holder has changed.
        version: the object's resource version; empty if it does not exist yet.
    """

    holder: str = ""
    duration_seconds: int = 1
    acquired: str = ""
    renewed: str = ""
    transitions: int = 0
    version: str = ""


def parse_lease(manifest: Mapping[str, Any]) -> Lease:
    """Read a manifest. A Lease with missing fields has no holder."""
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
    """Return the manifest. It is also the merge patch, and does not remove what others added to the object.

    `owner` is the owner reference of a new Lease.
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
    """Return a UTC time as the API's MicroTime."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
