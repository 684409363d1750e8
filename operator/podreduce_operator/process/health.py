"""When the operator is well: what its two probes answer, from a few numbers.

Rule: pure. Alive means that work gets on, so that a restart is the right thing where it does not; what a restart does
not mend (a slow store, a throttling API server, a job that cannot be reconciled) is no reason for one. Ready means that
it knows the cluster and its part in it: a standby that sees its leader is as ready as the leader.
"""

from dataclasses import dataclass

from podreduce_operator.leadership.election import Standing

__all__ = [
    "MAX_LAG_SECONDS",
    "MAX_OVERDUE_SECONDS",
    "MAX_SILENCE_SECONDS",
    "HealthFigures",
    "find_hindrances",
    "find_illness",
]

MAX_LAG_SECONDS = 15.0
"""How late the event loop may be. A lease is lost at 10 s; nothing that the operator does should hold it for one."""

MAX_SILENCE_SECONDS = 600.0
"""How long the API server may say nothing. A watch that hangs ends by itself after 90 s and is tried again at least
twice a minute, and its server may be away for minutes: only the client itself can be the reason by then."""

MAX_OVERDUE_SECONDS = 1800.0
"""How long a job's pass may be due or go on. Every request has its timeout, so a pass without end is a bug; the longest
honest one plans an input of a million objects or publishes thousands of parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFigures:
    """The numbers.

    Attributes:
        loop_lag_seconds: how late the event loop does what is due.
        silence_seconds: since the API server last said anything, by the watch that is worst off.
        overdue_seconds: since when the oldest pass over a job has been due, or has gone on.
        is_synced: whether all pods and jobs have been listed once.
        standing: the part in the election; None where there is none.
        leader: who holds the lease; empty if nobody is known to.
        lease_trouble: why the Lease could not be read or written the last time; empty if it could.
    """

    loop_lag_seconds: float = 0.0
    silence_seconds: float = 0.0
    overdue_seconds: float = 0.0
    is_synced: bool = False
    standing: Standing | None = None
    leader: str = ""
    lease_trouble: str = ""


def find_illness(figures: HealthFigures) -> tuple[str, ...]:
    """Return why the process should be started again; nothing while it should not."""
    numbers = (
        (figures.loop_lag_seconds, MAX_LAG_SECONDS, "the event loop is {:.0f} s late"),
        (figures.silence_seconds, MAX_SILENCE_SECONDS, "the API server has said nothing for {:.0f} s"),
        (figures.overdue_seconds, MAX_OVERDUE_SECONDS, "a job has waited {:.0f} s for a pass to be made or to end"),
    )
    return tuple(f"{words.format(seconds)} (at most {most:.0f})" for seconds, most, words in numbers if seconds > most)


def find_hindrances(figures: HealthFigures) -> tuple[str, ...]:
    """Return what keeps the operator from working, or from taking over when it is needed; nothing while it is ready."""
    found = []
    if not figures.is_synced:
        found.append("pods and jobs are not listed yet: see the log for errors of the API server")
    if figures.standing is Standing.NEITHER:
        found.append(f"neither leads nor sees a leader: {figures.lease_trouble or 'the lease is about to be taken'}")
    return tuple(found)
