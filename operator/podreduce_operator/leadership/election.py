"""Which of an installation's operators acts: the rules, which are those of client-go's leader election.

Rule: pure. A value per operator, of what it has seen of the Lease and when; `now` is its own monotonic clock. `elector`
does what this says.

Why at most one acts at any time, whatever the clocks show. Whoever holds the lease counts its deadline from the START
of the request that last renewed it (`renew_seconds`, 10 by default) and does nothing from then on. Whoever wants it
counts from when it first SAW what the Lease says now, and takes it when that has not changed for the holder's whole
duration (`duration_seconds`, 15). The renewal started before the Lease changed, and that was before anybody saw it: so
the holder's deadline comes first, by 5 s or more, unless one clock runs by a third faster than the other. A write
names the version it was decided upon, so of several who take it one succeeds.

Example: A renews at 100.0 (by a clock that both share) and is answered at 100.1; B, who looks every two seconds, sees
the change at 101.5. Then A is cut off. It stops at 110.0. B looks in vain until 115.5, sees the lease unchanged since
101.5 for 14 s, looks again at 117.0, and takes it.

- An empty holder is free at once: it was released by an operator that had stopped to act.
- A lease held by an earlier process of the same pod is free at once too: a container starts when its last one is dead.
- A Lease that vanishes while somebody holds it is waited for as if it were there and unchanged.

`kubernetes.aio.leaderelection` is not used. It measures both deadlines with `time.time()`, so a clock that is set
back keeps a cut-off leader acting; it looks at the deadline between requests only and lets a request hang beyond it;
it counts from the next try, not from the last renewal; any error of the connection ends it with a traceback; it never
releases; and nothing can ask it before a write.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum

from podreduce_operator.leadership.lease import Lease
from podreduce_operator.leadership.lease_settings import LeaseSettings

__all__ = ["Election", "Standing"]


class Standing(Enum):
    """What an operator is, as far as it can tell."""

    LEADER = "leader"
    STANDBY = "standby"
    """Another one leads: its lease is seen to be renewed."""
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The Lease as last seen: `since` is when it was first seen in this version.

    `is_there` is False where there was none the last time; the lease is then what it last said, or nobody's.
    """

    lease: Lease
    since: float
    is_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Election:
    """One operator's view.

    Attributes:
        identity: what stands in the Lease where this process holds it.
        renewal_started: when the request began by which this process last took or renewed the lease; None if never.
        is_current: nothing has gone wrong since the Lease was last seen.
    """

    identity: str
    settings: LeaseSettings
    sight: Sight | None = None
    renewal_started: float | None = None
    is_current: bool = False

    @property
    def deadline(self) -> float:
        """Until when this process may act; long ago if it never led."""
        return -math.inf if self.renewal_started is None else self.renewal_started + self.settings.renew_seconds

    @property
    def must_read(self) -> bool:
        """Whether the Lease must be looked at first. A holder knows what it last wrote."""
        return self.renewal_started is None or not self.is_current

    @property
    def rival(self) -> str | None:
        """Who has taken the lease that this process held."""
        if self.renewal_started is None or self.sight is None:
            return None
        return self.sight.lease.holder if self.sight.lease.holder not in {"", self.identity} else None

    def see(self, lease: Lease | None, now: float) -> "Election":
        """Take what the API server shows: the Lease, or that there is none."""
        return replace(self, sight=look(self.sight, lease, now), is_current=True)

    def fail(self) -> "Election":
        """Take that a request failed, or was refused: whether it took effect is not known."""
        return replace(self, is_current=False)

    def win(self, lease: Lease, started: float) -> "Election":
        """Take that the Lease was written as claimed, by a request that began at `started`."""
        sight = Sight(lease=lease, since=started, is_there=True)
        return replace(self, sight=sight, renewal_started=started, is_current=True)

    def forget(self) -> "Election":
        """Return the view of an operator that has seen nothing yet, and holds nothing."""
        return Election(identity=self.identity, settings=self.settings)

    def claim(self, now: float, wall_time: str) -> Lease | None:
        """Return what to write in order to take or renew the lease; None if it is another's."""
        if self.sight is None or not self.is_free(now):
            return None
        known = self.sight.lease
        return Lease(
            holder=self.identity,
            duration_seconds=self.settings.duration_seconds,
            acquired=known.acquired if known.holder == self.identity else wall_time,
            renewed=wall_time,
            transitions=known.transitions + (self.sight.is_there and known.holder != self.identity),
            version=known.version if self.sight.is_there else "",
        )

    def resign(self, wall_time: str) -> Lease | None:
        """Return what to write in order to give the lease away; None if it is not held."""
        if self.sight is None or self.renewal_started is None or self.sight.lease.holder != self.identity:
            return None
        return replace(self.sight.lease, holder="", duration_seconds=1, renewed=wall_time)

    def is_free(self, now: float) -> bool:
        """Tell whether the lease as last seen may be written by this process."""
        if self.sight is None:
            return False
        return self.is_own(self.sight.lease.holder) or has_expired(self.sight, now)

    def is_own(self, holder: str) -> bool:
        """Tell whether a holder is nobody, this process, or an earlier one of its pod."""
        if holder in {"", self.identity}:
            return True
        return bool(self.settings.pod) and holder.startswith(f"{self.settings.pod}_")

    def standing(self, now: float) -> Standing:
        """Tell what this process is."""
        if self.renewal_started is not None:
            return Standing.LEADER if now < self.deadline else Standing.NEITHER
        if self.sight is None or self.sight.lease.holder == "" or has_expired(self.sight, now):
            return Standing.NEITHER
        return Standing.STANDBY


def look(known: Sight | None, lease: Lease | None, now: float) -> Sight:
    """Return the newer sight."""
    if lease is None:
        if known is not None and known.lease.holder:
            return replace(known, is_there=False)
        return Sight(lease=Lease(), since=now, is_there=False)
    since = known.since if known is not None and known.lease.version == lease.version else now
    return Sight(lease=lease, since=since, is_there=True)


def has_expired(sight: Sight, now: float) -> bool:
    """Tell whether the lease has not changed for its holder's whole duration."""
    return now - sight.since >= sight.lease.duration_seconds
