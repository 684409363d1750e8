from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from podreduce_operator.digests.pinned_digests import digest_pinned
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.observed import PinnedDigests, RunState, SeenProgram
from podreduce_operator.policy.job_events import events_between
from podreduce_operator.policy.run_state import find_condition
from podreduce_operator.policy.spec_change import is_to_be_compared
from podreduce_operator.policy.status import build_status
from tests.support.builders.jobs import make_job
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary

NOW = 1_000_000.0
MAP = {"program": {"sourceFrom": {"configMapKeyRef": {"name": "count", "key": "job.py"}}}}
PROGRAM = "the text in ConfigMap count, key job.py"
RUNNING = Verdict(phase=Phase.MAPPING)
COMPLETE = Verdict(phase=Phase.COMPLETE, reason="OutputCommitted")


def planned(spec: Mapping[str, Any] | None = None, *, program: str | None = None) -> dict[str, Any]:
    """The status of a job whose run was planned with this spec."""
    job = make_job(spec=spec)
    plan = make_plan_summary(pinned=PinnedDigests(spec=digest_pinned(job.raw_spec), program=program))
    return build_status(make_observed(job=job, plan=plan), RUNNING, NOW, job.raw_spec)


def look(job: JobView, *, pinned: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """The status after one more look at the job; without its plan, if that is not given."""
    plan = {} if pinned is not None else {"plan": None, "is_store_unreadable": True}
    return build_status(make_observed(job=job, **(plan | fields)), RUNNING, NOW, pinned)


def told(status: Mapping[str, Any]) -> str:
    found = find_condition(status, "SpecChanged")
    return "" if found is None else str(found["message"])


def at_rest() -> dict[str, Any]:
    """What is observed of a run that is cleaned up: its records are gone."""
    run = RunState(run_id="1", started_at=0.0, terminal="Complete", completed_at=NOW, is_cleaned_up=True)
    return {"run": run, "plan": None, "is_store_unreadable": True, "is_at_rest": True}


def test_the_status_has_the_digests_of_what_was_planned() -> None:
    status = planned(MAP, program="aa")
    assert status["digests"] == {"spec": digest_pinned(make_job(spec=MAP).raw_spec), "program": "aa"}
    assert told(status) == ""


def test_digests_of_another_run_are_not_kept() -> None:
    job = make_job(spec={"runId": "2"}, status=planned())
    assert "digests" not in build_status(
        make_observed(job=job, run_id="2", run=RunState(run_id="2"), plan=None),
        Verdict(phase=Phase.PLANNING),
        NOW,
        None,
    )


def test_an_edit_is_seen_when_the_plan_is_gone_and_no_more_when_it_is_taken_back() -> None:
    status = planned()
    edited = make_job(spec={"image": "other"}, status=status, generation=2)
    seen = build_status(make_observed(job=edited, **at_rest()), COMPLETE, NOW, None)
    assert told(seen) == "takes effect with the next spec.runId: spec"
    back = make_job(status=seen, generation=3)
    assert told(build_status(make_observed(job=back, **at_rest()), COMPLETE, NOW, None)) == ""


def test_the_names_of_the_fields_stay_when_the_plan_is_gone() -> None:
    status = planned()
    edited = make_job(spec={"image": "other"}, status=status, generation=2)
    seen = look(edited, pinned=make_job().raw_spec)
    assert told(seen) == "takes effect with the next spec.runId: spec.image"
    assert told(look(replace(edited, status=seen))) == told(seen)


def test_a_live_field_and_a_field_with_its_default_are_no_change() -> None:
    status = planned()
    edited = make_job(spec={"suspend": True, "parallelism": 9}, status=status, generation=2)
    assert told(build_status(make_observed(job=edited, **at_rest()), COMPLETE, NOW, None)) == ""


def test_a_changed_program_text_is_told_by_its_place_until_it_is_as_it_was() -> None:
    status = planned(MAP, program="aa")
    job = make_job(spec=MAP, status=status, generation=2)
    changed = look(job, seen_program=SeenProgram(generation=2, digest="bb"))
    assert told(changed) == f"takes effect with the next spec.runId: {PROGRAM}"
    assert told(look(replace(job, status=changed))) == told(changed)
    mended = look(replace(job, status=changed, generation=3), seen_program=SeenProgram(generation=3, digest="aa"))
    assert told(mended) == ""


def test_a_text_that_could_not_be_read_says_nothing() -> None:
    status = planned(MAP, program="aa")
    job = make_job(spec=MAP, status=status, generation=2)
    for permanent in (False, True):
        seen = SeenProgram(generation=2, digest=None, reason="ProgramNotFound", message="gone", permanent=permanent)
        after = look(job, seen_program=seen)
        assert told(after) == ""
        assert is_to_be_compared(replace(job, status=after)) is not permanent


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (make_job(spec=MAP, generation=2), False),
        (make_job(spec=MAP, status=planned(MAP, program="aa"), generation=2), True),
        (make_job(spec=MAP, status=planned(MAP, program="aa"), generation=2, deleting=True), False),
        (make_job(status=planned(), generation=2), False),
    ],
    ids=["not planned", "edited", "deleted", "no ConfigMap"],
)
def test_a_text_is_compared_after_an_edit_of_a_planned_job(job: JobView, expected: bool) -> None:
    assert is_to_be_compared(job) is expected


def test_a_text_is_compared_once_for_each_edit() -> None:
    job = make_job(spec=MAP, status=planned(MAP, program="aa"), generation=2)
    job = replace(job, status=look(job, seen_program=SeenProgram(generation=2, digest="aa")))
    assert not is_to_be_compared(job)
    assert is_to_be_compared(replace(job, generation=3))


def test_a_change_is_an_event_once_for_each_message() -> None:
    before = planned()
    after = look(make_job(spec={"image": "other"}, status=before, generation=2), pinned=make_job().raw_spec)
    found = [(event.kind, event.reason, event.message) for event in events_between(before, after)]
    assert ("Warning", "SpecChanged", "takes effect with the next spec.runId: spec.image") in found
    assert events_between(after, after) == []


def test_a_new_run_id_is_no_change_of_the_run_that_it_replaces() -> None:
    job = make_job(spec={"runId": "2", "image": "other"}, status=planned(), generation=2)
    observed = make_observed(job=job, run_id="2", run=RunState(run_id="2"), superseded="1", plan=None)
    assert told(build_status(observed, Verdict(phase=Phase.PLANNING), NOW, None)) == ""
