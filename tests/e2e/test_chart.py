"""The chart as helm renders it and a real API server takes it: its MinIO, its rights, each way to set it up."""

from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.images import Images
from tests.cluster.paths import CHECKOUT

pytestmark = pytest.mark.e2e

CHART = CHECKOUT / "charts" / "podreduce"
STORAGE = ["storage.endpoint=http://s3:9000", "storage.accessKey=a", "storage.secretKey=b", "storage.workUri=s3://w/"]
MINIO = ["minio.enabled=true", "minio.secretKey=my-own-secret"]

WAYS: dict[str, list[str]] = {
    "plain": [],
    "storage in three namespaces": [*STORAGE, "storage.namespaces={default,kube-public}", "storage.caCert=PEM"],
    "an existing secret": ["storage.existingSecret=mine"],
    "some namespaces": ["namespaces={default,kube-public}", "installationId=here"],
    "a MinIO that keeps its data": [*MINIO, "minio.persistence.enabled=true"],
    "a MinIO whose key is in a Secret": ["minio.enabled=true", "minio.existingSecret=mine"],
    "two operators": ["replicas=2"],
    "two operators, kept apart": [
        "replicas=2",
        "topologySpreadConstraints[0].maxSkew=1",
        "topologySpreadConstraints[0].topologyKey=topology.kubernetes.io/zone",
        "topologySpreadConstraints[0].whenUnsatisfiable=DoNotSchedule",
    ],
    "on OpenShift": ["openshift=true", *MINIO],
    "with a template for tasks": ["tasks.podTemplate.spec.nodeSelector.pool=batch", "tasks.scratchSize=1Gi"],
    "another server": [*MINIO, "minio.args={serve}", "minio.extraEnv[0].name=A"],
    "decorated": [
        "podLabels.a=b",
        "podAnnotations.c=d",
        "nodeSelector.e=f",
        "priorityClassName=high",
        "fullnameOverride=mr",
    ],
}


@pytest.fixture(scope="module")
def namespace(cluster: Cluster, images: Images) -> Iterator[str]:
    """A namespace with a release that serves nothing but itself, and brings its own MinIO."""
    name = cluster.namespace("chart")
    cluster.helm(
        *("install", "podreduce", CHART, "--namespace", name, "--wait", "--timeout", "120s"),
        *settings(
            f"image.repository={images.operator.rpartition(':')[0]}",
            f"image.tag={images.operator.rpartition(':')[2]}",
            f"runtimeImage={images.runtime}",
            f"namespaces={{{name}}}",
            "minio.enabled=true",
            f"minio.image={images.minio}",
        ),
    )
    yield name
    cluster.helm("uninstall", "podreduce", "--namespace", name, check=False)


def settings(*values: str) -> list[str]:
    return [part for value in values for part in ("--set", value)]


@pytest.mark.parametrize("values", WAYS.values(), ids=WAYS.keys())
def test_each_way_to_set_it_up_is_taken_by_the_api_server(cluster: Cluster, values: list[str]) -> None:
    cluster.helm("lint", CHART, "--strict", *settings(*values))
    rendered = cluster.helm("template", "podreduce", CHART, "--namespace", "default", *settings(*values)).stdout
    objects = [one for one in yaml.safe_load_all(rendered) if one and "helm.sh/hook" not in str(one)]
    text = yaml.safe_dump_all(objects)
    cluster.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)


@pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1)], ids=["one", "two"])
def test_only_several_operators_have_a_disruption_budget(cluster: Cluster, replicas: int, budgets: int) -> None:
    rendered = cluster.helm("template", "podreduce", CHART, *settings(f"replicas={replicas}")).stdout
    kinds = [one["kind"] for one in yaml.safe_load_all(rendered) if one]
    assert kinds.count("PodDisruptionBudget") == budgets


def test_storage_without_credentials_is_refused_by_name(cluster: Cluster) -> None:
    refused = cluster.helm("template", CHART, *settings("storage.endpoint=http://s3:9000"), check=False)
    assert refused.returncode != 0
    assert "storage.accessKey is needed" in refused.stderr


def test_the_operator_is_ready_and_its_minio_has_its_buckets(cluster: Cluster, namespace: str) -> None:
    deployments = {one["metadata"]["name"]: one["status"] for one in cluster.list("deployments", namespace)}
    assert {name: status.get("readyReplicas") for name, status in deployments.items()} == {
        "podreduce": 1,
        "podreduce-minio": 1,
    }
    secret = cluster.get("secret", "podreduce-storage", namespace)
    assert secret is not None
    assert set(secret["data"]) == {"endpoint", "region", "accessKey", "secretKey", "workUri"}
    assert cluster.list("jobs", namespace) == [], "the hook that made the buckets succeeded and went"


def test_a_first_install_makes_minios_password_also_in_a_namespace_to_come(cluster: Cluster) -> None:
    """Helm makes the namespace after it has rendered the chart."""
    place = ("--namespace", "not-there-yet", "--create-namespace", "--dry-run=server")
    said = cluster.helm("install", "podreduce", CHART, *place, *settings("minio.enabled=true")).stdout
    objects = yaml.safe_load_all(said.partition("\nMANIFEST:\n")[2].partition("\nNOTES:\n")[0])
    secrets = {one["metadata"]["name"]: one["stringData"] for one in objects if one and one["kind"] == "Secret"}
    password = secrets["podreduce-minio"]["MINIO_ROOT_PASSWORD"]
    assert len(password) == 32
    assert secrets["podreduce-storage"]["secretKey"] == password


def test_an_upgrade_keeps_the_password_that_the_install_has_made(cluster: Cluster, namespace: str) -> None:
    before = cluster.get("secret", "podreduce-minio", namespace)
    place = ("--namespace", namespace, "--reset-then-reuse-values", "--wait", "--timeout=120s")
    cluster.helm("upgrade", "podreduce", CHART, *place, *settings("podLabels.upgraded=yes"))
    after = cluster.get("secret", "podreduce-minio", namespace)
    assert before is not None
    assert after is not None
    assert after["data"] == before["data"]
    storage = cluster.get("secret", "podreduce-storage", namespace)
    assert storage is not None
    assert storage["data"]["secretKey"] == after["data"]["MINIO_ROOT_PASSWORD"]


RIGHTS = {
    "read a Secret by name": (["get", "secrets"], True),
    "list Secrets": (["list", "secrets"], False),
    "create pods": (["create", "pods"], True),
    "exec into pods": (["create", "pods", "--subresource=exec"], False),
    "write a status": (["update", "mapreducejobs.podreduce.dev", "--subresource=status"], True),
    "change a step's job": (["patch", "mapreducejobs.podreduce.dev"], True),
    "replace a job": (["update", "mapreducejobs.podreduce.dev"], False),
    "delete a job": (["delete", "mapreducejobs.podreduce.dev"], True),
    "make a schedule's job": (["create", "mapreducejobs.podreduce.dev"], True),
    "write a schedule's status": (["update", "mapreduceschedules.podreduce.dev", "--subresource=status"], True),
    "write a pipeline's status": (["update", "mapreducepipelines.podreduce.dev", "--subresource=status"], True),
    "change a pipeline": (["patch", "mapreducepipelines.podreduce.dev"], False),
    "delete a pipeline": (["delete", "mapreducepipelines.podreduce.dev"], True),
    "change a schedule": (["patch", "mapreduceschedules.podreduce.dev"], False),
    "delete a schedule": (["delete", "mapreduceschedules.podreduce.dev"], False),
    "create a lease": (["create", "leases.coordination.k8s.io"], True),
    "renew its lease": (["patch", "leases.coordination.k8s.io/podreduce"], True),
    "read its Deployment": (["get", "deployments.apps/podreduce"], True),
    "read another Deployment": (["get", "deployments.apps/another"], False),
    "change its Deployment": (["patch", "deployments.apps/podreduce"], False),
    "renew another lease": (["patch", "leases.coordination.k8s.io/another"], False),
}


@pytest.mark.parametrize(("question", "answer"), RIGHTS.values(), ids=RIGHTS.keys())
def test_the_operator_may_do_what_it_must_and_no_more(
    cluster: Cluster, namespace: str, question: list[str], answer: bool
) -> None:
    account = f"--as=system:serviceaccount:{namespace}:podreduce"
    for place, expected in ((namespace, answer), ("default", False)):
        said = cluster.kubectl("auth", "can-i", *question, account, "--namespace", place, check=False).stdout.strip()
        assert said == ("yes" if expected else "no"), (question, place)


def test_an_uninstalled_release_leaves_no_lease(cluster: Cluster, images: Images) -> None:
    name = cluster.namespace("chart-gone")
    repository, _, tag = images.operator.rpartition(":")
    values = settings(
        f"image.repository={repository}",
        f"image.tag={tag}",
        f"runtimeImage={images.runtime}",
        f"namespaces={{{name}}}",
    )
    cluster.helm("install", "gone", CHART, "--namespace", name, *values, "--wait", "--timeout", "120s")
    lease = cluster.get("lease", "gone-podreduce", name)
    assert lease is not None
    assert lease["spec"]["holderIdentity"]
    (owner,) = lease["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Deployment", "gone-podreduce")
    cluster.helm("uninstall", "gone", "--namespace", name, "--wait", "--timeout", "60s")
    cluster.wait_for(lambda: not cluster.list("pods", name), "the operator's end", 60)
    cluster.wait_for(lambda: cluster.get("lease", "gone-podreduce", name) is None, "the lease's end", 60)


@pytest.mark.parametrize("kind", ["mapreducejobs", "mapreducepipelines", "mapreduceschedules"])
def test_who_may_edit_a_namespace_may_run_jobs_in_it(cluster: Cluster, namespace: str, kind: str) -> None:
    binding = ("rolebinding", f"ann-{kind}")
    cluster.kubectl("create", *binding, "--clusterrole=edit", "--user=ann", "--namespace", namespace)

    def allowed() -> bool:
        question = ("auth", "can-i", "create", f"{kind}.podreduce.dev", "--as=ann", "--namespace", namespace)
        return cluster.kubectl(*question, check=False).stdout.strip() == "yes"

    assert cluster.wait_for(allowed, "the aggregated role")
