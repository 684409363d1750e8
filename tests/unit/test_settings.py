from pathlib import Path

import pytest

from podreduce_operator.settings import Settings, SettingsError

IMAGE = {"PODREDUCE_OPERATOR_RUNTIME_IMAGE": "runtime:1"}


def read(**variables: str) -> Settings:
    return Settings.from_environ(IMAGE | {f"PODREDUCE_OPERATOR_{name}": value for name, value in variables.items()})


def test_only_the_runtime_image_is_required() -> None:
    settings = read()
    assert settings.pod_defaults.image == "runtime:1"
    assert settings.namespaces == ()
    assert settings.limits.parallelism == 1000
    assert settings.faults == ()
    with pytest.raises(SettingsError, match="PODREDUCE_OPERATOR_RUNTIME_IMAGE is not set"):
        Settings.from_environ({})


def test_an_empty_variable_counts_as_absent() -> None:
    settings = read(NAMESPACES="", PARALLELISM_LIMIT=" ", INSTALLATION="", TASK_RESOURCES="")
    assert settings == read()


def test_every_variable_is_read() -> None:
    settings = read(
        NAMESPACES="a, b,,",
        RELEASE="podreduce-system.podreduce",
        INSTALLATION="mine",
        PARALLELISM_LIMIT="7",
        CHAOS="true",
        STORAGE_DIRECTORY="/etc/storage",
        HEALTH_PORT="9090",
        LOG_FORMAT="json",
        LOG_LEVEL="debug",
        FAULTS="before:CreatePod,after:CreatePod",
        FAULTS_STATE="/var/faults",
        IMAGE_PULL_POLICY="Never",
        TASK_RESOURCES='{"limits": {"memory": "1Gi"}}',
        SCRATCH_SIZE="10Gi",
        TASK_GRACE_SECONDS="3",
        NODE_LOST_SECONDS="9",
        PENDING_ABSENT_SECONDS="1",
        PENDING_IMAGE_SECONDS="0",
        PENDING_NODE_SECONDS="2",
    )
    assert settings.namespaces == ("a", "b")
    assert (settings.release, settings.installation) == ("podreduce-system.podreduce", "mine")
    assert (settings.limits.parallelism, settings.health_port) == (7, 9090)
    assert settings.storage_directory == Path("/etc/storage")
    assert (settings.log_format, settings.log_level) == ("json", "debug")
    assert settings.faults == ("before:CreatePod", "after:CreatePod")
    assert settings.faults_state == Path("/var/faults")
    defaults = settings.pod_defaults
    assert (defaults.pull_policy, defaults.scratch_size, defaults.grace_seconds) == ("Never", "10Gi", 3)
    assert defaults.node_lost_seconds == 9
    pending = settings.limits.pending
    assert settings.limits.chaos
    assert (pending.absent_seconds, pending.image_seconds, pending.unschedulable_seconds) == (1.0, None, 2.0)
    assert defaults.resources == {"limits": {"memory": "1Gi"}}


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
    ],
)
def test_a_wrong_value_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"PODREDUCE_OPERATOR_{name}: expected"):
        read(**{name: value})
