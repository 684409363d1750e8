"""Everybody who does the works, in the order of the table."""

from collections.abc import Sequence
from typing import Final

from tests.bench.competitor import Competitor
from tests.bench.peers_installed import PEER_PROGRAMS
from tests.bench.podreduce_engine import PodreduceEngine
from tests.bench.works import Work

__all__ = ["COMPETITORS", "find_competitors"]

COMPETITORS: Final[tuple[Competitor, ...]] = (
    PodreduceEngine(),
    PodreduceEngine(over_store=True),
    PodreduceEngine(columnar=True),
    PodreduceEngine(columnar=True, over_store=True),
    *PEER_PROGRAMS,
)


def find_competitors(work: Work, *, slow: bool, named: Sequence[str] = ()) -> list[Competitor]:
    """Return who does the work, the slow ones if asked for, and only those whose name holds one of `named`."""
    return [
        competitor
        for competitor in COMPETITORS
        if competitor.does(work) and (slow or not competitor.is_slow) and is_named(competitor.name, named)
    ]


def is_named(name: str, wanted: Sequence[str]) -> bool:
    """Tell whether `name` holds one of `wanted`; nothing wanted is all."""
    return not wanted or any(each.lower() in name.lower() for each in wanted)
