"""One table for whoever applies the CRD of schedules, as `crd_cases` is for jobs; a part of that one is in it."""

from typing import Any

from tests.support.builders.pipelines import PAGERANK
from tests.support.crd_cases import CRD_CASES, DEFAULTED_SPEC, VALID_SPEC
from tests.support.manifest_cases import ABSENT, CrdUnderTest, ManifestCase
from tests.support.pipeline_cases import PIPELINE_CASES

NESTED = [case for case in (CRD_CASES[0], *CRD_CASES[5::9]) if "runPolicy" not in case.changes]
"""Cases of jobs that are tried in a template, too. Its schema is a copy, which another test holds equal."""
NESTED_PIPELINES = PIPELINE_CASES[::7]
"""Cases of pipelines, likewise."""
PIPELINE = {"spec": PAGERANK}

DEFAULTED_SCHEDULE: dict[str, Any] = {
    "schedule": "30 2 * * *",
    "timeZone": "Etc/UTC",
    "suspend": False,
    "concurrencyPolicy": "Forbid",
    "successfulJobsHistoryLimit": 3,
    "failedJobsHistoryLimit": 1,
    "jobTemplate": {"spec": DEFAULTED_SPEC},
}
"""What becomes of a schedule with the least there can be."""

SCHEDULE_CRD = CrdUnderTest(
    kind="MapReduceSchedule", spec={"schedule": "30 2 * * *", "jobTemplate": {"spec": VALID_SPEC}}
)
taken, refused = SCHEDULE_CRD.taken, SCHEDULE_CRD.refused


def parameter(**fields: Any) -> dict[str, Any]:
    return {"name": "day", "format": "%Y-%m-%d", **fields}


def nest(case: ManifestCase) -> ManifestCase:
    """A case of a job as the template of a schedule."""
    at = case.refused_at
    return SCHEDULE_CRD.case(
        f"template-{case.id}",
        changes={f"jobTemplate.spec.{path}": value for path, value in case.changes.items()},
        refused_at=None if at is None else at.replace("spec", "spec.jobTemplate.spec", 1),
        only_on_cluster=case.only_on_cluster,
        is_unknown_field=case.is_unknown_field,
    )


def nest_pipeline(case: ManifestCase) -> ManifestCase:
    """A case of a pipeline as the template of a schedule."""
    at = case.refused_at
    return SCHEDULE_CRD.case(
        f"template-pipeline-{case.id}",
        changes={"jobTemplate": ABSENT, "pipelineTemplate": {"spec": case.manifest()["spec"]}},
        refused_at=None if at is None else at.replace("spec", "spec.pipelineTemplate.spec", 1),
        only_on_cluster=case.only_on_cluster,
    )


TAKEN = [
    taken("the-least-there-can-be"),
    taken("macro", schedule="@weekly"),
    taken("names", schedule="0 9-17/2 1,15 JAN-JUN MON-FRI"),
    taken("zone", timeZone="America/Argentina/Buenos_Aires"),
    taken("suspended", suspend=True),
    taken("deadline", startingDeadlineSeconds=10),
    taken("replace", concurrencyPolicy="Replace"),
    taken("allow", concurrencyPolicy="Allow"),
    taken("limits", successfulJobsHistoryLimit=100, failedJobsHistoryLimit=1),
    taken("parameters", parameters=[parameter(offset="-1d"), parameter(name="hour", format="%H", offset="90m")]),
    taken(
        "placeholders",
        parameters=[parameter()],
        jobTemplate__spec__input__uris=["s3://logs/day=$(parameters.day)/"],
        jobTemplate__spec__output__uri="s3://reports/day=$(parameters.day)/",
    ),
    taken("metadata", jobTemplate__metadata={"labels": {"team": "shop"}, "annotations": {"note": "x" * 4096}}),
    SCHEDULE_CRD.case("name-of-52-characters", name="a" * 52),
    taken("pipeline", jobTemplate=ABSENT, pipelineTemplate=PIPELINE),
    taken(
        "metadata-of-a-pipeline",
        jobTemplate=ABSENT,
        pipelineTemplate={**PIPELINE, "metadata": {"labels": {"kueue.x-k8s.io/queue-name": "nights"}}},
    ),
]

REFUSED = [
    SCHEDULE_CRD.case("name-of-53-characters", name="a" * 53, refused_at=""),
    refused("schedule", "no-schedule", {"schedule": ABSENT}),
    refused("schedule", "empty-schedule", {"schedule": ""}),
    refused("schedule", "a-list-as-schedule", {"schedule": ["30 2 * * *"]}),
    refused("schedule", "long-schedule", {"schedule": "1," * 101}),
    refused("timeZone", "local-time", {"timeZone": "Local"}),
    refused(
        "",
        "jobs-that-run-again",
        {"jobTemplate.spec.runPolicy": "OnChange", "jobTemplate.spec.output.ifExists": "Replace"},
    ),
    refused("timeZone", "empty-zone", {"timeZone": ""}),
    refused("suspend", "suspended-in-words", {"suspend": "yes"}),
    refused("concurrencyPolicy", "unknown-policy", {"concurrencyPolicy": "Queue"}),
    refused("startingDeadlineSeconds", "short-deadline", {"startingDeadlineSeconds": 9}),
    refused("successfulJobsHistoryLimit", "no-history", {"successfulJobsHistoryLimit": 0}),
    refused("failedJobsHistoryLimit", "long-history", {"failedJobsHistoryLimit": 101}),
    refused("parameters[0].name", "parameter-without-name", {"parameters": [{"format": "%Y"}]}),
    refused("parameters[0].format", "parameter-without-format", {"parameters": [{"name": "day"}]}),
    refused("parameters[0].name", "parameter-misnamed", {"parameters": [parameter(name="a day")]}),
    refused("parameters[0].offset", "offset-without-unit", {"parameters": [parameter(offset="1")]}),
    refused("parameters[0].offset", "offset-of-a-week", {"parameters": [parameter(offset="1w")]}),
    refused("parameters[1]", "parameter-twice", {"parameters": [parameter(), parameter(format="%d")]}),
    refused("", "no-template", {"jobTemplate": ABSENT}),
    refused("", "two-templates", {"pipelineTemplate": PIPELINE}),
    refused("pipelineTemplate.spec", "no-pipeline", {"jobTemplate": ABSENT, "pipelineTemplate": {}}),
    refused("jobTemplate.spec", "no-spec", {"jobTemplate": {}}),
    refused("jobTemplate.metadata.labels.team", "long-label", {"jobTemplate.metadata": {"labels": {"team": "x" * 64}}}),
]

UNKNOWN = [
    SCHEDULE_CRD.unknown(path, f"unknown-{path}")
    for path in ("startingDeadline", "jobTemplate.metadata.name", "jobTemplate.kind")
]
UNKNOWN.append(
    SCHEDULE_CRD.case(
        "unknown-in-a-pipeline",
        changes={"jobTemplate": ABSENT, "pipelineTemplate": {"spec": {**PAGERANK, "mode": 1}}},
        refused_at="spec.pipelineTemplate.spec.mode",
        is_unknown_field=True,
    )
)

SCHEDULE_CASES = [*TAKEN, *REFUSED, *UNKNOWN, *map(nest, NESTED), *map(nest_pipeline, NESTED_PIPELINES)]
