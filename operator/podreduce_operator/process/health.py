"""Whether the operator is alive and ready, from a few numbers, for its two probes.

Rule: pure. Alive means that work makes progress; if it does not, a restart helps. Problems that a restart does not fix
(a slow store, a throttling API server, a job that cannot be reconciled) do not count. Ready means that the operator
knows the cluster and its role. A standby that sees its leader is as ready as the leader.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from podreduce_operator.leadership.election import Standing

__all__ = [
    "MAX_LAG_SECONDS",
    "MAX_OVERDUE_SECONDS",
    "MAX_SILENCE_SECONDS",
    "HealthFigures",
    "find_liveness_problems",
    "find_readiness_problems",
]

MAX_LAG_SECONDS = 15.0
"""How late the event loop may be. At 10 s a lease is lost; nothing should block the loop for even one second."""

MAX_SILENCE_SECONDS = 600.0
"""How long the API server may be silent.

A watch that hangs ends after 90 s and is tried again at least twice a minute, and a server may be down for minutes.
After this time only the client can be the cause.
"""

MAX_OVERDUE_SECONDS = 1800.0
"""How long a pass may be due or running while no pass of its namespace ends.

Every request has a timeout, so a pass without an end is a bug. The longest normal passes plan an input of a million
objects or publish thousands of parts.
"""

MAX_SHOWN_RIGHTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFigures:
    """The numbers that the probes use.

    Attributes:
        loop_lag_seconds: how late the event loop is.
        silence_seconds: how long the most silent watch has heard nothing from the API server.
        overdue_seconds: how long the oldest pass over a resource has been due or running.
        oldest_pass_seconds: the same of a single pass, also while others of its namespace end. It may wait for a store,
            so it is shown and not judged.
        missing_rights: what the API server refuses to the operator.
        is_synced: whether all pods and jobs have been listed once.
        standing: the role in the election; None without an election.
        leader: who holds the lease; empty if unknown.
        lease_error: why the last read or write of the Lease failed; empty if it succeeded.
    """

    loop_lag_seconds: float = 0.0
    silence_seconds: float = 0.0
    overdue_seconds: float = 0.0
    oldest_pass_seconds: float = 0.0
    missing_rights: Sequence[str] = ()
    is_synced: bool = False
    standing: Standing | None = None
    leader: str = ""
    lease_error: str = ""


def find_liveness_problems(figures: HealthFigures) -> tuple[str, ...]:
    """Return the reasons to restart the process; empty if it is alive."""
    numbers = (
        (figures.loop_lag_seconds, MAX_LAG_SECONDS, "the event loop is {:.0f} s late"),
        (figures.silence_seconds, MAX_SILENCE_SECONDS, "the API server has said nothing for {:.0f} s"),
        (figures.overdue_seconds, MAX_OVERDUE_SECONDS, "a pass has been due or running for {:.0f} s"),
    )
    return tuple(f"{words.format(seconds)} (at most {most:.0f})" for seconds, most, words in numbers if seconds > most)


def find_readiness_problems(figures: HealthFigures) -> tuple[str, ...]:
    """Return what prevents the operator from working or taking over; empty if it is ready."""
    found = []
    if not figures.is_synced:
        rights = ", ".join(figures.missing_rights[:MAX_SHOWN_RIGHTS])
        why = f"the operator may not {rights}" if rights else "see the log for API server errors"
        found.append(f"pods and jobs are not listed yet: {why}")
    if figures.standing is Standing.NEITHER:
        found.append(f"neither leads nor sees a leader: {figures.lease_error or 'the lease is about to be taken'}")
    return tuple(found)
