"""The chart without helm: its copies, its values and their schema, its settings. Rendered in e2e/test_chart.py."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from podreduce_operator.leadership.lease_settings import LeaseSettings
from podreduce_operator.process.settings import PREFIX, Settings

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "podreduce"
DEPLOYMENT = (CHART / "templates" / "deployment.yaml").read_text()
SET_BY_TESTS_ONLY = {"FAULTS", "FAULTS_STATE"}
SET = {
    "RUNTIME_IMAGE": '{{ include "podreduce.runtimeImage" . | quote }}',
    "IMAGE_PULL_POLICY": "{{ .Values.tasks.imagePullPolicy | quote }}",
    "TASK_RESOURCES": "{{ .Values.tasks.resources | toJson | quote }}",
    "TASK_USER": '{{ ternary "none" "65532" (.Values.openshift | default false) | quote }}',
    "TASK_POD_TEMPLATE": "{{ .Values.tasks.podTemplate | default dict | toJson | quote }}",
    "TASK_GRACE_SECONDS": "{{ .Values.tasks.graceSeconds | quote }}",
    "NODE_LOST_SECONDS": "{{ .Values.tasks.nodeLostSeconds | quote }}",
    "PENDING_ABSENT_SECONDS": "{{ .Values.pending.absentSeconds | quote }}",
    "PENDING_IMAGE_SECONDS": "{{ .Values.pending.imageSeconds | quote }}",
    "PENDING_NODE_SECONDS": "{{ .Values.pending.unschedulableSeconds | quote }}",
    "SCRATCH_SIZE": "{{ .Values.tasks.scratchSize | quote }}",
    "PARALLELISM_LIMIT": "{{ .Values.parallelismLimit | quote }}",
    "PODS_PER_SECOND": "{{ .Values.podsPerSecond | quote }}",
    "CHAOS": "{{ .Values.chaos.enabled | quote }}",
    "NAMESPACES": '{{ join "," .Values.namespaces | quote }}',
    "STORAGE_ENDPOINTS": '{{ join "," .Values.storageEndpoints | quote }}',
    "RELEASE": '{{ printf "%s.%s" .Release.Namespace .Release.Name | quote }}',
    "INSTALLATION": "{{ .Values.installationId | quote }}",
    "LOG_FORMAT": "{{ .Values.log.format | quote }}",
    "LOG_LEVEL": "{{ .Values.log.level | quote }}",
    "HEALTH_PORT": '"8080"',
    "PROGRESS_PORT": '"8081"',
    "PROGRESS_URL": '{{ include "podreduce.progressUrl" . | quote }}',
    "LEASE": '{{ include "podreduce.fullname" . | quote }}',
    "LEASE_NAMESPACE": "{{ .Release.Namespace | quote }}",
    "DEPLOYMENT": '{{ include "podreduce.fullname" . | quote }}',
    "LEASE_SECONDS": "{{ .leaseSeconds | quote }}",
    "LEASE_RENEW_SECONDS": "{{ .renewSeconds | quote }}",
    "LEASE_RETRY_SECONDS": "{{ .retrySeconds | quote }}",
    "STORAGE_DIRECTORY": "/etc/podreduce/storage",
}
"""Each variable, and what the template writes for it; that of the pod's name comes from the pod."""

KINDS = {
    "buckets-job": ["Job"],
    "deployment": ["Deployment"],
    "metrics": ["Service", "ServiceMonitor"],
    "minio": ["Deployment", "PersistentVolumeClaim", "Secret", "Service"],
    "poddisruptionbudget": ["PodDisruptionBudget"],
    "progress-service": ["Service"],
    "rbac": ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
    "serviceaccount": ["ServiceAccount"],
    "storage-secret": ["Secret"],
}


class AskedEnviron(dict[str, str]):
    """An environment that remembers which variables it was asked for."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(variables)
        self.asked: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


def load_values() -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return values


def load_schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return schema


def test_the_charts_crds_are_those_in_crds() -> None:
    copies, sources = ({path.name: path.read_bytes() for path in (each / "crds").iterdir()} for each in (CHART, ROOT))
    assert sources
    assert copies == sources, "a CRD was changed in crds/ alone: run `make docs`"


def test_the_chart_has_the_packages_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert chart["version"] == chart["appVersion"] == project["version"]


def test_the_values_fit_their_schema() -> None:
    schema = load_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(load_values(), schema)


def test_the_schema_knows_exactly_the_values_there_are() -> None:
    schema = load_schema()
    assert set(schema["properties"]) - {"global"} == set(load_values())
    for name, value in load_values().items():
        properties = schema["properties"][name].get("properties")
        if properties is not None:
            assert set(properties) == set(value), name


@pytest.mark.parametrize(
    "values",
    [
        {"namespace": ["a"]},
        {"storage": {"workUri": "work/"}},
        {"storage": {"endpoint": "minio:9000"}},
        {"tasks": {"scratchSize": "much"}},
        {"minio": {"buckets": []}},
        {"minio": {"buckets": ["Upper"]}},
        {"parallelismLimit": 0},
        {"replicas": 0},
        {"leaderElection": {"retrySeconds": 0.5}},
        {"leaderElection": {"enabled": False}},
    ],
    ids=[
        "misspelt",
        "work-uri",
        "endpoint",
        "quantity",
        "no-bucket",
        "bucket-name",
        "parallelism",
        "no-operator",
        "fraction",
        "no-election",
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, load_schema())


def test_the_deployment_sets_exactly_the_variables_that_the_operator_reads() -> None:
    environ = AskedEnviron(
        {f"{PREFIX}RUNTIME_IMAGE": "runtime:1", f"{PREFIX}LEASE": "x", f"{PREFIX}LEASE_NAMESPACE": "x"}
    )
    Settings.from_environ(environ)
    read = {name.removeprefix(PREFIX) for name in environ.asked}
    assert set(SET) | {"POD"} == read - SET_BY_TESTS_ONLY


def test_the_deployment_sets_each_variable_to_the_value_that_is_meant() -> None:
    told = re.findall(rf"\{{name: {PREFIX}([A-Z_]+), value: (.*)\}}$", DEPLOYMENT, re.MULTILINE)
    assert dict(told) == SET
    assert len(told) == len(SET)
    assert f"- name: {PREFIX}POD\n              valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}\n" in DEPLOYMENT


def test_the_chart_has_an_object_of_each_kind_that_the_docs_promise() -> None:
    kinds = {
        path.stem: sorted(set(re.findall(r"^kind: (\w+)$", path.read_text(), re.MULTILINE)))
        for path in sorted((CHART / "templates").glob("*.yaml"))
    }
    assert kinds == KINDS


def test_more_than_one_operator_have_a_disruption_budget_of_one_at_a_time() -> None:
    budget = (CHART / "templates" / "poddisruptionbudget.yaml").read_text()
    assert budget.startswith("{{- if gt (int .Values.replicas) 1 }}\n")
    assert "\n  maxUnavailable: 1\n" in budget
    assert "app.kubernetes.io/component: operator" in budget.partition("matchLabels")[2]


def test_the_charts_task_resources_are_the_operators_own_defaults() -> None:
    defaults = Settings.from_environ({f"{PREFIX}RUNTIME_IMAGE": "runtime:1"}).cluster.pod_defaults
    tasks = load_values()["tasks"]
    assert (tasks["resources"], tasks["graceSeconds"]) == (defaults.resources, defaults.grace_seconds)


def test_the_charts_lease_is_the_operators_own_default() -> None:
    election = load_values()["leaderElection"]
    defaults = LeaseSettings(name="", namespace="")
    assert election == {
        "leaseSeconds": defaults.duration_seconds,
        "renewSeconds": defaults.renew_seconds,
        "retrySeconds": defaults.retry_seconds,
    }


def test_the_lease_is_the_deployments_which_the_operator_may_read() -> None:
    (name,) = re.findall(r"^  name: (.*)$", DEPLOYMENT, re.MULTILINE)
    (named,) = re.findall(rf"{PREFIX}DEPLOYMENT, value: (.*?) \| quote", DEPLOYMENT)
    assert f"{named} }}}}" == name
    role = (CHART / "templates" / "rbac.yaml").read_text().partition("-lease\n")[2].partition("---")[0]
    granted = f"resources: [deployments]\n    resourceNames: [{name}]\n    verbs: [get]\n"
    assert granted in role


def test_every_value_is_explained() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    top = [number for number, line in enumerate(lines) if re.match(r"[a-zA-Z]+:", line)]
    alone = [lines[number] for number in top if number and not lines[number - 1].strip()]
    assert not alone, "values without a comment above them"
