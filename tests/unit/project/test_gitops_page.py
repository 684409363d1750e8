"""The script for Argo CD in docs/gitops.md, run in Argo CD's version of Lua on statuses that the operator writes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lupa.lua51
import pytest
import yaml

from podreduce_operator.api.crd import JOBS, PIPELINES, SCHEDULES
from podreduce_operator.model.decisions import Phase, Verdict
from podreduce_operator.model.pipelines import PipelineObserved, PipelinePhase, PipelineRunState, PipelineVerdict
from podreduce_operator.model.schedules import ScheduleObserved, ScheduleState, ScheduleVerdict
from podreduce_operator.policy.pipeline_status import build_pipeline_status
from podreduce_operator.policy.schedule_status import build_schedule_status
from podreduce_operator.policy.status import build_status
from tests.support.builders.observed import make_observed
from tests.support.builders.observed_schedules import make_spec, make_view
from tests.support.builders.pipelines import make_pipeline

PAGE = (Path(__file__).parents[3] / "docs" / "gitops.md").read_text(encoding="utf-8")
NOW = 1_000_000.0
GENERATION = 1


def scripts() -> dict[str, str]:
    """The script for each kind, as Argo CD's ConfigMap has it."""
    block = PAGE.partition("## Argo CD")[2].partition("```yaml\n")[2].partition("```")[0]
    return {name.rpartition("_")[2]: text for name, text in yaml.safe_load(block).items()}


def health_of(kind: str, status: Mapping[str, Any], generation: int = GENERATION) -> tuple[str, str]:
    """What Argo CD shows of a resource with this status."""
    lua = lupa.lua51.LuaRuntime()
    resource = {"metadata": {"generation": generation}, "spec": {}, "status": status}
    lua.globals().obj = lua.table_from(resource, recursive=True)
    found = lua.execute(scripts()[kind])
    return found["status"], found["message"]


def job(phase: Phase) -> dict[str, Any]:
    return build_status(make_observed(), Verdict(phase=phase, reason="Told", message="why"), NOW, None)


def pipeline(phase: PipelinePhase) -> dict[str, Any]:
    run = PipelineRunState(run_id="1", started_at=NOW)
    observed = PipelineObserved(pipeline=make_pipeline(), run=run, run_hash="now", parallelism=4)
    return build_pipeline_status(observed, PipelineVerdict(phase=phase, message="why"), NOW, current={})


def schedule(*, suspend: bool = False, **verdict: Any) -> dict[str, Any]:
    view = make_view(make_spec(schedule="@daily", suspend=suspend))
    observed = ScheduleObserved(schedule=view, state=ScheduleState())
    return build_schedule_status(observed, ScheduleVerdict(state=ScheduleState(), **verdict), NOW)


@pytest.mark.parametrize(
    ("kind", "status", "health"),
    [
        ("MapReduceJob", {}, "Progressing"),
        ("MapReduceJob", job(Phase.MAPPING), "Progressing"),
        ("MapReduceJob", job(Phase.SUSPENDED), "Suspended"),
        ("MapReduceJob", job(Phase.COMPLETE), "Healthy"),
        ("MapReduceJob", job(Phase.FAILED), "Degraded"),
        ("MapReducePipeline", {}, "Progressing"),
        ("MapReducePipeline", pipeline(PipelinePhase.STARTING), "Progressing"),
        ("MapReducePipeline", pipeline(PipelinePhase.RUNNING), "Progressing"),
        ("MapReducePipeline", pipeline(PipelinePhase.SUSPENDED), "Suspended"),
        ("MapReducePipeline", pipeline(PipelinePhase.COMPLETE), "Healthy"),
        ("MapReducePipeline", pipeline(PipelinePhase.FAILED), "Degraded"),
        ("MapReduceSchedule", {}, "Progressing"),
        ("MapReduceSchedule", schedule(), "Healthy"),
        ("MapReduceSchedule", schedule(suspend=True, reason="Suspended"), "Suspended"),
        ("MapReduceSchedule", schedule(reason="JobAlreadyActive", message="waits"), "Progressing"),
        ("MapReduceSchedule", schedule(reason="InvalidSchedule", message="no", is_stalled=True), "Degraded"),
    ],
)
def test_argo_cd_shows_what_the_conditions_say(kind: str, status: dict[str, Any], health: str) -> None:
    assert health_of(kind, status)[0] == health


def test_what_failed_is_told() -> None:
    assert health_of("MapReducePipeline", pipeline(PipelinePhase.FAILED)) == ("Degraded", "why")


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("MapReduceJob", job(Phase.COMPLETE)),
        ("MapReduceJob", job(Phase.FAILED)),
        ("MapReducePipeline", pipeline(PipelinePhase.FAILED)),
        ("MapReduceSchedule", schedule()),
    ],
)
def test_after_a_commit_the_health_of_the_run_before_is_not_shown(kind: str, status: dict[str, Any]) -> None:
    """A retry by a commit must not look complete, or failed, before it has begun."""
    assert health_of(kind, status, GENERATION + 1)[0] == "Progressing"


def test_the_three_kinds_have_a_script() -> None:
    assert set(scripts()) == {names.kind for names in (JOBS, PIPELINES, SCHEDULES)}
