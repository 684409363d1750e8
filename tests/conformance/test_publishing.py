"""An output of large parts in a real bucket: uploads that wait, are missed if dropped, are published and removed."""

import itertools

import pytest
from msgspec import structs

from podreduce.contract.environment import StorageSettings
from podreduce.contract.errors import UploadLostError
from podreduce.contract.output_files import FileRef
from podreduce.contract.plan import JobIdentity
from podreduce.contract.task import CommitRecord, PartRef
from podreduce.storage import ObjectStore, ObjectWriter, StagedUpload, is_pending, open_store
from podreduce.storage.writer import PART_BYTES
from podreduce_operator.runs.publishing import (
    build_intent,
    build_manifest,
    find_lost,
    publish,
    read_published,
    remove_staged,
)
from podreduce_operator.runs.run_totals import add_up
from tests.support.builders.jobs import JOB_UID
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import reduce_task
from tests.support.pending_uploads import drop_uploads, list_uploads

pytestmark = pytest.mark.integration

NUMBERS = itertools.count()
JOB = JobIdentity(namespace="default", name="wordcount", uid=JOB_UID, run_id="1")
TEXTS = [b"0" * PART_BYTES, b"1" * (PART_BYTES + 1), b"small"]
NAMES = [f"part-r-0000{index}.txt" for index in range(3)]


@pytest.fixture
def output(request: pytest.FixtureRequest) -> ObjectStore:
    minio = request.getfixturevalue("minio")
    settings = StorageSettings(
        endpoint=minio.endpoint, region=minio.region, access_key=minio.access_key, secret_key=minio.secret_key
    )
    return open_store(f"s3://{minio.make_bucket(f'publishing-{next(NUMBERS)}')}/counts/", settings)


@pytest.fixture
def commits(output: ObjectStore) -> list[CommitRecord]:
    """The commits of three reduces, the first two with parts large enough to be uploads."""
    found = []
    for index, text in enumerate(TEXTS):
        staged = StagedUpload(output, f"_podreduce-{JOB_UID}-1/r-{index}-a", NAMES[index])
        with ObjectWriter(staged) as writer:
            writer.write(text)
        part = PartRef(key=staged.key, bytes=len(text), records=1, sha256="0" * 64)
        found.append(make_commit(reduce_task(index), part=part))
    return found


async def publish_commits(output: ObjectStore, commits: list[CommitRecord]) -> None:
    plan = make_plan(partitions=len(commits), if_exists="Replace")
    intent = build_intent(plan, commits, add_up(commits, {}))
    await publish(output, intent, build_manifest(plan, "digest", intent))


async def test_parts_are_published_and_nothing_else_stays(output: ObjectStore, commits: list[CommitRecord]) -> None:
    output.put("part-r-00009.txt", b"of an earlier output")
    assert await find_lost(output, commits) == []
    await publish_commits(output, commits)
    await remove_staged(output, JOB)
    assert sorted(meta.key for meta in output.list()) == ["_MANIFEST.json", "_SUCCESS", *NAMES]
    assert [output.get(name) for name in NAMES] == TEXTS
    published = await read_published(output, JOB_UID, "1")
    assert published is not None
    assert published.bytes == sum(map(len, TEXTS))


@pytest.mark.parametrize("size", [10, PART_BYTES, PART_BYTES + 1])
async def test_files_are_published_as_parts_are(output: ObjectStore, commits: list[CommitRecord], size: int) -> None:
    """A large file waits as an upload, and counts as lost with its task if the store drops it."""
    staged = StagedUpload(output, f"_podreduce-{JOB_UID}-1/r-2-a-file-0", "_files/plots/a.png")
    with ObjectWriter(staged) as writer:
        writer.write(b"p" * size)
    assert is_pending(staged.key) == (size >= PART_BYTES)
    ref = FileRef(name="plots/a.png", key=staged.key, bytes=size, sha256="0" * 64)
    commits[2] = structs.replace(commits[2], files=(ref,))
    assert await find_lost(output, commits) == []
    await publish_commits(output, commits)
    await remove_staged(output, JOB)
    assert output.get("_files/plots/a.png") == b"p" * size
    assert list_uploads(output, "_files/plots/a.png") == []
    assert sorted(meta.key for meta in output.list()) == ["_MANIFEST.json", "_SUCCESS", "_files/plots/a.png", *NAMES]


async def test_a_dropped_file_is_lost_with_its_task(output: ObjectStore, commits: list[CommitRecord]) -> None:
    staged = StagedUpload(output, f"_podreduce-{JOB_UID}-1/r-2-a-file-0", "_files/model.bin")
    with ObjectWriter(staged) as writer:
        writer.write(b"p" * PART_BYTES)
    ref = FileRef(name="model.bin", key=staged.key, bytes=PART_BYTES, sha256="0" * 64)
    commits[2] = structs.replace(commits[2], files=(ref,))
    drop_uploads(output, "_files/model.bin")
    assert await find_lost(output, commits) == [commits[2]]


async def test_a_publication_that_broke_off_is_carried_on(output: ObjectStore, commits: list[CommitRecord]) -> None:
    await publish_commits(output, commits)
    output.delete("_SUCCESS", "_MANIFEST.json", NAMES[2])
    await publish_commits(output, commits)
    assert [output.get(name) for name in NAMES] == TEXTS


async def test_dropped_parts_are_found_before_the_intent_and_refused_after_it(
    output: ObjectStore, commits: list[CommitRecord]
) -> None:
    await remove_staged(output, JOB)
    assert await find_lost(output, commits) == commits[:2]
    await stage_records_again(output, commits)
    with pytest.raises(UploadLostError, match="no longer has the upload"):
        await publish_commits(output, commits)
    assert await read_published(output, JOB_UID, "1") is None


async def stage_records_again(output: ObjectStore, commits: list[CommitRecord]) -> None:
    """Put other uploads' records under the staged keys, and drop those uploads."""
    for index, commit in enumerate(commits):
        assert commit.part is not None
        staged = StagedUpload(output, commit.part.key.removesuffix(".pending"), NAMES[index])
        with ObjectWriter(staged) as writer:
            writer.write(TEXTS[index])
        drop_uploads(output, NAMES[index])


async def test_an_aborted_run_leaves_neither_parts_nor_uploads(
    output: ObjectStore, commits: list[CommitRecord]
) -> None:
    assert len(commits) == len(NAMES)
    await remove_staged(output, JOB)
    assert list(output.list()) == []
    assert [list_uploads(output, name) for name in NAMES] == [[], [], []]
