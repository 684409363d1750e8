"""The rules by which one of an installation's operators acts. They are those of client-go's leader election.

Rule: pure. Each operator has one value: what it has seen of the Lease, and when. `now` is its own monotonic clock.
`elector` carries out the decisions.

At most one operator acts at any time, whatever the clocks show. The holder counts its deadline from the START of the
request that last renewed the lease (`renew_seconds`, 10 by default), and does nothing after it. A standby counts from
when it first SAW the Lease's current version. It takes the lease if this version has not changed for the holder's whole
duration (`duration_seconds`, 15). The renewal started before the Lease changed, and the change came before anybody saw
it. So the holder's deadline comes first, by at least 5 s, unless one clock runs a third faster than the other. A write
names the version that it is based on. So if several operators try to take the lease, one succeeds.

Example: A renews at 100.0 (by a clock that both share) and gets the answer at 100.1. B looks every two seconds and sees
the change at 101.5. Then A is cut off. A stops at 110.0. At 115.5 B has seen the lease unchanged for 14 s, which is not
enough. B looks again at 117.0 and takes it.

- A lease with an empty holder is free at once: an operator that had stopped acting released it.
- A lease held by an earlier process of the same pod is free at once: a container starts after the last one has ended.
- If a Lease vanishes while an operator holds it, the others wait as if it were still there and unchanged.

`kubernetes.aio.leaderelection` is not used, for these reasons. It measures both deadlines with `time.time()`, so if the
clock is set back, a cut-off leader continues to act. It checks the deadline only between requests, and a request may
hang beyond it. It counts from the next try, not from the last renewal. Any connection error ends it with a traceback.
It never releases the lease. It cannot be asked before a write.
"""

import math
from dataclasses import dataclass, replace
from enum import Enum

from podreduce_operator.leadership.lease import Lease
from podreduce_operator.leadership.lease_settings import LeaseSettings

__all__ = ["Election", "Standing"]


class Standing(Enum):
    """An operator's role, as far as it knows."""

    LEADER = "leader"
    STANDBY = "standby"
    """Another operator leads and renews its lease."""
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedLease:
    """The Lease as last read.

    Attributes:
        lease: the last known content, or an empty Lease.
        since: when this version was first seen.
        is_there: False if the Lease did not exist the last time.
    """

    lease: Lease
    since: float
    is_there: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Election:
    """One operator's view.

    Attributes:
        identity: the name of this process in the Lease.
        renewal_started: when the request that last took or renewed the lease began; None if there was none.
        is_current: no request has failed since the Lease was last seen.
    """

    identity: str
    settings: LeaseSettings
    observed: ObservedLease | None = None
    renewal_started: float | None = None
    is_current: bool = False

    @property
    def deadline(self) -> float:
        """Until when this process may act; -inf if it never led."""
        return -math.inf if self.renewal_started is None else self.renewal_started + self.settings.renew_seconds

    @property
    def must_read(self) -> bool:
        """Whether the Lease must be read first. A holder knows what it last wrote."""
        return self.renewal_started is None or not self.is_current

    @property
    def rival(self) -> str | None:
        """The operator that has taken the lease from this process; None if there is none."""
        if self.renewal_started is None or self.observed is None:
            return None
        return self.observed.lease.holder if self.observed.lease.holder not in {"", self.identity} else None

    def observe(self, lease: Lease | None, now: float) -> "Election":
        """Return the view after the Lease was read; None means that there is no Lease."""
        return replace(self, observed=observe_lease(self.observed, lease, now), is_current=True)

    def fail(self) -> "Election":
        """Return the view after a request failed or was refused. It is unknown whether the request took effect."""
        return replace(self, is_current=False)

    def win(self, lease: Lease, started: float) -> "Election":
        """Return the view after the Lease was taken or renewed, by a request that began at `started`."""
        observed = ObservedLease(lease=lease, since=started, is_there=True)
        return replace(self, observed=observed, renewal_started=started, is_current=True)

    def forget(self) -> "Election":
        """Return the view of an operator that has seen nothing and holds nothing."""
        return Election(identity=self.identity, settings=self.settings)

    def claim(self, now: float, wall_time: str) -> Lease | None:
        """Return the Lease to write to take or renew it; None if another operator holds it."""
        if self.observed is None or not self.is_free(now):
            return None
        known = self.observed.lease
        return Lease(
            holder=self.identity,
            duration_seconds=self.settings.duration_seconds,
            acquired=known.acquired if known.holder == self.identity else wall_time,
            renewed=wall_time,
            transitions=known.transitions + (self.observed.is_there and known.holder != self.identity),
            version=known.version if self.observed.is_there else "",
        )

    def resign(self, wall_time: str) -> Lease | None:
        """Return the Lease to write to release it; None if this process does not hold it."""
        if self.observed is None or self.renewal_started is None or self.observed.lease.holder != self.identity:
            return None
        return replace(self.observed.lease, holder="", duration_seconds=1, renewed=wall_time)

    def is_free(self, now: float) -> bool:
        """Tell whether this process may take or renew the lease, as last seen."""
        if self.observed is None:
            return False
        return self.is_own(self.observed.lease.holder) or has_expired(self.observed, now)

    def is_own(self, holder: str) -> bool:
        """Tell whether the holder is nobody, this process, or an earlier process of its pod."""
        if holder in {"", self.identity}:
            return True
        return bool(self.settings.pod) and holder.startswith(f"{self.settings.pod}_")

    def standing(self, now: float) -> Standing:
        """Return this process's role."""
        if self.renewal_started is not None:
            return Standing.LEADER if now < self.deadline else Standing.NEITHER
        if self.observed is None or self.observed.lease.holder == "" or has_expired(self.observed, now):
            return Standing.NEITHER
        return Standing.STANDBY


def observe_lease(known: ObservedLease | None, lease: Lease | None, now: float) -> ObservedLease:
    """Return the Lease as last read, after it was read again."""
    if lease is None:
        if known is not None and known.lease.holder:
            return replace(known, is_there=False)
        return ObservedLease(lease=Lease(), since=now, is_there=False)
    since = known.since if known is not None and known.lease.version == lease.version else now
    return ObservedLease(lease=lease, since=since, is_there=True)


def has_expired(observed: ObservedLease, now: float) -> bool:
    """Tell whether the lease was unchanged for its holder's whole duration."""
    return now - observed.since >= observed.lease.duration_seconds
