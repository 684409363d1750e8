"""How many bad records a run has skipped, and when that is too many.

Rule: pure. The evidence is in the commit and failure records, the limit is the spec's as it is now. An attempt knows
the limit of the moment it was started: one that failed by a lower limit than there is now is made again.
"""

from collections.abc import Iterable

from podreduce.contract.errors import TooManyBadRecordsError
from podreduce.contract.task import CommitRecord
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.observed import Observed

__all__ = ["count_bad_records", "find_excess", "has_bad_records"]

REASON = TooManyBadRecordsError.reason
REMEDY = "mend the input or the program (status.badRecords.uri has the records), or raise spec.maxBadRecords"


def count_bad_records(commits: Iterable[CommitRecord]) -> int:
    """Return how many records the committed maps have skipped."""
    return sum(commit.quarantine.records for commit in commits if commit.quarantine is not None)


def has_bad_records(observed: Observed) -> bool:
    """Tell whether there are bad records to look at: a committed map's, or those of an attempt with too many."""
    told = any(failure.reason == REASON for failures in observed.failures.values() for failure in failures)
    return told or any(commit.quarantine is not None for commit in observed.commits.values())


def find_excess(observed: Observed) -> Verdict | None:
    """Return the verdict that fails a run with more bad records than it may have."""
    limit = observed.job.spec.max_bad_records
    if limit is None:
        return None
    for task in sorted(observed.failures):
        alone = max(failure.bad_records for failure in observed.failures[task])
        if alone > limit:
            return too_many(f"in {task} alone ({alone})", limit)
    count = count_bad_records(observed.commits.values())
    return too_many(f"({count})", limit) if count > limit else None


def too_many(found: str, limit: int) -> Verdict:
    """Return the verdict on what was found."""
    message = f"more bad records {found} than spec.maxBadRecords ({limit}): {REMEDY}"
    return Verdict(phase=Phase.FAILED, reason=REASON, message=message)
