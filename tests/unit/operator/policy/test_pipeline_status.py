import json
from dataclasses import replace
from typing import Any

import pytest

from podreduce_operator.api.crd import PIPELINES, schema_of
from podreduce_operator.api.crd_schema import iter_unknown_fields
from podreduce_operator.api.pipeline_spec import decode_pipeline_spec
from podreduce_operator.model.pipeline_records import Place, StepRecord
from podreduce_operator.model.pipelines import (
    Data,
    PipelineObserved,
    PipelinePhase,
    PipelineRunState,
    PipelineVerdict,
    StepDigests,
    StepJob,
)
from podreduce_operator.policy.decide_pipeline import decide_pipeline
from podreduce_operator.policy.pipeline_status import (
    build_pipeline_status,
    ended_steps,
    pipeline_events_between,
    read_pipeline_state,
)
from tests.support.builders.pipelines import PIPELINE_DEFAULTS, make_pipeline

NOW = 1_780_000_000.0
URIS = ("s3://web/links/",)
CHAIN: dict[str, Any] = {
    "steps": [
        {"name": "clean", "inputs": [{"uris": list(URIS)}]},
        {"name": "count", "inputs": [{"from": "clean"}], "output": {"uri": "s3://web/counts/"}},
    ]
}


def observe(fields: dict[str, Any] | None = None, **observed: Any) -> PipelineObserved:
    pipeline = make_pipeline(fields or CHAIN, name="web")
    names = [step.name for step in pipeline.spec.steps]
    known: dict[str, Any] = {
        "run": PipelineRunState(run_id="1", started_at=NOW - 60),
        "digests": {name: StepDigests(spec=name, listings={URIS: "links"}) for name in names},
    }
    return PipelineObserved(pipeline=pipeline, run_hash="now", parallelism=4, **known | observed)


def make_record(name: str, **fields: Any) -> StepRecord:
    step, _, iteration = name.partition("/")
    known: dict[str, Any] = {
        "place": Place(step=step, iteration=int(iteration or 0)), "job_uid": name, "spec_digest": step,
        "input_digest": "", "output_digest": name, "output_uri": f"s3://work/{name}/", "run_id": "1", "records": 7,
        "bytes": 70, "bytes_in": 10, "slot_seconds": 1.0, "seconds": 4.4,
    }  # fmt: skip
    return StepRecord(**known | fields)


def make_job(step: str, **fields: Any) -> StepJob:
    known: dict[str, Any] = {"name": f"web-{step}", "uid": step, "place": Place(step=step), "run": "now"}
    return StepJob(**known | fields)


def status_of(observed: PipelineObserved, verdict: PipelineVerdict | None = None) -> dict[str, Any]:
    verdict = verdict or decide_pipeline(observed, NOW).verdict
    return build_pipeline_status(observed, verdict, NOW, current=observed.pipeline.raw_spec)


def states(status: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in status["steps"]}


def true_conditions(status: dict[str, Any]) -> dict[str, str]:
    return {each["type"]: each["reason"] for each in status["conditions"] if each["status"] == "True"}


def test_a_running_pipeline_shows_each_step_and_what_is_left() -> None:
    running = make_job("clean", progress="maps 3/8")
    status = status_of(observe(jobs=(running,)))
    assert status["phase"] == "Running"
    assert status["progress"] == "0/2"
    assert status["steps"][0] == {"name": "clean", "state": "Running", "job": "web-clean", "progress": "maps 3/8"}
    assert states(status) == {"clean": "Running", "count": "Waiting"}
    assert status["criticalPath"]["steps"] == ["clean", "count"]
    assert true_conditions(status) == {"Reconciling": "Running"}


def test_a_complete_step_shows_its_amounts_and_a_reused_one_its_run() -> None:
    records = {"clean": make_record("clean", run_id="0"), "count": make_record("count", files=3)}
    observed = observe(records=records, data=dict.fromkeys(records, Data.PRESENT))
    verdict = PipelineVerdict(phase=PipelinePhase.COMPLETE, states={"clean": "Reused", "count": "Complete"})
    status = status_of(observed, verdict)
    assert status["steps"] == [
        {"name": "clean", "state": "Reused", "seconds": 4, "records": 7, "bytes": 70, "run": "0"},
        {"name": "count", "state": "Complete", "seconds": 4, "records": 7, "bytes": 70, "files": 3},
    ]
    assert true_conditions(status) == {"Ready": "Complete", "Complete": "Complete"}
    assert read_pipeline_state(status, "1").terminal == "Complete"
    assert read_pipeline_state(status, "2") == PipelineRunState(run_id="2")


def test_a_failed_pipeline_names_the_step_and_those_that_are_not_reached() -> None:
    failed = make_job("clean", ended="Failed", reason="ProgramError", message="no column 'day' " * 20)
    status = status_of(observe(jobs=(failed,)))
    assert states(status) == {"clean": "Failed", "count": "NotReached"}
    assert status["steps"][0]["message"].startswith("ProgramError: no column 'day'")
    assert len(status["steps"][0]["message"]) <= 120
    assert true_conditions(status) == {"Stalled": "StepFailed", "Failed": "StepFailed"}


def test_an_ended_run_stays_as_it_was_written() -> None:
    ended = status_of(observe(jobs=(make_job("clean", ended="Failed", reason="ProgramError"),)))
    later = observe(run=read_pipeline_state(ended, "1"))
    later = replace(later, pipeline=replace(later.pipeline, status=ended), digests={})
    assert status_of(later) == ended


def test_a_new_run_forgets_the_earlier_one_and_keeps_the_installation() -> None:
    before = {**status_of(observe()), "installation": "here", "runId": "0"}
    observed = observe(run=PipelineRunState(run_id="1"), digests={})
    observed = replace(observed, pipeline=replace(observed.pipeline, status=before))
    status = status_of(observed)
    assert status["installation"] == "here"
    assert status["runId"] == "1"
    assert states(status) == {"clean": "Waiting", "count": "Waiting"}


def test_a_recorded_step_is_complete_only_when_it_is_recorded() -> None:
    done = make_job("clean", ended="Complete")
    assert states(status_of(observe(jobs=(done,))))["clean"] == "Running"


def test_an_edit_of_a_pinned_field_is_told() -> None:
    observed = observe()
    current = {**observed.pipeline.raw_spec, "suspend": True, "steps": [*CHAIN["steps"], {"name": "new"}]}
    verdict = decide_pipeline(observed, NOW).verdict
    status = build_pipeline_status(observed, verdict, NOW, current=current)
    told = next(each for each in status["conditions"] if each["type"] == "SpecChanged")
    assert told["message"] == "takes effect with the next spec.runId: spec.steps"


def loop_of(count: int) -> tuple[dict[str, Any], dict[str, StepRecord]]:
    fields = {
        "steps": [
            {"name": "seed", "inputs": [{"uris": list(URIS)}]},
            {"name": "sum", "inputs": [{"previous": "sum", "first": {"from": "seed"}}]},
        ],
        "loops": [
            {
                "name": "rank",
                "steps": ["sum"],
                "maxIterations": 1000,
                "until": [{"step": "sum", "counter": "rank/micro", "operator": "Less", "than": 10}],
            }
        ],
    }
    records = {"seed": make_record("seed")}
    for number in range(1, count + 1):
        records[f"sum/{number}"] = make_record(f"sum/{number}", counters={"rank/micro": 1000 - number})
    return fields, records


def test_a_loop_shows_its_last_five_values() -> None:
    fields, records = loop_of(7)
    status = status_of(observe(fields, records=records, data=dict.fromkeys(records, Data.PRESENT)))
    (loop,) = status["loops"]
    recent = [{"iteration": number, "seconds": 4.4, "values": [str(1000 - number)]} for number in range(3, 8)]
    assert loop == {"name": "rank", "state": "Running", "iteration": 7, "maxIterations": 1000, "recent": recent}
    assert status["loop"] == "rank 7/1000"


@pytest.mark.parametrize("iterations", [991, 1000])
def test_a_loop_that_ended_says_how(iterations: int) -> None:
    fields, records = loop_of(iterations)
    if iterations == 1000:
        records["sum/1000"] = make_record("sum/1000", counters={"rank/micro": 10})
        for number in range(991, 1000):
            records[f"sum/{number}"] = make_record(f"sum/{number}", counters={"rank/micro": 10})
    status = status_of(observe(fields, records=records, data=dict.fromkeys(records, Data.PRESENT)))
    found = next(each for each in status["conditions"] if each["type"] == "Converged")
    assert (found["status"], found["reason"]) == (
        ("True", "Converged") if iterations == 991 else ("False", "LimitReached")
    )


def test_the_largest_status_has_at_most_sixteen_kilobytes() -> None:
    name = "s" * 27
    steps = [{"name": f"{name}{number:03}", "inputs": [{"uris": list(URIS)}]} for number in range(64)]
    loops = [
        {"name": f"{'l' * 28}{number:02}", "steps": [steps[number]["name"]], "maxIterations": 1000, "until": []}
        for number in range(8)
    ]
    fields = {"steps": steps, "loops": loops}
    jobs = tuple(
        make_job(step["name"], name="j" * 63, ended="Failed", reason="R" * 30, message="m" * 1000) for step in steps
    )
    records = {
        f"{step['name']}/{number}": make_record(f"{step['name']}/{number}", records=1 << 60, bytes=1 << 60)
        for step in steps[:8]
        for number in range(1, 1001)
    }
    observed = observe(fields, jobs=jobs, records=records, data=dict.fromkeys(records, Data.PRESENT))
    status = status_of(observed)
    assert len(json.dumps(status, separators=(",", ":"))) <= 16_384
    assert sum("message" in step for step in status["steps"]) <= 10


def test_a_step_that_is_never_reused_says_why() -> None:
    digests = {
        name: StepDigests(spec=None, reason="the module m is on this machine", listings={URIS: "l"})
        for name in ("clean", "count")
    }
    status = status_of(observe(jobs=(make_job("clean"),), digests=digests))
    assert status["steps"][0]["message"] == "not reused: the module m is on this machine"
    assert "message" not in status["steps"][1]


def test_each_end_of_a_step_is_counted_once() -> None:
    running = status_of(observe(jobs=(make_job("clean"),)))
    failed = status_of(observe(jobs=(make_job("clean", ended="Failed", reason="ProgramError", message="x"),)))
    assert [step["name"] for step in ended_steps(running, failed)] == ["clean"]
    assert list(ended_steps(failed, failed)) == []
    assert [step["name"] for step in ended_steps({**failed, "runId": "0"}, failed)] == ["clean"]


def test_events_tell_each_change_once() -> None:
    running = status_of(observe(jobs=(make_job("clean"),)))
    failed = status_of(observe(jobs=(make_job("clean", ended="Failed", reason="ProgramError", message="x"),)))
    told = [(event.kind, event.reason) for event in pipeline_events_between({}, running)]
    assert told == [("Normal", "StepStarted"), ("Normal", "Running")]
    assert list(pipeline_events_between(running, running)) == []
    told = [(event.kind, event.reason) for event in pipeline_events_between(running, failed)]
    assert told == [("Warning", "StepFailed"), ("Warning", "StepFailed")]


def test_events_of_a_loop_tell_its_end_and_not_each_iteration() -> None:
    fields, records = loop_of(7)
    before = status_of(observe(fields, records=records, data=dict.fromkeys(records, Data.PRESENT)))
    fields, records = loop_of(8)
    after = status_of(observe(fields, records=records, data=dict.fromkeys(records, Data.PRESENT)))
    assert list(pipeline_events_between(before, after)) == []
    fields, records = loop_of(991)
    ended = status_of(observe(fields, records=records, data=dict.fromkeys(records, Data.PRESENT)))
    assert "LoopConverged" in [event.reason for event in pipeline_events_between(before, ended)]


def test_defaults_of_the_builder_are_those_of_the_crd() -> None:
    assert decode_pipeline_spec({**PIPELINE_DEFAULTS, **CHAIN}).storage.secret_ref.name == "podreduce-storage"


def test_the_crd_knows_every_field_of_a_status() -> None:
    fields, records = loop_of(7)
    looping = status_of(observe(fields, records=records, data=dict.fromkeys(records, Data.PRESENT)))
    failed = status_of(observe(jobs=(make_job("clean", ended="Failed", reason="ProgramError", message="x"),)))
    running = status_of(observe(jobs=(make_job("clean", progress="maps 3/8"),)))
    reused = {"clean": make_record("clean", run_id="0")}
    verdict = PipelineVerdict(phase=PipelinePhase.RUNNING, states={"clean": "Reused"})
    told = status_of(observe(records=reused, data=dict.fromkeys(reused, Data.PRESENT)), verdict)
    schema = schema_of(PIPELINES)["properties"]["status"]
    for status in (looping, failed, running, told):
        assert list(iter_unknown_fields(schema, status, "status")) == []
