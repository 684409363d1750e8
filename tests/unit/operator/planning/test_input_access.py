"""An input that is listed and may not be read."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import StorageDeniedError
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.model.jobs import JobView
from podreduce_operator.planning.input_access import check_readable
from podreduce_operator.planning.list_input import list_input
from podreduce_operator.planning.plan_run import plan_run
from podreduce_operator.runs.run import RunCache
from tests.support.builders.jobs import make_job, make_raw_output
from tests.support.fake_s3 import FakeS3, fake_s3
from tests.support.quiet_cluster import QuietCluster


@pytest.fixture
def store() -> Iterator[FakeS3]:
    with fake_s3() as served:
        yield served


def opener(store: FakeS3) -> Callable[[str], ObjectStore]:
    settings = StorageSettings(endpoint=store.endpoint, region="us-east-1", access_key="key", secret_key="hush")  # noqa: S106
    return partial(open_store, settings=settings)


NAMES = ("in/a", "in/b", "in/c")


@pytest.mark.parametrize(
    ("sizes", "hidden", "refused"),
    [
        ((3, 3, 3), (), ""),
        ((3, 3, 3), ("in/a",), "in/a"),
        ((0, 3, 3), ("in/b",), "in/b"),
        ((0, 0, 1), ("in/c",), "in/c"),
        ((0, 0, 0), (), ""),
        ((3, 3, 3), ("in/b",), ""),
    ],
)
async def test_the_first_object_with_content_is_read(
    store: FakeS3, sizes: tuple[int, ...], hidden: tuple[str, ...], refused: str
) -> None:
    store.objects = {name: b"x" * size for name, size in zip(NAMES, sizes, strict=True)}
    store.hidden = hidden
    uris, open_at = ["s3://bucket/in/"], opener(store)
    objects = await list_input(uris, open_at, output_uri="s3://bucket/out/")
    if not refused:
        await check_readable(uris, objects, open_at)
        return
    with pytest.raises(StorageDeniedError, match=rf"s3://bucket/{refused}.*s3:GetObject"):
        await check_readable(uris, objects, open_at)


async def test_each_bucket_is_asked_once(store: FakeS3) -> None:
    store.objects = dict.fromkeys(NAMES, b"x")
    uris, open_at = ["s3://one/in/", "s3://two/in/", "s3://one/in/a"], opener(store)
    objects = await list_input(uris, open_at, output_uri="s3://one/out/")
    before = store.requests
    await check_readable(uris, objects, open_at)
    assert store.requests - before == 2


async def test_an_object_that_is_gone_since_it_was_listed_is_left_to_its_task(store: FakeS3) -> None:
    store.objects = {"in/a": b"x"}
    uris, open_at = ["s3://bucket/in/"], opener(store)
    objects = await list_input(uris, open_at, output_uri="s3://bucket/out/")
    store.objects = {}
    await check_readable(uris, objects, open_at)


class ReadingStorage(JobStorage):
    """Reads from S3; everything else is in memory."""

    def open(self, uri: str) -> ObjectStore:
        return open_store(uri, self.settings)


class ReadingCluster(QuietCluster):
    settings = StorageSettings()

    async def read_storage(self, job: JobView) -> JobStorage:  # noqa: ARG002 - the interface names it
        return ReadingStorage(work_uri=self.work_uri, installation="local", settings=self.settings)


async def test_a_job_that_may_not_read_its_input_is_not_planned(store: FakeS3) -> None:
    store.objects, store.hidden = {"in/a": b"x"}, ("in/a",)
    cluster = ReadingCluster(work_uri="memory://input-access/work/")
    cluster.settings = StorageSettings(endpoint=store.endpoint, region="r", access_key="key", secret_key="hush")  # noqa: S106
    job = make_job(
        spec={
            "input": {"uris": ["s3://bucket/in/"], "format": "Text", "encodingErrors": "Strict"},
            "output": make_raw_output(uri="memory://input-access/out/"),
        }
    )
    run = RunCache().open(job, "1", await cluster.read_storage(job))
    with pytest.raises(StorageDeniedError, match=r"s3://bucket/in/a"):
        await plan_run(run, cluster)
    assert list(open_store("memory://input-access/out/").list("")) == [], "nothing is claimed"
