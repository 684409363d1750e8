"""How many bad records a run has skipped, and whether that is too many.

Rule: pure. The counts come from commit and failure records; the limit is the spec's current one. An attempt uses the
limit from when it started. If the limit was raised since, a task that failed because of it is tried again.
"""

from collections.abc import Iterable

from podreduce.contract.errors import TooManyBadRecordsError
from podreduce.contract.task import CommitRecord
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.observed import Observed

__all__ = ["count_bad_records", "find_excess", "has_bad_records"]

REASON = TooManyBadRecordsError.reason
REMEDY = "fix the input or the program (status.badRecords.uri has the records), or raise spec.maxBadRecords"


def count_bad_records(commits: Iterable[CommitRecord]) -> int:
    """Return how many records the committed maps have skipped."""
    return sum(commit.quarantine.records for commit in commits if commit.quarantine is not None)


def has_bad_records(observed: Observed) -> bool:
    """Tell whether there are bad records to look at, from a committed map or from an attempt with too many."""
    told = any(failure.reason == REASON for failures in observed.failures.values() for failure in failures)
    return told or any(commit.quarantine is not None for commit in observed.commits.values())


def find_excess(observed: Observed) -> Verdict | None:
    """Return a verdict that fails the run if it has more bad records than allowed."""
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
    """Return the verdict for too many bad records; `found` says where and how many."""
    message = f"more bad records {found} than spec.maxBadRecords ({limit}): {REMEDY}"
    return Verdict(phase=Phase.FAILED, reason=REASON, message=message)
