"""A run that read records and wrote none: complete, and probably not what its author meant.

Rule: pure, from the status alone, so the warning stays when the run's records are removed.
"""

from collections.abc import Mapping
from typing import Any

from podreduce.contract.texts import render_count

__all__ = ["EMPTY_OUTPUT", "describe_empty_output"]

EMPTY_OUTPUT = "EmptyOutput"
"""The condition of a complete run that wrote nothing although it read something."""

REMEDY = "if this is not meant, look for a missing yield, or for a condition that never holds"


def describe_empty_output(status: Mapping[str, Any]) -> str:
    """Return where the records of a complete run were lost; empty if it wrote some, or had none to read."""
    counters = status.get("counters", {}).get("podreduce", {})
    read, mapped = counters.get("mapRecordsIn", 0), counters.get("mapRecordsOut", 0)
    if "output" not in status or status["output"].get("records") or not read:
        return ""
    if not mapped:
        return f"the map yielded nothing for any of {render_count(read, 'record')} read: {REMEDY}"
    return f"the reduce yielded nothing, although the map yielded {render_count(mapped, 'record')}: {REMEDY}"
