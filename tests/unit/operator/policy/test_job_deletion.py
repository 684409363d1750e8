"""When an ended run's job is deleted, and when it is not."""

from dataclasses import replace
from typing import Any

import pytest

from podreduce_operator.model.observed import RunState
from podreduce_operator.policy.decide import decide
from podreduce_operator.policy.run_cleanup import is_at_rest
from tests.support.builders.jobs import make_job
from tests.support.builders.observed import make_fault, make_observed
from tests.support.builders.pods import make_failed_pod, make_pod
from tests.support.builders.tasks import map_task

ENDED = RunState(run_id="1", terminal="Failed", reason="InputError", message="no", completed_at=100.0)
CLEANED_UP = replace(ENDED, is_cleaned_up=True)

DUE: dict[str, tuple[float, dict[str, Any], bool]] = {
    "before its time": (109.9, {}, False),
    "at its time": (110.0, {}, True),
    "before the records that the ttl keeps are gone": (110.0, {"has_records": True}, False),
    "with failed pods": (110.0, {"pods": (make_failed_pod(),)}, True),
    "while a pod may still write": (110.0, {"pods": (make_pod(map_task(0)),)}, False),
    "at rest, with what the ttl keeps": (110.0, {"is_store_unreadable": True, "is_at_rest": True}, False),
    "at rest, with nothing left": (110.0, {"is_store_unreadable": True, "is_at_rest": True, "run": CLEANED_UP}, True),
    "before its intermediate data is gone": (110.0, {"has_intermediates": True}, False),
    "while the store refuses the clean-up": (110.0, {"faults": (make_fault(),)}, False),
    "while the store cannot be reached": (110.0, {"is_store_unreadable": True, "faults": (make_fault(),)}, False),
    "before it has ended": (110.0, {"run": RunState(run_id="1", started_at=1.0)}, False),
}


@pytest.mark.parametrize(("now", "fields", "is_due"), DUE.values(), ids=DUE.keys())
def test_a_job_is_deleted_when_its_time_is_over_and_its_store_is_known(
    now: float, fields: dict[str, Any], is_due: bool
) -> None:
    observed = make_observed(**({"run": ENDED} | fields), spec={"deleteAfterFinishedSeconds": 10})
    assert ("delete job" in map(str, decide(observed, now).actions)) is is_due


@pytest.mark.parametrize("ttl", [5, 1000])
def test_before_a_job_is_deleted_everything_of_its_run_is_removed(ttl: int) -> None:
    spec = {"deleteAfterFinishedSeconds": 10, "ttlSecondsAfterFinished": ttl}
    observed = make_observed(run=ENDED, has_records=True, has_intermediates=True, post_mortem=None, spec=spec)
    assert [str(action) for action in decide(observed, 110.0).actions] == ["clean", "remove"]


def test_a_run_rests_no_longer_than_its_job_stays() -> None:
    told = replace(ENDED, has_post_mortem=True)
    job = make_job(spec={"deleteAfterFinishedSeconds": 1000}, status={"observedGeneration": 1})
    assert [is_at_rest(job, told, now) for now in (1099.0, 1100.0)] == [True, False]


def test_without_the_field_a_job_stays_for_ever() -> None:
    decision = decide(make_observed(run=ENDED), 1e9)
    assert (decision.actions, decision.wake_after) == ((), None)


@pytest.mark.parametrize(
    ("now", "fields", "wake_after"),
    [
        (101.0, {}, 9.0),
        (101.0, {"is_store_unreadable": True, "is_at_rest": True}, 9.0),
        (101.0, {"has_records": True}, 4.0),
        (110.0, {"is_store_unreadable": True, "is_at_rest": True}, 0.0),
    ],
    ids=["nothing else is due", "at rest", "the ttl ends before", "it was at rest when it was looked at"],
)
def test_a_job_is_looked_at_again_when_it_is_to_be_deleted(
    now: float, fields: dict[str, Any], wake_after: float
) -> None:
    spec = {"deleteAfterFinishedSeconds": 10, "ttlSecondsAfterFinished": 5 if fields.get("has_records") else 1000}
    observed = make_observed(run=ENDED, plan=None, **fields, spec=spec)
    assert decide(observed, now).wake_after == wake_after
