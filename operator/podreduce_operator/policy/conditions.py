"""Writes conditions as Kubernetes has them. Rule: pure; knows no kind of resource."""

from collections.abc import Mapping
from typing import Any

from podreduce_operator.api.times import render_time

__all__ = ["Condition", "write_conditions"]

Condition = tuple[bool, str, str]
"""Whether it holds, its reason and its message."""


def write_conditions(
    wanted: Mapping[str, Condition], known: Mapping[str, Mapping[str, Any]], generation: int, now: float
) -> list[dict[str, Any]]:
    """Return the conditions of a status.

    Args:
        wanted: what each condition says, by its type. One that does not hold has no message, except Ready.
        known: the conditions in the status so far, by their types. A time changes only with the condition's status.
        generation: of the resource, as it was decided on.
        now: seconds since the epoch.
    """
    return [
        {
            "type": kind,
            "status": "True" if holds else "False",
            "reason": reason,
            "message": message if holds or kind == "Ready" else "",
            "observedGeneration": generation,
            "lastTransitionTime": transition_time(known.get(kind), holds=holds, now=now),
        }
        for kind, (holds, reason, message) in wanted.items()
    ]


def transition_time(known: Mapping[str, Any] | None, *, holds: bool, now: float) -> str:
    """Return when the condition got its status."""
    if known is not None and (known["status"] == "True") == holds:
        return str(known["lastTransitionTime"])
    return render_time(now)
