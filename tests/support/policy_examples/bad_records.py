"""Bad records and their limit."""

from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_shuffle
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.records import make_commit, make_failure, make_outcome, make_quarantine
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import M0, M1, R0

__all__ = ["BAD_RECORDS"]

SKIPPED = [make_commit(M0, quarantine=make_quarantine(3)), make_commit(M1, quarantine=make_quarantine(4))]
EXCESSIVE = make_failure(M0, counted=False, reason="TooManyBadRecords", bad_records=6)


def allowing(bad_records: int | None) -> dict[str, object]:
    """A spec that lets so many bad records pass."""
    return {"badRecords": "Skip", "maxBadRecords": bad_records}


BAD_RECORDS = (
    Example(
        name="as many bad records as the job may skip are no failure",
        observed=make_observed(spec=allowing(7), commits=SKIPPED),
        now=100.0,
        expected="Mapping: freeze(0)",
    ),
    Example(
        name="one bad record more than the job may skip fails the run",
        observed=make_observed(spec=allowing(6), commits=SKIPPED[1:] + SKIPPED[:1], pods=(make_pod(R0),)),
        now=100.0,
        expected="Failed/TooManyBadRecords: keep(1) delete(r-0 job failed)",
    ),
    Example(
        name="a limit of bad records that is lowered while reduces run fails the run",
        observed=make_observed(spec=allowing(0), commits=SKIPPED, shuffle=make_shuffle()),
        now=100.0,
        expected="Failed/TooManyBadRecords: -",
    ),
    Example(
        name="a limit of bad records that is lowered past the intent is too late",
        observed=make_observed(spec=allowing(0), commits=[*SKIPPED, make_commit(R0)], has_intent=True),
        now=100.0,
        expected="Committing: commit",
    ),
    Example(
        name="without a limit any number of bad records is skipped",
        observed=make_observed(spec=allowing(None), commits=SKIPPED, failures=(EXCESSIVE,)),
        now=100.0,
        expected="Mapping: freeze(0)",
    ),
    Example(
        name="an attempt with too many bad records of its own is recorded and costs no attempt",
        observed=make_observed(
            spec=allowing(5),
            pods=(make_failed_pod(M0, outcome=make_outcome("TooManyBadRecords", bad_records=6)), make_pod(M1)),
        ),
        now=100.0,
        expected="Mapping: record(m-0 TooManyBadRecords, free)",
    ),
    Example(
        name="a recorded attempt with too many bad records fails the run",
        observed=make_observed(spec=allowing(5), pods=(make_pod(M1),), failures=(EXCESSIVE,)),
        now=100.0,
        expected="Failed/TooManyBadRecords: keep(1) delete(m-1 job failed)",
    ),
    Example(
        name="an attempt with too many bad records is made again where the limit was raised meanwhile",
        observed=make_observed(
            spec={**allowing(6), "backoffLimitPerTask": 0}, pods=(make_pod(M1),), failures=(EXCESSIVE,)
        ),
        now=101.0,
        expected="Mapping: create(m-0#2)",
    ),
)
