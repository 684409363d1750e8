"""Reduces, outputs that were lost, and generations."""

from podreduce.contract.task import LostOutput
from tests.support.builders.observed import make_fault, make_observed
from tests.support.builders.plans import make_shuffle
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.records import make_commit, make_failure, make_outcome
from tests.support.policy_examples.example import Example
from tests.support.policy_examples.worlds import ALL, BOTH, M0, M1, PUBLISHING, R0

__all__ = ["REDUCES"]

LOST = make_failure(R0, counted=False, reason="MapOutputLost", lost=(M1, 0))
MISSING = make_outcome("MapOutputLost", lost=LostOutput(task=M1, generation=0))
DROPPED = make_failure(R0, ordinal=0, counted=False, reason="UploadLost", lost=(R0, 0))


REDUCES = (
    Example(
        name="a map-only run has no second wave",
        observed=make_observed(
            run=PUBLISHING, commits=[make_commit(task, part=make_commit(R0).part, blob=None) for task in (M0, M1)]
        ),
        now=100.0,
        expected="Committing: commit",
    ),
    Example(
        name="a reduce that misses a map output says which",
        observed=make_observed(commits=BOTH, shuffle=make_shuffle(), pods=(make_failed_pod(R0, outcome=MISSING),)),
        now=200.0,
        expected="Reducing: record(r-0 MapOutputLost m-1, free)",
    ),
    Example(
        name="a lost map output opens the next generation of its map",
        observed=make_observed(commits=BOTH, shuffle=make_shuffle(), failures=(LOST,)),
        now=200.0,
        expected="Mapping: create(m-1#1)",
    ),
    Example(
        name="a map that was made again opens the next generation of the manifest",
        observed=make_observed(
            commits=(make_commit(M0), make_commit(M1, generation=1)), shuffle=make_shuffle(), failures=(LOST,)
        ),
        now=200.0,
        expected="Mapping: freeze(1)",
    ),
    Example(
        name="an attempt of a lost generation goes",
        observed=make_observed(commits=BOTH, shuffle=make_shuffle(), failures=(LOST,), pods=(make_pod(M1),)),
        now=60.0,
        expected="Mapping: keep(1) delete(m-1 output lost) create(m-1#2); wake 20.0s",
    ),
    Example(
        name="a part that was dropped before the intent is made again",
        observed=make_observed(commits=ALL, shuffle=make_shuffle(), failures=(DROPPED,)),
        now=200.0,
        expected="Reducing: create(r-0#1)",
    ),
    Example(
        name="a part that was made again is published",
        observed=make_observed(
            run=PUBLISHING,
            commits=(*BOTH, make_commit(R0, generation=1)),
            shuffle=make_shuffle(),
            failures=(DROPPED,),
        ),
        now=200.0,
        expected="Committing: commit",
    ),
    Example(
        name="a part that was dropped past the intent fails the run",
        observed=make_observed(
            commits=ALL, shuffle=make_shuffle(), has_intent=True, faults=(make_fault("UploadLost"),)
        ),
        now=200.0,
        expected="Failed/UploadLost: -",
    ),
)
