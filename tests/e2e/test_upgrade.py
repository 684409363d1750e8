"""An upgrade from the release before, and the way back, by the commands of docs/operations.md, while jobs run.

The chart and the CRD are those of the release before, kept in `releases`. The images are this checkout's throughout:
what an operator understands of what another release has written is tested in unit/runtime/contract with golden
records. Among the last of this tier by its name, since it takes away the CRD and with it the other tests' jobs.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.build import program
from tests.cluster.cluster import Cluster
from tests.cluster.images import Images
from tests.cluster.object_store import ClusterMinio
from tests.cluster.paths import CHECKOUT
from tests.e2e.installation import Installation, uninstall_all
from tests.e2e.jobs import WORD_COUNT, WORK, JobWorld, slow_attempt
from tests.e2e.oracle import count_words, read_words

CRD = "mapreducejobs.podreduce.dev"
SCHEDULE_CRD = "mapreduceschedules.podreduce.dev"
CRD_FILE = "podreduce.dev_mapreducejobs.yaml"
EARLIER = CHECKOUT / "tests" / "e2e" / "releases" / "0.1.0" / "podreduce"
DOCUMENTED_NAMESPACE = "podreduce-system"


@pytest.fixture
def earlier(cluster: Cluster, images: Images, cluster_minio: ClusterMinio) -> Iterator[JobWorld]:
    """An installation of the release before, as if nothing else had ever been installed."""
    uninstall_all(cluster)
    cluster.kubectl("delete", "crd", CRD, SCHEDULE_CRD, "--ignore-not-found", "--timeout=100s", timeout=110)
    installed = Installation.install(cluster, images, cluster_minio, f"s3://{WORK}/", chart=EARLIER)
    yield JobWorld.create(cluster, cluster_minio, installed)
    installed.uninstall()
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--filename", CHECKOUT / "crds")


@pytest.mark.e2e
@pytest.mark.timeout(900)
def test_jobs_run_over_the_documented_upgrade_and_the_way_back(earlier: JobWorld) -> None:
    world = earlier
    assert served_schema(world.cluster) == schema_of(EARLIER / "crds" / CRD_FILE)
    (upgrade, rollback) = read_commands()

    pod = start_slow_job(world, "over-the-upgrade")
    run_commands(upgrade, world)
    world.go_on(pod)
    assert served_schema(world.cluster) == schema_of(CHECKOUT / "crds" / CRD_FILE)
    assert {"PODREDUCE_OPERATOR_TASK_USER", "PODREDUCE_OPERATOR_TASK_POD_TEMPLATE"} <= variables(world)
    assert_undisturbed(world, "over-the-upgrade")
    world.run("after-the-upgrade", WORD_COUNT)
    assert read_words(world.parts("after-the-upgrade")) == count_words()

    pod = start_slow_job(world, "over-the-rollback")
    run_commands(rollback, world)
    world.go_on(pod)
    assert "PODREDUCE_OPERATOR_TASK_USER" not in variables(world)
    assert_undisturbed(world, "over-the-rollback")
    world.run("after-the-rollback", WORD_COUNT)
    assert read_words(world.parts("after-the-rollback")) == count_words()


def read_commands() -> tuple[str, str]:
    """Return the commands of the section Upgrade: those of the upgrade, and those of the way back."""
    page = (CHECKOUT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.partition("\n## Upgrade\n")[2].partition("\n## ")[0]
    upgrade, rollback = re.findall(r"(?:^ {4}\S.*\n)+", section, re.MULTILINE)
    return upgrade, rollback


def run_commands(commands: str, world: JobWorld) -> None:
    """Run commands in the checkout as they are written, but for the release's namespace."""
    is_ours = world.cluster.provider == "harness"
    programs = [str(program(name).parent) for name in ("kubectl", "helm")] if is_ours else []
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands.replace(DOCUMENTED_NAMESPACE, world.installation.namespace)],
        cwd=CHECKOUT,
        env=os.environ
        | {"KUBECONFIG": str(world.cluster.kubeconfig), "PATH": os.pathsep.join([*programs, os.environ["PATH"]])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    world.installation.await_rollout()


def start_slow_job(world: JobWorld, name: str) -> dict[str, Any]:
    """Start a job and return while one of its maps works slowly, before a reduce that will; return the map's pod."""
    world.start(name, slow_attempt(slow_attempt(WORD_COUNT, "m-2-1"), "r-0-1"))
    return world.wait_for_progress(name, "m-2-1")


def assert_undisturbed(world: JobWorld, name: str) -> None:
    """Wait for the job's end, and see that no attempt was lost and the output is right."""
    job = world.wait(name, "Complete")
    assert (job["status"]["map"]["failed"], job["status"]["reduce"]["failed"]) == (0, 0)
    assert read_words(world.parts(name)) == count_words()


def variables(world: JobWorld) -> set[str]:
    """Return the names of the operator's variables."""
    deployment = json.loads(world.cluster.kubectl("get", *world.installation.place, "--output=json").stdout)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {variable["name"] for variable in container["env"]}


def served_schema(cluster: Cluster) -> Any:
    """Return the schema of jobs that the API server has."""
    return only_schema(json.loads(cluster.kubectl("get", "crd", CRD, "--output=json").stdout))


def schema_of(file: Path) -> Any:
    """Return the schema of jobs in a file."""
    return only_schema(yaml.safe_load(file.read_text(encoding="utf-8")))


def only_schema(crd: dict[str, Any]) -> Any:
    """Return the schema of a CRD's one version."""
    (version,) = crd["spec"]["versions"]
    return version["schema"]["openAPIV3Schema"]
