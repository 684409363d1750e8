"""When an ended run's job is deleted, and when it is not."""

from typing import Any

import pytest

from podreduce_operator.model.observed import RunState
from podreduce_operator.policy.decide import decide
from tests.support.builders.observed import make_fault, make_observed
from tests.support.builders.pods import make_failed_pod

ENDED = RunState(run_id="1", terminal="Failed", reason="InputError", message="no", completed_at=100.0)

DUE: dict[str, tuple[float, dict[str, Any], bool]] = {
    "before its time": (109.9, {}, False),
    "at its time": (110.0, {}, True),
    "with records that the ttl keeps": (110.0, {"has_records": True}, True),
    "with failed pods": (110.0, {"pods": (make_failed_pod(),)}, True),
    "at rest": (110.0, {"is_blind": True, "is_at_rest": True}, True),
    "before its intermediate data is gone": (110.0, {"has_intermediates": True}, False),
    "while the store refuses the clean-up": (110.0, {"faults": (make_fault(),)}, False),
    "while the store cannot be reached": (110.0, {"is_blind": True, "faults": (make_fault(),)}, False),
    "before it has ended": (110.0, {"run": RunState(run_id="1", started_at=1.0)}, False),
}


@pytest.mark.parametrize(("now", "fields", "is_due"), DUE.values(), ids=DUE.keys())
def test_a_job_is_deleted_when_its_time_is_over_and_its_store_is_known(
    now: float, fields: dict[str, Any], is_due: bool
) -> None:
    observed = make_observed(**({"run": ENDED} | fields), spec={"deleteAfterFinishedSeconds": 10})
    assert ("delete job" in map(str, decide(observed, now).actions)) is is_due


def test_without_the_field_a_job_stays_for_ever() -> None:
    decision = decide(make_observed(run=ENDED), 1e9)
    assert (decision.actions, decision.wake_after) == ((), None)


@pytest.mark.parametrize(
    ("now", "fields", "wake_after"),
    [(101.0, {}, 9.0), (101.0, {"is_blind": True, "is_at_rest": True}, 9.0), (101.0, {"has_records": True}, 4.0)],
    ids=["nothing else is due", "at rest", "the ttl ends before"],
)
def test_a_job_is_looked_at_again_when_it_is_to_be_deleted(
    now: float, fields: dict[str, Any], wake_after: float
) -> None:
    spec = {"deleteAfterFinishedSeconds": 10, "ttlSecondsAfterFinished": 5 if fields.get("has_records") else 1000}
    observed = make_observed(run=ENDED, plan=None, **fields, spec=spec)
    assert decide(observed, now).wake_after == wake_after
