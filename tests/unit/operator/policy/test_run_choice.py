from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from podreduce_operator.digests.pinned_digests import digest_pinned
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.observed import PinnedDigests, RunState, SeenProgram
from podreduce_operator.policy.decide import decide
from podreduce_operator.policy.job_events import events_between
from podreduce_operator.policy.run_choice import choose_run_id
from podreduce_operator.policy.run_state import current_run_id, find_condition
from podreduce_operator.policy.spec_change import is_to_be_compared
from podreduce_operator.policy.status import build_status
from tests.support.builders.jobs import make_job, make_raw_output
from tests.support.builders.observed import make_observed
from tests.support.builders.plans import make_plan_summary
from tests.support.builders.pods import make_pod

NOW = 1_000_000.0
REPLACE = {"output": make_raw_output(ifExists="Replace")}
ON_CHANGE = {**REPLACE, "runPolicy": "OnChange"}
MAP = {"program": {"sourceFrom": {"configMapKeyRef": {"name": "count", "key": "job.py"}}}}
RUNNING = Verdict(phase=Phase.MAPPING)
OTHER_POD = make_pod()


def plan_job(spec: Mapping[str, Any], *, program: str | None = None, **fields: Any) -> JobView:
    """The job with the status that it has once its run is planned."""
    job = make_job(spec=spec, **fields)
    plan = make_plan_summary(pinned=PinnedDigests(spec=digest_pinned(job.raw_spec), program=program))
    run_id = choose_run_id(job)
    observed = make_observed(job=job, run_id=run_id, run=RunState(run_id=run_id), plan=plan)
    return replace(job, status=build_status(observed, RUNNING, NOW, job.raw_spec))


def edit(job: JobView, **spec: Any) -> JobView:
    """The job after an edit: `spec` is all that is not a default."""
    edited = make_job(spec=spec, status=job.status, generation=job.generation + 1)
    return replace(edited, key=job.key, uid=job.uid)


def test_the_first_run_has_the_id_in_the_spec() -> None:
    assert choose_run_id(make_job(spec=ON_CHANGE)) == "1"
    assert choose_run_id(plan_job(ON_CHANGE)) == "1"


def test_a_change_makes_a_new_run_only_if_the_policy_says_so() -> None:
    assert choose_run_id(edit(plan_job(ON_CHANGE), **ON_CHANGE, image="other")) == "1-g2"
    assert choose_run_id(edit(plan_job(REPLACE), **REPLACE, image="other")) == "1"


def test_the_new_run_stays_when_nothing_more_changes() -> None:
    job = plan_job({**ON_CHANGE, "image": "other"}, generation=2, status=plan_job(ON_CHANGE).status)
    assert (job.status["runId"], job.status["specRunId"]) == ("1-g2", "1")
    for live in ({"suspend": True}, {"parallelism": 3}, {"ttlSecondsAfterFinished": 1}):
        job = edit(job, **ON_CHANGE, image="other", **live)
        assert choose_run_id(job) == "1-g2"


def test_going_back_to_an_earlier_spec_is_a_run_of_its_own() -> None:
    first = plan_job(ON_CHANGE)
    second = plan_job({**ON_CHANGE, "image": "other"}, generation=2, status=first.status)
    assert choose_run_id(edit(second, **ON_CHANGE)) == "1-g3"


def test_the_status_names_the_new_run_before_anything_of_the_earlier_one_goes() -> None:
    """An edit back to the earlier spec, or to another policy, would otherwise take up a run of which half is gone."""
    edited = edit(plan_job(ON_CHANGE), **ON_CHANGE, image="other")
    replaced = make_observed(job=edited, run_id="1-g2", run=RunState(run_id="1-g2"), superseded="1", pods=(OTHER_POD,))
    first = decide(replaced, NOW)
    assert (first.actions, first.wake_after) == ((), 0.0)
    named = replace(edited, status=build_status(replaced, first.verdict, NOW, None))
    assert (named.status["runId"], named.status["successor"]) == ("1", "1-g2")
    assert [str(action) for action in decide(replace(replaced, job=named), NOW).actions] == ["delete(m-0 other run)"]
    assert choose_run_id(edit(named, **ON_CHANGE)) == "1-g2"
    assert choose_run_id(edit(named, **REPLACE)) == "1-g2"
    assert choose_run_id(edit(named, **ON_CHANGE, runId="2")) == "2"
    begun = make_observed(job=named, run_id="1-g2", run=RunState(run_id="1-g2"), plan=None)
    assert "successor" not in build_status(begun, Verdict(phase=Phase.PLANNING), NOW, None)


def test_a_new_run_id_in_the_spec_is_the_next_run_whatever_changed() -> None:
    job = plan_job({**ON_CHANGE, "image": "other"}, generation=2, status=plan_job(ON_CHANGE).status)
    assert choose_run_id(edit(job, **ON_CHANGE, runId="2")) == "2"
    assert choose_run_id(edit(job, **ON_CHANGE, image="third", runId="2")) == "2"


def test_a_run_that_was_not_planned_takes_the_change() -> None:
    job = make_job(spec=ON_CHANGE)
    observed = make_observed(job=job, plan=None)
    job = replace(job, status=build_status(observed, Verdict(phase=Phase.PLANNING), NOW, None))
    assert choose_run_id(edit(job, **ON_CHANGE, image="other")) == "1"


def test_another_policy_alone_is_no_new_run() -> None:
    assert choose_run_id(edit(plan_job(REPLACE), **ON_CHANGE)) == "1"
    job = plan_job({**ON_CHANGE, "image": "other"}, generation=2, status=plan_job(ON_CHANGE).status)
    assert choose_run_id(edit(job, **REPLACE, image="other")) == "1-g2"


def test_a_change_that_was_pending_runs_once_the_policy_is_on_change() -> None:
    job = edit(plan_job(REPLACE), **REPLACE, image="other")
    assert choose_run_id(job) == "1"
    assert choose_run_id(edit(job, **ON_CHANGE, image="other")) == "1-g3"


def test_an_id_of_the_author_that_looks_like_one_of_ours_is_the_authors() -> None:
    job = plan_job({**REPLACE, "runId": "1-g4"})
    assert choose_run_id(edit(job, **REPLACE, runId="1")) == "1"
    assert current_run_id(job.status, "1") == "1"
    assert current_run_id({}, "1") == "1"


def after_reading(job: JobView, seen: SeenProgram) -> JobView:
    run_id = choose_run_id(job)
    observed = make_observed(job=job, run_id=run_id, plan=None, is_store_unreadable=True, seen_program=seen)
    return replace(job, status=build_status(observed, RUNNING, NOW, None))


def test_another_text_in_the_config_map_makes_a_new_run_once_the_status_says_so() -> None:
    job = edit(plan_job({**ON_CHANGE, **MAP}, program="aa"), **ON_CHANGE, **MAP, suspend=True)
    assert choose_run_id(job) == "1"
    seen = after_reading(job, SeenProgram(generation=2, digest="bb"))
    assert choose_run_id(seen) == "1-g2"
    told = find_condition(seen.status, "SpecChanged")
    assert told is not None
    assert (told["reason"], told["message"]) == (
        "RunsAgain",
        "a new run begins: the text in ConfigMap count, key job.py",
    )
    assert choose_run_id(after_reading(job, SeenProgram(generation=2, digest="aa"))) == "1"


@pytest.mark.parametrize("permanent", [True, False])
def test_a_text_that_cannot_be_read_keeps_the_run_says_so_and_is_read_again(permanent: bool) -> None:
    job = edit(plan_job({**ON_CHANGE, **MAP}, program="aa"), **ON_CHANGE, **MAP, suspend=True)
    seen = SeenProgram(generation=2, digest=None, reason="ProgramNotFound", message="it is gone", permanent=permanent)
    after = after_reading(job, seen)
    told = find_condition(after.status, "SpecChanged")
    assert told is not None
    assert (told["reason"], told["message"]) == ("ProgramNotFound", "it is gone; run 1 stays until it can be read")
    assert choose_run_id(after) == "1"
    assert is_to_be_compared(after)


def test_an_event_says_which_run_follows_from_a_change() -> None:
    before = plan_job(ON_CHANGE).status
    after = plan_job({**ON_CHANGE, "image": "other"}, generation=2, status=before).status
    told = [(event.kind, event.message) for event in events_between(before, after) if event.reason == "SpecChanged"]
    assert told == [("Normal", "run 1-g2 replaces run 1: the spec changed, and runPolicy is OnChange")]
    fresh = plan_job({**ON_CHANGE, "runId": "2"}, generation=3, status=after).status
    assert [event for event in events_between(after, fresh) if event.reason == "SpecChanged"] == []
    assert "specRunId" not in fresh
