from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from podreduce_operator.api.schedule_spec import ScheduledParameter, Template, TemplateMetadata
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.schedules.job_of_schedule import (
    STEPS_LABEL,
    TemplateError,
    build_scheduled,
    read_scheduled_at,
)
from tests.support.builders.observed_schedules import make_spec, make_view
from tests.support.builders.pipelines import PAGERANK
from tests.support.manifest_cases import ManifestCase
from tests.support.pipeline_cases import PIPELINE_CASES

GRAPH_CASES = [case for case in PIPELINE_CASES if case.refused_at == "spec" and case.id != "no-program"]
NIGHT = datetime(2026, 5, 1, 0, 30, tzinfo=UTC).timestamp()


def make_schedule(output: str = "s3://reports/", **fields: Any) -> ScheduleView:
    spec = make_spec(
        time_zone="Europe/Berlin",
        parameters=(ScheduledParameter(name="day", format="%Y-%m-%d", offset="-1d"),),
        job_template=Template(
            metadata=TemplateMetadata(labels={"team": "shop"}, annotations={"note": "nightly"}),
            spec={"output": {"uri": output}},
        ),
    )
    return make_view(msgspec.structs.replace(spec, **fields), key=JobKey(namespace="shop", name="nightly"), uid="u-1")


def test_the_job_has_the_time_in_its_name_and_belongs_to_the_schedule() -> None:
    job = build_scheduled(make_schedule("s3://reports/day=$(parameters.day)/"), NIGHT)
    assert job == {
        "apiVersion": "podreduce.dev/v1beta1",
        "kind": "MapReduceJob",
        "metadata": {
            "name": f"nightly-{int(NIGHT) // 60}",
            "namespace": "shop",
            "labels": {"team": "shop", "podreduce.dev/schedule": "nightly"},
            "annotations": {"note": "nightly", "podreduce.dev/scheduled-at": "2026-05-01T00:30:00Z"},
            "ownerReferences": [
                {
                    "apiVersion": "podreduce.dev/v1beta1",
                    "kind": "MapReduceSchedule",
                    "name": "nightly",
                    "uid": "u-1",
                    "controller": True,
                }
            ],
        },
        "spec": {"output": {"uri": "s3://reports/day=2026-04-30/"}},
    }
    assert read_scheduled_at(job["metadata"]["name"]) == NIGHT


def make_pipeline_schedule(pipeline: dict[str, Any]) -> ScheduleView:
    return make_schedule(job_template=None, pipeline_template=Template(spec=pipeline))


def test_a_pipeline_gets_the_parameters_as_its_own_and_those_of_the_time_win() -> None:
    made = build_scheduled(make_pipeline_schedule({**PAGERANK, "parameters": {"day": "always", "top": "10"}}), NIGHT)
    assert (made["kind"], made["spec"]["parameters"]) == ("MapReducePipeline", {"day": "2026-04-30", "top": "10"})
    assert made["metadata"] == {
        **build_scheduled(make_schedule(), NIGHT)["metadata"],
        "labels": {"podreduce.dev/schedule": "nightly", "podreduce.dev/steps-of": "u-1"},
        "annotations": {"podreduce.dev/scheduled-at": "2026-05-01T00:30:00Z"},
    }
    rest = {name: value for name, value in made["spec"].items() if name != "parameters"}
    assert rest == {name: value for name, value in PAGERANK.items() if name != "parameters"}


@pytest.mark.parametrize("policy", ["Replace", "Allow"])
def test_pipelines_that_may_run_beside_each_other_share_no_steps(policy: str) -> None:
    schedule = make_schedule(job_template=None, pipeline_template=Template(spec=PAGERANK), concurrency_policy=policy)
    assert STEPS_LABEL not in build_scheduled(schedule, NIGHT)["metadata"]["labels"]


def test_a_pipeline_from_a_file_shares_no_steps() -> None:
    schedule = replace(make_pipeline_schedule(PAGERANK), uid="")
    assert STEPS_LABEL not in build_scheduled(schedule, NIGHT)["metadata"]["labels"]


@pytest.mark.parametrize("case", GRAPH_CASES, ids=lambda case: case.id)
def test_a_pipeline_that_would_fail_at_once_is_not_made(case: ManifestCase) -> None:
    with pytest.raises(TemplateError) as refused:
        build_scheduled(make_pipeline_schedule(case.manifest()["spec"]), NIGHT)
    assert all(problem.path.startswith("spec.pipelineTemplate.spec") for problem in refused.value.problems)


def test_a_template_with_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(TemplateError, match=r"spec\.jobTemplate\.spec\.output\.uri: there is no parameter 'hour'"):
        build_scheduled(make_schedule("s3://reports/$(parameters.hour)/"), NIGHT)


@pytest.mark.parametrize("name", ["nightly", "nightly-", "nightly-x1", "12345", "nightly-12345678901"])
def test_another_name_has_no_scheduled_time(name: str) -> None:
    assert read_scheduled_at(name) is None
