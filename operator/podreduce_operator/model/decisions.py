"""What `decide` returns: a verdict on the run, and the actions to take now."""

from dataclasses import dataclass
from enum import StrEnum

from podreduce_operator.model.actions import Action

__all__ = ["Decision", "Phase", "Verdict"]


class Phase(StrEnum):
    """The run's phase. It is written to the status and never read back."""

    PLANNING = "Planning"
    MAPPING = "Mapping"
    REDUCING = "Reducing"
    COMMITTING = "Committing"
    SUSPENDED = "Suspended"
    COMPLETE = "Complete"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The run's phase, with a reason and a message.

    Attributes:
        map_total: the number of map tasks; None while unknown.
        reduce_total: the number of reduce tasks; None while unknown.
        next_attempt_at: when the next delayed attempt is due (seconds since the epoch).
    """

    phase: Phase
    reason: str = ""
    message: str = ""
    map_total: int | None = None
    reduce_total: int | None = None
    next_attempt_at: float | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self.phase in (Phase.COMPLETE, Phase.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do now, what the status says, and when to look again (in seconds; None: on the next event)."""

    actions: tuple[Action, ...]
    verdict: Verdict
    wake_after: float | None = None

    def __str__(self) -> str:
        """Return the decision log's line: `Mapping: create(m-0#1) create(m-1#1); wake 5.0s`."""
        acts = " ".join(map(str, self.actions)) or "-"
        reason = f"/{self.verdict.reason}" if self.verdict.reason else ""
        wake = "" if self.wake_after is None else f"; wake {self.wake_after:.1f}s"
        return f"{self.verdict.phase}{reason}: {acts}{wake}"
