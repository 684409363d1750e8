from datetime import UTC, datetime

import pytest

from podreduce_operator.api.schedule_spec import JobTemplate, ScheduledParameter, ScheduleSpec, TemplateMetadata
from podreduce_operator.api.substitution import SubstitutionError
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.schedules import ScheduleView
from podreduce_operator.schedules.job_of_schedule import build_job, read_scheduled_at

NIGHT = datetime(2026, 5, 1, 0, 30, tzinfo=UTC).timestamp()


def make_schedule(output: str) -> ScheduleView:
    spec = ScheduleSpec(
        schedule="30 2 * * *",
        time_zone="Europe/Berlin",
        suspend=False,
        concurrency_policy="Forbid",
        successful_jobs_history_limit=3,
        failed_jobs_history_limit=1,
        parameters=(ScheduledParameter(name="day", format="%Y-%m-%d", offset="-1d"),),
        job_template=JobTemplate(
            metadata=TemplateMetadata(labels={"team": "shop"}, annotations={"note": "nightly"}),
            spec={"output": {"uri": output}},
        ),
    )
    key = JobKey(namespace="shop", name="nightly")
    return ScheduleView(key=key, uid="u-1", generation=1, created_at=0.0, spec=spec, raw_spec={}, status={})


def test_the_job_has_the_time_in_its_name_and_belongs_to_the_schedule() -> None:
    job = build_job(make_schedule("s3://reports/day=$(parameters.day)/"), NIGHT)
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


def test_a_template_with_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(SubstitutionError, match=r"spec\.output\.uri: there is no parameter 'hour'"):
        build_job(make_schedule("s3://reports/$(parameters.hour)/"), NIGHT)


@pytest.mark.parametrize("name", ["nightly", "nightly-", "nightly-x1", "12345", "nightly-12345678901"])
def test_another_name_has_no_scheduled_time(name: str) -> None:
    assert read_scheduled_at(name) is None
