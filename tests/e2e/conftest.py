"""What the end-to-end tests share: one MinIO, one operator installed by its chart, the corpus, and a world a test."""

from collections.abc import Iterator

import obstore
import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.images import Images
from tests.cluster.object_store import ClusterMinio, deploy
from tests.e2e.corpus import access_log, real_text
from tests.e2e.installation import Installation
from tests.e2e.jobs import CORPUS, OUTPUT, WORK, JobWorld
from tests.e2e.schedules import LONG, Resumed, ScheduleWorld, seconds


@pytest.fixture(scope="session")
def cluster_minio(cluster: Cluster) -> ClusterMinio:
    minio = deploy(cluster, cluster.namespace("minio"))
    for bucket in (CORPUS, OUTPUT, WORK):
        minio.make_bucket(bucket)
    store = minio.store(CORPUS)
    for prefix, objects in (("words", real_text()), ("logs", access_log())):
        for name, data in objects.items():
            obstore.put(store, f"{prefix}/{name}", data)
    return minio


@pytest.fixture(scope="session")
def installation(cluster: Cluster, images: Images, cluster_minio: ClusterMinio) -> Iterator[Installation]:
    installed = Installation.install(cluster, images, cluster_minio, f"s3://{WORK}/")
    yield installed
    installed.uninstall()


@pytest.fixture
def world(cluster: Cluster, cluster_minio: ClusterMinio, installation: Installation) -> JobWorld:
    return JobWorld.create(cluster, cluster_minio, installation)


@pytest.fixture(scope="session")
def schedules(cluster: Cluster, cluster_minio: ClusterMinio, installation: Installation) -> ScheduleWorld:
    """Two schedules of every minute: `minutely` runs, `paused` is suspended. Tests in between let minutes pass."""
    world = ScheduleWorld.create(JobWorld.create(cluster, cluster_minio, installation))
    world.apply("minutely", successfulJobsHistoryLimit=1)
    world.apply("paused", suspend=True)
    return world


@pytest.fixture(scope="session")
def resumed(schedules: ScheduleWorld) -> Resumed:
    """The schedule `paused` after its suspension, which lasted until a minute had its job by the other schedule."""
    cluster = schedules.jobs.cluster
    cluster.wait_for(lambda: schedules.status("paused").get("conditions"), "its status", LONG)
    began = seconds(schedules.status("paused")["conditions"][0]["lastTransitionTime"])
    cluster.wait_for(lambda: schedules.jobs_of("minutely"), "the job of a minute", LONG)
    before = frozenset(schedules.jobs_of("paused"))
    schedules.patch("paused", suspend=False)
    return Resumed(world=schedules, name="paused", began=began, jobs_before=before)
