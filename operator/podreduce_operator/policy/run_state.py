"""What a job's status remembers of its run. Rule: pure, and the one reader of the status for decisions."""

from collections.abc import Mapping
from typing import Any

from podreduce_operator.api.times import parse_time
from podreduce_operator.model.observed import (
    RunState,
)

__all__ = ["read_run_state"]


def read_run_state(status: Mapping[str, Any], run_id: str) -> RunState:
    """Read what the status remembers of that run: nothing, if it is another's."""
    if status.get("runId") != run_id:
        return RunState(run_id=run_id)
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    ended = next((kind for kind in ("Complete", "Failed") if conditions.get(kind, {}).get("status") == "True"), None)
    condition = conditions[ended] if ended else {}
    return RunState(
        run_id=run_id,
        started_at=parse_time(status.get("startTime")),
        terminal=ended,
        reason=condition.get("reason", ""),
        message=condition.get("message", ""),
        completed_at=parse_time(status.get("completionTime")),
    )
