"""How much memory the records of runs may take in this process, of one run and of all together.

Rule: pure bookkeeping. Who keeps a record says so before. The run that is ended for it is one of those who use most:
the largest run of the namespace whose runs have the most. So no namespace can make the jobs of others fail while these
use less than it does.
"""

import math
import sys
from collections import Counter
from dataclasses import dataclass, field

from podreduce.contract.wire import Wire
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey

__all__ = ["RecordBudget", "RunShare", "size_of"]

RUN_FRACTION = 0.5
"""The part of the whole budget that one run may take."""
GC_BYTES = 16
TOO_LARGE = "RecordsTooLarge"
FULL = "RecordMemoryFull"
REMEDY = "use fewer and larger tasks (spec.map, spec.reduce), or give the operator more memory (chart: resources)"


@dataclass(slots=True)
class RecordBudget:
    """The bytes that the records of all runs may take, and what each run takes; without a limit by default."""

    most_bytes: float = math.inf
    total_bytes: int = 0
    shares: "dict[str, RunShare]" = field(default_factory=dict)

    def share(self, uri: str, job: JobKey) -> "RunShare":
        """Return the share of the run at this place."""
        return self.shares.setdefault(uri, RunShare(budget=self, job=job))

    def drop(self, uri: str) -> None:
        """Drop the share of a run whose records are no longer in memory."""
        share = self.shares.pop(uri, None)
        if share is not None:
            self.total_bytes -= share.bytes

    def find_largest(self) -> "RunShare":
        """Return the largest run of the namespace whose runs take the most."""
        by_namespace: Counter[str] = Counter()
        for share in self.shares.values():
            by_namespace[share.job.namespace] += share.bytes
        namespace = by_namespace.most_common(1)[0][0]
        own = (share for share in self.shares.values() if share.job.namespace == namespace)
        return max(own, key=lambda share: share.bytes)


@dataclass(slots=True, eq=False)
class RunShare:
    """What one run takes of the budget. `must_end`: the run has to end, because it takes too much; it gets no more."""

    budget: RecordBudget
    job: JobKey
    bytes: int = 0
    must_end: bool = False

    def take(self, size_bytes: int) -> None:
        """Say that so many more bytes are about to be kept.

        Raises:
            ActionError: they may not be kept. It is permanent if this run takes too much, and not if another does,
                which then has to end.
        """
        self.must_end |= self.bytes + size_bytes > self.budget.most_bytes * RUN_FRACTION
        if self.must_end:
            raise self.too_large()
        if self.budget.total_bytes + size_bytes > self.budget.most_bytes:
            largest = self.budget.find_largest()
            largest.must_end = True
            if largest is self:
                raise self.too_large()
            message = (
                "the records of all jobs take too much memory of the operator; one that takes more than this is ended"
            )
            raise ActionError(FULL, message, permanent=False)
        self.change(size_bytes)

    def change(self, size_bytes: int) -> None:
        """Say that so many bytes more are kept, or fewer if it is negative, whatever the limit."""
        self.bytes += size_bytes
        self.budget.total_bytes += size_bytes

    def release(self) -> None:
        """Say that nothing is kept any more."""
        self.change(-self.bytes)

    def too_large(self) -> ActionError:
        """Return the error of a run that takes too much."""
        what = (
            f"the records of this run's tasks take {self.bytes >> 20} MiB of the operator's memory, more than there is"
        )
        return ActionError(TOO_LARGE, f"{what}: {REMEDY}", permanent=True)


def size_of(value: object) -> int:
    """Return about how many bytes a record or a part of one takes in memory."""
    size_bytes = sys.getsizeof(value)
    match value:
        case Wire():
            return size_bytes + GC_BYTES + sum(size_of(getattr(value, name)) for name in value.__struct_fields__)
        case tuple() | list():
            return size_bytes + sum(map(size_of, value))
    return size_bytes
