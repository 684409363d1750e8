from pathlib import Path

import pytest

from podreduce_operator.cluster.kubernetes.settings import ClusterSettings
from podreduce_operator.leadership.lease_settings import LeaseSettings
from podreduce_operator.process.settings import Settings, SettingsError

IMAGE = {"PODREDUCE_OPERATOR_RUNTIME_IMAGE": "runtime:1"}
EVERY = {
    "NAMESPACES": "a, b,,",
    "RELEASE": "podreduce-system.podreduce",
    "INSTALLATION": "mine",
    "PARALLELISM_LIMIT": "7",
    "PODS_PER_SECOND": "50",
    "CHAOS": "true",
    "STORAGE_DIRECTORY": "/etc/storage",
    "HEALTH_PORT": "9090",
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "debug",
    "LEASE": "podreduce",
    "LEASE_NAMESPACE": "podreduce-system",
    "LEASE_SECONDS": "30",
    "DEPLOYMENT": "podreduce",
    "LEASE_RENEW_SECONDS": "20",
    "LEASE_RETRY_SECONDS": "3",
    "POD": "podreduce-1",
    "FAULTS": "before:CreatePod,after:CreatePod",
    "FAULTS_STATE": "/var/faults",
    "IMAGE_PULL_POLICY": "Never",
    "TASK_RESOURCES": '{"limits": {"memory": "1Gi"}}',
    "SCRATCH_SIZE": "10Gi",
    "STORAGE_ENDPOINTS": "http://minio:9000, https://*.example.com",
    "TASK_GRACE_SECONDS": "3",
    "NODE_LOST_SECONDS": "9",
    "TASK_USER": "none",
    "TASK_POD_TEMPLATE": '{"spec": {"serviceAccountName": "tasks"}}',
    "PENDING_ABSENT_SECONDS": "1",
    "PENDING_IMAGE_SECONDS": "0",
    "PENDING_NODE_SECONDS": "2",
}


def read(**variables: str) -> Settings:
    return Settings.from_environ(IMAGE | {f"PODREDUCE_OPERATOR_{name}": value for name, value in variables.items()})


def test_only_the_runtime_image_is_required() -> None:
    settings = read()
    assert settings.cluster.pod_defaults.image == "runtime:1"
    assert settings.cluster.namespaces == ()
    assert settings.limits.parallelism == 1000
    assert settings.lease is None
    assert settings.faults == ()
    with pytest.raises(SettingsError, match="PODREDUCE_OPERATOR_RUNTIME_IMAGE is not set"):
        Settings.from_environ({})


def test_what_is_not_set_has_its_default() -> None:
    settings = read()
    assert (settings.cluster.pods_per_second, settings.health_port, settings.cluster.progress_port) == (
        1000,
        8080,
        8081,
    )
    assert (settings.log_format, settings.log_level, settings.cluster.release) == ("auto", "info", "podreduce")
    assert (settings.cluster.installation, settings.cluster.storage_directory, settings.cluster.progress_url) == (
        None,
        None,
        None,
    )
    assert settings.cluster.pod_defaults.user == 65532
    assert settings == Settings(
        cluster=ClusterSettings(pod_defaults=settings.cluster.pod_defaults), limits=settings.limits
    )


def test_an_empty_variable_counts_as_absent() -> None:
    settings = read(NAMESPACES="", PARALLELISM_LIMIT=" ", INSTALLATION="", TASK_RESOURCES="")
    assert settings == read()


def test_every_variable_of_the_process_is_read() -> None:
    settings = read(**EVERY)
    assert (settings.log_format, settings.log_level, settings.health_port) == ("json", "debug", 9090)
    assert settings.lease == LeaseSettings(
        name="podreduce",
        namespace="podreduce-system",
        pod="podreduce-1",
        deployment="podreduce",
        duration_seconds=30,
        renew_seconds=20,
        retry_seconds=3,
    )
    assert settings.faults == ("before:CreatePod", "after:CreatePod")
    assert settings.faults_state == Path("/var/faults")


def test_every_variable_of_the_cluster_is_read() -> None:
    cluster = read(**EVERY).cluster
    assert cluster.namespaces == ("a", "b")
    assert (cluster.release, cluster.installation) == ("podreduce-system.podreduce", "mine")
    assert cluster.pods_per_second == 50
    assert [each.host for each in cluster.storage_endpoints] == ["minio", "*.example.com"]
    assert cluster.storage_directory == Path("/etc/storage")


def test_every_variable_of_pods_and_limits_is_read() -> None:
    settings = read(**EVERY)
    defaults, limits = settings.cluster.pod_defaults, settings.limits
    assert (defaults.pull_policy, defaults.scratch_size, defaults.grace_seconds) == ("Never", "10Gi", 3)
    assert defaults.node_lost_seconds == 9
    assert defaults.user is None
    assert defaults.pod_template == {"spec": {"serviceAccountName": "tasks"}}
    assert defaults.resources == {"limits": {"memory": "1Gi"}}
    assert limits.parallelism == 7
    assert limits.chaos
    pending = limits.pending
    assert (pending.absent_seconds, pending.image_seconds, pending.unschedulable_seconds) == (1.0, None, 2.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARALLELISM_LIMIT", "0"),
        ("PARALLELISM_LIMIT", "many"),
        ("HEALTH_PORT", "-1"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("TASK_RESOURCES", "[]"),
        ("TASK_RESOURCES", "{"),
        ("TASK_USER", "root"),
        ("TASK_POD_TEMPLATE", "[]"),
        ("STORAGE_ENDPOINTS", "https://s3.example.com,minio:9000"),
        ("STORAGE_ENDPOINTS", "https://s3.example.com/bucket"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"PODREDUCE_OPERATOR_{name}: expected"):
        read(**{name: value})


def test_a_pod_template_that_would_fail_every_job_is_refused_by_its_place_and_not_repeated() -> None:
    with pytest.raises(SettingsError, match=r"_TASK_POD_TEMPLATE: tasks\.podTemplate\.spec\.env: ") as refused:
        read(TASK_POD_TEMPLATE='{"spec": {"env": {"HTTPS_PROXY": "http://me:secret@proxy"}}}')
    assert "secret" not in str(refused.value)


def test_a_lease_without_a_namespace_is_refused() -> None:
    with pytest.raises(SettingsError, match="PODREDUCE_OPERATOR_LEASE_NAMESPACE is not set"):
        read(LEASE="podreduce")


@pytest.mark.parametrize(
    "seconds",
    [
        {"LEASE_SECONDS": "10"},
        {"LEASE_RENEW_SECONDS": "15"},
        {"LEASE_RETRY_SECONDS": "5"},
    ],
    ids=["expires-at-the-deadline", "acts-until-it-expires", "one-try-a-deadline"],
)
def test_times_by_which_two_could_act_or_one_failure_costs_the_lease_are_refused(seconds: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=r"LEASE_SECONDS \(\d+\) must be above LEASE_RENEW_SECONDS"):
        read(LEASE="podreduce", LEASE_NAMESPACE="system", **seconds)


def test_the_default_times_are_those_of_kubernetes_own_controllers() -> None:
    lease = read(LEASE="podreduce", LEASE_NAMESPACE="system").lease
    assert lease is not None
    assert (lease.duration_seconds, lease.renew_seconds, lease.retry_seconds) == (15, 10, 2)
    assert lease.place == "system/podreduce"
