"""One job under one fault, and what became of it."""

from dataclasses import dataclass

from tests.chaos.faults import Fault, in_background
from tests.chaos.sorting import verify
from tests.chaos.stage import Stage

__all__ = ["Outcome", "rehearse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a job ended. `lost` and `doubled` are records; None where nothing was to be published."""

    fault: str
    seconds: float
    ended: str
    attempts: int
    failed: int
    lost: int | None = None
    doubled: int | None = None
    problem: str = ""


def rehearse(fault: Fault, stage: Stage) -> Outcome:
    """Run the job, strike, wait for its end, and look at every record."""
    stage.set_up(fault.prepare(stage))
    stage.start(**fault.spec)
    striking = in_background(fault.strike, stage)
    seconds = stage.wait_for_end()
    striking.join()
    ended = stage.ended() or {}
    attempts, failed = stage.count_attempts()
    how = ended.get("type", "") if ended.get("type") == "Complete" else ended.get("reason", "")
    problem = "" if how == fault.expected else f"ended {how}, not {fault.expected}: {ended.get('message', '')}"
    problem = problem or missing_failures(fault, stage)
    parts = stage.read_parts()
    stage.clean()
    if not parts:
        return Outcome(fault=fault.name, seconds=seconds, ended=how, attempts=attempts, failed=failed, problem=problem)
    found = verify(parts)
    if found.lost or found.doubled or not found.is_sorted:
        problem = problem or "the output is not the input, sorted"
    return Outcome(
        fault=fault.name,
        seconds=seconds,
        ended=how,
        attempts=attempts,
        failed=failed,
        lost=found.lost,
        doubled=found.doubled,
        problem=problem,
    )


def missing_failures(fault: Fault, stage: Stage) -> str:
    """Say which failures the fault should have brought about and has not."""
    told = {failure["reason"] for failure in stage.status().get("failures", ())}
    missing = sorted(fault.failures - told)
    return f"no attempt failed with {', '.join(missing)}" if missing else ""
