"""How much of the operator's memory the records of runs may take.

Rule: pure. The rest is for jobs, pods, clients, and for what is read, planned or written at the moment.
"""

from collections.abc import Iterable

__all__ = ["record_bytes"]

SHARE = 0.6
USUAL_LIMIT_BYTES = 1 << 30
"""The memory limit of the chart. It is assumed if the container has none."""
UNLIMITED_BYTES = 1 << 50
"""A larger limit is none: version 1 of cgroups has such a number for it."""


def record_bytes(limits_bytes: Iterable[int]) -> float:
    """Return how much memory records may take in a container with these limits."""
    limits = (limit for limit in limits_bytes if limit < UNLIMITED_BYTES)
    return min(limits, default=USUAL_LIMIT_BYTES) * SHARE
