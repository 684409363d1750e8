"""How the running steps of a pipeline share its slots.

Rule: the more urgent step gets what it can use; each running step keeps one slot at least, so that none starves. A
share is lowered only if another step can use the slot: the number of reduces follows from it, when the maps are done. A
lowered share takes effect as pods finish. So a share is raised, or a step started, only by slots that are truly free:
at that moment the sum of max(share, active pods) is at most `parallelism`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Claim", "divide_slots"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A step that runs or could run.

    Attributes:
        rank: how urgent it is; of equal ranks the earlier claim comes first.
        wanted: how many slots it can use now: the tasks left in its wave, and its own limit. At least 1.
        share: what it has now; 0 if it has not been started.
        active: its pods that run or start.
    """

    step: str
    rank: float
    wanted: int
    share: int = 0
    active: int = 0


def divide_slots(claims: Sequence[Claim], parallelism: int) -> dict[str, int]:
    """Return the share of each step. A step that is not started yet and finds no slot is left out."""
    ordered = sorted(claims, key=lambda claim: -claim.rank)
    aims = aim_at(ordered, parallelism)
    shares = {claim.step: min(claim.share, aims[claim.step]) for claim in ordered}
    free = parallelism - sum(max(shares[claim.step], claim.active) for claim in ordered)
    for claim in ordered:
        holds = max(shares[claim.step], claim.active)
        raised = min(aims[claim.step], holds + max(free, 0))
        if raised > shares[claim.step]:
            shares[claim.step] = raised
            free -= max(raised - holds, 0)
    return {step: share for step, share in shares.items() if share}


def aim_at(ordered: Sequence[Claim], parallelism: int) -> dict[str, int]:
    """Return the shares that the steps would have if all pods were free to move, the most urgent step first."""
    left, kept = parallelism, sum(1 for claim in ordered if claim.share)
    aims: dict[str, int] = {}
    for claim in ordered:
        least = 1 if claim.share else 0
        kept -= least
        aims[claim.step] = max(min(claim.wanted, left - kept), least)
        left -= aims[claim.step]
    for claim in ordered:
        kept = min(max(claim.share - aims[claim.step], 0), max(left, 0))
        aims[claim.step] += kept
        left -= kept
    return aims
