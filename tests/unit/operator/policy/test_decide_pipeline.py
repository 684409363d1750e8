"""Pipelines: an example of each rule of `decide_pipeline`. Random worlds are in tests/simulation/test_pipelines.py."""

from dataclasses import replace
from typing import Any

import pytest

from podreduce_operator.api.pipeline_spec import decode_pipeline_spec
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.observed import Fault
from podreduce_operator.model.pipeline_records import Place, StepRecord
from podreduce_operator.model.pipelines import (
    Data,
    PipelineObserved,
    PipelineRunState,
    PipelineView,
    StepDigests,
    StepJob,
)
from podreduce_operator.pipelines.freshness import combine_digests
from podreduce_operator.policy.decide_pipeline import decide_pipeline

NOW = 1000.0
LOGS = ("s3://logs/",)
DIAMOND: dict[str, Any] = {
    "steps": [
        {"name": "clean", "inputs": [{"uris": LOGS}]},
        {"name": "visits", "inputs": [{"from": "clean"}]},
        {"name": "faults", "inputs": [{"from": "clean"}]},
        {
            "name": "report",
            "inputs": [{"from": "visits"}, {"from": "faults"}],
            "output": {"uri": "s3://reports/"},
        },
    ]
}
KMEANS: dict[str, Any] = {
    "steps": [
        {
            "name": "assign",
            "inputs": [{"uris": LOGS}, {"previous": "assign", "first": {"uris": LOGS}}],
            "output": {"uri": "s3://centres/"},
        }
    ],
    "loops": [
        {
            "name": "lloyd",
            "steps": ["assign"],
            "maxIterations": 9,
            "until": [{"step": "assign", "counter": "kmeans/moved", "operator": "Equal", "than": 0}],
        }
    ],
}
READS = {
    "clean": ["objects logs"],
    "visits": ["step out clean"],
    "faults": ["step out clean"],
    "report": ["step out visits", "step out faults"],
}


def observe(fields: dict[str, Any], **observed: Any) -> PipelineObserved:
    """A pinned run that has started."""
    defaults = {
        "onStepFailure": "FinishRunning",
        "reuse": "Unchanged",
        "intermediates": "UntilTTL",
        "runId": "1",
        "suspend": False,
        "ttlSecondsAfterFinished": 60,
    }
    spec = decode_pipeline_spec(defaults | fields)
    view = PipelineView(
        key=JobKey(namespace="default", name="web"), uid="u", generation=1, spec=spec, raw_spec={}, status={}
    )
    known: dict[str, Any] = {
        "run": PipelineRunState(run_id="1", started_at=NOW - 10),
        "digests": {step.name: StepDigests(spec=step.name, listings={LOGS: "logs"}) for step in spec.steps},
    }
    return PipelineObserved(pipeline=view, run_hash="now", parallelism=4, **known | observed)


def make_record(name: str, **fields: Any) -> StepRecord:
    step, _, iteration = name.partition("/")
    defaults: dict[str, Any] = {
        "place": Place(step=step, iteration=int(iteration or 0)),
        "job_uid": f"job {name}",
        "spec_digest": step,
        "input_digest": combine_digests(READS.get(name, [])),
        "output_digest": f"out {name}",
        "output_uri": f"s3://work/{name}/",
        "run_id": "1",
        "records": 1,
        "bytes": 10,
        "bytes_in": 10,
        "slot_seconds": 1.0,
    }
    return StepRecord(**defaults | fields)


def complete(*names: str, **fields: Any) -> dict[str, Any]:
    """What is observed of these complete steps: records, and their data."""
    return {
        "records": {name: make_record(name, **fields) for name in names},
        "data": dict.fromkeys(names, Data.PRESENT),
    }


def make_job(name: str, **fields: Any) -> StepJob:
    step, _, iteration = name.partition("/")
    place = Place(step=step, iteration=int(iteration or 0))
    return StepJob(name=f"web-{name}", uid=f"job {name}", place=place, **{"run": "now"} | fields)


def told(observed: PipelineObserved, now: float = NOW) -> str:
    return str(decide_pipeline(observed, now))


def test_the_status_names_the_run_before_it_is_pinned() -> None:
    new = observe(DIAMOND, digests={}, run=PipelineRunState(run_id="1"))
    assert told(new) == "Starting: -; wake 0.0s"
    assert told(observe(DIAMOND, digests={})) == "Starting: pin"


def test_a_pipeline_that_is_not_valid_fails_before_any_step() -> None:
    fault = Fault(reason="Invalid", message="the step report: spec.map: no", permanent=True)
    assert told(observe(DIAMOND, digests={}, faults=(fault,))) == "Failed/Invalid: -"


def test_the_first_step_gets_all_slots() -> None:
    assert told(observe(DIAMOND)) == "Running: create(clean x4)"


def test_a_complete_job_is_recorded_before_anything_else() -> None:
    observed = observe(DIAMOND, jobs=(make_job("clean", ended="Complete"),))
    assert told(observed) == "Running: record(clean); wake 0.0s"


def test_steps_that_do_not_wait_for_each_other_share_the_slots() -> None:
    observed = observe(DIAMOND, **complete("clean"))
    assert told(observed) == "Running: create(visits x4)"
    running = observe(DIAMOND, jobs=(make_job("visits", share=4, active=4, wanted=4),), **complete("clean"))
    assert told(running) == "Running: -"
    ending = observe(DIAMOND, jobs=(make_job("visits", share=4, active=1, wanted=1),), **complete("clean"))
    assert told(ending) == "Running: share(visits x1) create(faults x3)"


def test_a_run_is_complete_when_nothing_has_to_run() -> None:
    observed = observe(DIAMOND, **complete("clean", "visits", "faults", "report"))
    decision = decide_pipeline(observed, NOW)
    assert str(decision) == "Complete/AllStepsComplete: -"
    assert set(decision.verdict.states.values()) == {"Complete"}


def test_what_an_earlier_run_made_is_reused() -> None:
    observed = observe(DIAMOND, **complete("clean", "visits", "faults", "report", run_id="0"))
    decision = decide_pipeline(observed, NOW)
    assert str(decision) == "Complete/AllStepsComplete: -"
    assert set(decision.verdict.states.values()) == {"Reused"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("FinishRunning", "Running/StepFailed: -"),
        ("Stop", "Running/StepFailed: delete(visits run failed)"),
        ("FinishPossible", "Running: -"),
    ],
)
def test_a_failed_step_ends_the_run_as_the_pipeline_says(policy: str, expected: str) -> None:
    failed = make_job("faults", ended="Failed", reason="ProgramError", message="no")
    running = make_job("visits", share=4, active=4, wanted=4)
    fields = DIAMOND | {"onStepFailure": policy}
    assert told(observe(fields, jobs=(failed, running), **complete("clean"))) == expected
    after = observe(fields, jobs=(failed,), **complete("clean", "visits"))
    decision = decide_pipeline(after, NOW)
    assert str(decision) == "Failed/StepFailed: -"
    assert decision.verdict.message == "the step faults failed: ProgramError: no"


def test_finish_possible_starts_what_does_not_wait_for_the_failed_step() -> None:
    failed = make_job("faults", ended="Failed")
    fields = DIAMOND | {"onStepFailure": "FinishPossible"}
    decision = decide_pipeline(observe(fields, jobs=(failed,), **complete("clean")), NOW)
    assert str(decision) == "Running: create(visits x4)"
    assert decision.verdict.states["report"] == "NotReached"


def test_the_jobs_of_another_run_are_deleted_and_awaited() -> None:
    old = make_job("visits", run="before")
    assert told(observe(DIAMOND, jobs=(old,))) == "Starting: delete(visits another run)"
    assert told(observe(DIAMOND, jobs=(replace(old, deleting=True),))) == "Starting: -"
    assert told(observe(DIAMOND, jobs=(replace(old, ended="Failed"),))) == "Running: create(clean x4)"


def test_a_suspended_run_suspends_its_jobs_and_starts_nothing() -> None:
    running = make_job("clean", share=4)
    fields = DIAMOND | {"suspend": True}
    assert told(observe(fields, jobs=(running,))) == "Suspended/Suspended: suspend(clean)"
    assert told(observe(fields, jobs=(replace(running, suspended=True),))) == "Suspended/Suspended: -"
    assert told(observe(fields)) == "Suspended/Suspended: -"
    resumed = observe(DIAMOND, jobs=(replace(running, suspended=True, wanted=4),))
    assert told(resumed) == "Running: resume(clean)"


def test_the_deadline_deletes_the_jobs_and_fails_the_run() -> None:
    fields = DIAMOND | {"activeDeadlineSeconds": 10}
    assert told(observe(fields, jobs=(make_job("clean"),))) == "Running/DeadlineExceeded: delete(clean run failed)"
    assert told(observe(fields)) == "Failed/DeadlineExceeded: -"


def test_a_running_job_whose_input_is_made_again_is_deleted() -> None:
    known = complete("clean", "visits")
    known["data"]["clean"] = Data.REPLACED
    running = make_job("faults", share=4, active=4)
    recorded = make_job("clean", ended="Complete")
    assert told(observe(DIAMOND, jobs=(running, recorded), **known)) == (
        "Running: delete(faults input changed) delete(clean output lost)"
    )


def test_a_step_whose_output_somebody_replaces_twice_fails_the_run() -> None:
    known = complete("clean")
    known["data"]["clean"] = Data.REPLACED
    known["records"]["clean"] = make_record("clean", times=2)
    decision = decide_pipeline(observe(DIAMOND, **known), NOW)
    assert str(decision) == "Failed/OutputChanged: -"
    assert "somebody else writes to the output of the step clean" in decision.verdict.message


def test_each_iteration_is_a_job_and_the_last_output_is_published() -> None:
    assert told(observe(KMEANS)) == "Running: create(assign/1 x4)"
    going = complete("assign/1", counters={"kmeans/moved": 7})
    assert told(observe(KMEANS, **going)) == "Running: create(assign/2 x4)"
    done = complete("assign/1", counters={"kmeans/moved": 0})
    assert told(observe(KMEANS, **done)) == "Running: publish(assign/1)"
    published = observe(KMEANS, published={"assign": "out assign/1"}, **done)
    assert told(published) == "Complete/AllStepsComplete: -"


def test_a_loop_that_must_converge_and_does_not_fails_the_run() -> None:
    loop = KMEANS["loops"][0] | {"atLimit": "Fail", "maxIterations": 1}
    known = complete("assign/1", counters={"kmeans/moved": 7})
    assert told(observe(KMEANS | {"loops": [loop]}, **known)) == "Failed/LoopLimitReached: -"


def test_a_condition_without_its_counter_fails_the_run() -> None:
    decision = decide_pipeline(observe(KMEANS, **complete("assign/1")), NOW)
    assert str(decision) == "Failed/ConvergenceValueMissing: -"
    assert "the step assign has not counted kmeans/moved" in decision.verdict.message


def test_a_run_that_fails_after_a_suspension_lets_its_suspended_jobs_end() -> None:
    jobs = make_job("assign/1", ended="Failed"), make_job("seed", suspended=True)
    decision = decide_pipeline(observe(KMEANS, jobs=jobs), NOW)
    assert str(decision).endswith(": resume(seed)")


def test_of_a_loop_only_the_last_two_outputs_are_kept() -> None:
    known = complete("assign/1", "assign/2", "assign/3", counters={"kmeans/moved": 7})
    recorded = make_job("assign/1", ended="Complete")
    assert told(observe(KMEANS, jobs=(recorded,), **known)) == (
        "Running: create(assign/4 x4) remove(assign/1) remove(assign/2) delete(assign/1 recorded)"
    )


def test_outputs_go_as_soon_as_nobody_needs_them_if_the_pipeline_asks_for_it() -> None:
    fields = DIAMOND | {"intermediates": "WhileNeeded"}
    running = make_job("report", share=4, active=4, wanted=4)
    known = complete("clean", "visits", "faults")
    assert told(observe(fields, jobs=(running,), **known)) == "Running: remove(clean)"
    assert told(observe(DIAMOND, jobs=(running,), **known)) == "Running: -"


def test_an_ended_run_keeps_its_results_and_loses_the_rest_after_the_ttl() -> None:
    ended = PipelineRunState(
        run_id="1", started_at=1.0, terminal="Complete", completed_at=NOW, reason="AllStepsComplete"
    )
    observed = observe(DIAMOND, run=ended, **complete("clean", "report"))
    assert told(observed, NOW + 59) == "Complete/AllStepsComplete: -; wake 1.0s"
    assert told(observed, NOW + 60) == "Complete/AllStepsComplete: remove(clean)"


def test_without_the_store_nothing_is_decided_but_the_end_of_another_run() -> None:
    old = make_job("visits", run="before")
    assert told(observe(DIAMOND, is_store_unreadable=True, jobs=(old,))) == "Starting: delete(visits another run)"
    assert told(observe(DIAMOND, is_store_unreadable=True, jobs=(make_job("clean"),))) == "Running: -; wake 5.0s"


def test_a_fault_that_passes_delays_the_run() -> None:
    fault = Fault(reason="QuotaExceeded", message="no pods", permanent=False)
    assert told(observe(DIAMOND, faults=(fault,))) == "Running/QuotaExceeded: -; wake 5.0s"
