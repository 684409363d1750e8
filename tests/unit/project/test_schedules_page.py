"""What docs/schedules.md shows and names is what the code takes and says."""

import re
from pathlib import Path

import yaml

from podreduce_operator.api.crd import PIPELINES, SCHEDULES, load_crd, schema_of
from podreduce_operator.api.job_files import load_documents
from podreduce_operator.api.validation import validate_job
from podreduce_operator.cli.schedule_file import parse_schedule_file
from podreduce_operator.policy.schedule_status import ALL_WELL
from podreduce_operator.schedules.cron import MACROS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "schedules.md").read_text(encoding="utf-8")
OPERATOR = ROOT / "operator" / "podreduce_operator"
SOURCES = (
    "policy/decide_schedule",
    "loop/schedule_loop",
    "cluster/kubernetes/owned_resources",
    "cluster/kubernetes/schedules",
    "cluster/kubernetes/refusals",
)


def read_section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def find_reasons() -> set[str]:
    """The reasons that the code gives: in verdicts, and in errors that become faults."""
    texts = [(OPERATOR / f"{source}.py").read_text(encoding="utf-8") for source in SOURCES]
    found = {reason for text in texts for reason in re.findall(r'(?:reason=|ActionError\()"([A-Z]\w+)"', text)}
    return {*found, ALL_WELL}


def test_every_reason_is_explained_and_no_other() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", read_section("Reasons and events"), re.MULTILINE))
    assert find_reasons() == explained


def test_every_condition_is_explained() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", read_section("What the status says"), re.MULTILINE))
    described = schema_of(SCHEDULES)["properties"]["status"]["properties"]["conditions"]["description"]
    assert explained == set(re.findall(r"[A-Z]\w+", described))


def test_the_schedules_that_are_shown_are_valid_and_name_times() -> None:
    shown = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "kind:" in text]
    assert ["pipelineTemplate:" in text for text in shown] == [False, True]
    example = (ROOT / "examples" / "nightly" / "schedule.yaml").read_text(encoding="utf-8")
    for text in (*shown, example):
        schedule = parse_schedule_file(text, "page")
        (at,) = schedule.next_times(0.0, 1)
        validate_job(schedule.make_manifest(at))
        assert load_documents(text, "page")[0]["spec"]["schedule"] == schedule.view.spec.schedule


def test_the_columns_and_short_forms_are_those_of_the_code() -> None:
    columns = load_crd(SCHEDULES)["spec"]["versions"][0]["additionalPrinterColumns"]
    shown = re.findall(r"^    NAME +(.+)$", PAGE, re.MULTILINE)
    assert [line.split() for line in shown] == [
        [column["name"].upper() for column in columns if not column.get("priority")]
    ]
    told = set(re.findall(r"`(@\w+)`", PAGE)) - {"@every"}
    assert told == set(MACROS) - {"@annually", "@midnight"}


def test_the_chart_gives_rights_for_the_kind() -> None:
    rules = yaml.safe_load(
        (ROOT / "charts/podreduce/templates/rbac.yaml").read_text().partition("}}")[2].partition("{{- end -}}")[0]
    )
    of_schedules = {
        (resource, verb)
        for rule in rules
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if resource.startswith(SCHEDULES.plural)
    }
    assert of_schedules == {
        *((SCHEDULES.plural, verb) for verb in ("get", "list", "watch")),
        (f"{SCHEDULES.plural}/status", "update"),
    }


def test_the_chart_lets_the_operator_make_and_delete_pipelines_and_change_none() -> None:
    rules = yaml.safe_load(
        (ROOT / "charts/podreduce/templates/rbac.yaml").read_text().partition("}}")[2].partition("{{- end -}}")[0]
    )
    verbs = {verb for rule in rules if PIPELINES.plural in rule["resources"] for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch", "create", "delete"}
