"""The chart as helm renders it, without a cluster: security, places of pods, MinIO's key, earlier values."""

import shutil
import subprocess
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

from podreduce_operator.process.settings import Settings

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "podreduce"
RELEASES = sorted((ROOT / "tests" / "e2e" / "releases").iterdir())
MINIO = {"minio": {"enabled": True, "secretKey": "my-own-secret"}}
STORAGE = {"endpoint": "http://s3:9000", "accessKey": "a", "secretKey": "b", "workUri": "s3://w/"}
EVERYTHING: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a store": {"storage": STORAGE},
    "MinIO": MINIO,
    "namespaces": {"namespaces": ["a", "b"], "replicas": 2},
}

Objects = dict[tuple[str, str], dict[str, Any]]


def run_helm(helm: Path, directory: Path, values: dict[str, Any], *arguments: str | Path) -> CompletedProcess[str]:
    """Run helm with values."""
    file = directory / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    command = [helm, *arguments, "--namespace", "system", "--values", file]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def render(helm: Path, directory: Path, values: dict[str, Any], chart: Path = CHART) -> Objects:
    """Return the rendered objects by kind and name."""
    ran = run_helm(helm, directory, values, "template", "podreduce", chart)
    assert ran.returncode == 0, ran.stderr
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(ran.stdout) if one}


def pods_of(objects: Objects) -> dict[str, dict[str, Any]]:
    """Return the specs of the pods by the name of what makes them."""
    return {
        name: one["spec"]["template"]["spec"] for (kind, name), one in objects.items() if kind in {"Deployment", "Job"}
    }


def read_settings(objects: Objects) -> Settings:
    """Return the settings as the operator reads them from its Deployment."""
    (container,) = pods_of(objects)["podreduce"]["containers"]
    return Settings.from_environ({each["name"]: each.get("value", "") for each in container["env"]})


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.name)
@pytest.mark.parametrize("values", EVERYTHING.values(), ids=EVERYTHING.keys())
def test_all_values_of_an_earlier_release_are_enough(
    helm: Path, tmp_path: Path, release: Path, values: dict[str, Any]
) -> None:
    """`helm upgrade --reuse-values` renders the new chart with the old chart's defaults and none of its own."""
    chart = shutil.copytree(CHART, tmp_path / "podreduce")
    shutil.copy(release / "podreduce" / "values.yaml", chart / "values.yaml")
    assert set(render(helm, tmp_path, values, chart)) == set(render(helm, tmp_path, values))


def test_no_pod_names_a_user_where_the_cluster_assigns_it(helm: Path, tmp_path: Path) -> None:
    fixed = render(helm, tmp_path, MINIO)
    assigned = render(helm, tmp_path, {**MINIO, "openshift": True})
    assert set(pods_of(assigned)) == {"podreduce", "podreduce-minio", "podreduce-minio-buckets"}
    context = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    user = {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532}
    assert [pod["securityContext"] for pod in pods_of(assigned).values()] == [context] * 3
    assert [pod["securityContext"] for pod in pods_of(fixed).values()] == [context | user] * 3
    assert "65532" not in yaml.safe_dump_all(assigned.values())
    assert (read_settings(assigned).cluster.pod_defaults.user, read_settings(fixed).cluster.pod_defaults.user) == (
        None,
        65532,
    )


def test_security_contexts_are_merged_field_by_field(helm: Path, tmp_path: Path) -> None:
    values = {
        **MINIO,
        "podSecurityContext": {"runAsUser": 1000, "runAsNonRoot": False},
        "containerSecurityContext": {"readOnlyRootFilesystem": False},
    }
    for pod in pods_of(render(helm, tmp_path, values)).values():
        context = pod["securityContext"]
        assert (context["runAsUser"], context["fsGroup"], context["runAsNonRoot"]) == (1000, 65532, False)
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_all_pods_of_the_chart_keep_to_the_nodes_that_are_named(helm: Path, tmp_path: Path) -> None:
    placed = {"nodeSelector": {"pool": "system"}, "tolerations": [{"key": "system", "operator": "Exists"}]}
    pods = pods_of(render(helm, tmp_path, MINIO | placed))
    assert [{name: pod[name] for name in placed} for pod in pods.values()] == [placed] * 3
    assert not any(set(placed) & set(pod) for pod in pods_of(render(helm, tmp_path, MINIO)).values())


def test_the_template_of_all_task_pods_reaches_the_operator(helm: Path, tmp_path: Path) -> None:
    template = {
        "metadata": {"labels": {"team": "<data>"}},
        "spec": {"securityContext": {"runAsUser": None}, "imagePullSecrets": [{"name": "registry"}]},
    }
    objects = render(helm, tmp_path, {"tasks": {"podTemplate": template, "scratchSize": "7Gi"}})
    defaults = read_settings(objects).cluster.pod_defaults
    assert (defaults.pod_template, defaults.scratch_size) == (template, "7Gi")


def password_of(objects: Objects) -> str:
    """Return MinIO's password, which the jobs' Secret must have too."""
    password: str = objects["Secret", "podreduce-minio"]["stringData"]["MINIO_ROOT_PASSWORD"]
    assert objects["Secret", "podreduce-storage"]["stringData"]["secretKey"] == password
    return password


@pytest.mark.parametrize("values", EVERYTHING.values(), ids=EVERYTHING.keys())
def test_each_rendering_makes_the_same(helm: Path, tmp_path: Path, values: dict[str, Any]) -> None:
    """Argo CD renders the chart again and again, and applies every difference."""
    first, second = (render(helm, tmp_path, values) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    "command", [("template", "podreduce"), ("install", "podreduce", "--dry-run=client")], ids=["template", "dry-run"]
)
def test_minios_password_is_not_made_up_where_it_cannot_be_kept(
    helm: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ran = run_helm(helm, tmp_path, {"minio": {"enabled": True}}, *command, CHART)
    assert ran.returncode != 0
    assert "minio.secretKey or minio.existingSecret is needed here" in ran.stderr
    assert "is in the Secret podreduce-minio" in ran.stderr


def test_a_password_that_is_set_is_minios(helm: Path, tmp_path: Path) -> None:
    assert password_of(render(helm, tmp_path, MINIO)) == "my-own-secret"


def test_an_existing_secret_has_minios_key_and_the_jobs(helm: Path, tmp_path: Path) -> None:
    objects = render(helm, tmp_path, {"minio": {"enabled": True, "existingSecret": "mine"}})
    assert not [name for kind, name in objects if kind == "Secret"]
    pods = pods_of(objects)
    (minio,), (buckets,) = pods["podreduce-minio"]["containers"], pods["podreduce-minio-buckets"]["containers"]
    told = {each["name"]: each["valueFrom"] for each in [*minio["env"], *buckets["env"]] if "valueFrom" in each}
    keys = {name: value["secretKeyRef"]["key"] for name, value in told.items()}
    assert {value["secretKeyRef"]["name"] for value in told.values()} == {"mine"}
    assert (keys["MINIO_ROOT_USER"], keys["MINIO_ROOT_PASSWORD"]) == ("accessKey", "secretKey")
    assert {"endpoint", "region", "accessKey", "secretKey", "workUri"} == set(keys.values())
    assert {"name": "storage", "secret": {"secretName": "mine"}} in pods["podreduce"]["volumes"]
    assert "envFrom" not in minio


def test_another_server_takes_minios_place_by_values(helm: Path, tmp_path: Path) -> None:
    variable = {"name": "ADMIN_PASSWORD", "value": "$(MINIO_ROOT_PASSWORD)"}
    other = {**MINIO["minio"], "image": "other:1", "args": ["serve", "--listen", ":9000"], "extraEnv": [variable]}
    (container,) = pods_of(render(helm, tmp_path, {"minio": other}))["podreduce-minio"]["containers"]
    assert (container["image"], container["args"], container["env"][-1]) == (other["image"], other["args"], variable)
    assert container["readinessProbe"]["tcpSocket"] == container["livenessProbe"]["tcpSocket"] == {"port": "s3"}
    (minio,) = pods_of(render(helm, tmp_path, MINIO))["podreduce-minio"]["containers"]
    assert minio["args"] == ["server", "/data", "--address", ":9000", "--certs-dir", "/tmp/certs"]  # noqa: S108 - the pod's
    assert minio["readinessProbe"]["httpGet"] == {"path": "/minio/health/ready", "port": "s3"}
