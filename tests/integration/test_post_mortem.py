"""A failed job's post-mortem, from real tasks on a real MinIO, beside the records it was made of."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest

from podreduce.contract.layout import COMMITS_PREFIX, FAILURES_PREFIX
from podreduce.contract.post_mortem import PostMortem
from podreduce.contract.task import CommitRecord, FailureRecord
from podreduce.contract.wire import decode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.cluster.local.notices import Notice, PodEnded
from podreduce_operator.cluster.local.processes import ProcessCluster
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.limits import Limits
from tests.cluster.minio import MinioServer
from tests.support.builders.jobs import make_job, make_raw_output

pytestmark = pytest.mark.integration

DOCS = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
SHARDS, RETRIES = 4, 2

FAILING = """\
class Failing:
    def map_func(self, key, value):
        if value == "150":
            print("about to fail", flush=True)
            raise ValueError(f"cannot take {value}")
        yield value, 1
    def reduce_func(self, key, values):
        yield key, sum(values)
"""


HANGING = """\
import time
class Hanging:
    def map_func(self, key, value):
        print(f"waiting with {value}", flush=True)
        time.sleep(600)
        yield value, 1
"""


@pytest.fixture(scope="module")
def bucket(minio: MinioServer) -> Iterator[str]:
    """A bucket with an input of 200 lines, and the variables that lead to it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", minio.endpoint)
        patch.setenv("AWS_REGION", minio.region)
        patch.setenv("AWS_ACCESS_KEY_ID", minio.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", minio.secret_key)
        name = minio.make_bucket("post-mortem")
        open_store(f"s3://{name}/in/").put("numbers.txt", "".join(f"{number}\n" for number in range(200)).encode())
        yield name


async def run_to_its_end(job: JobView, work_directory: Path, work_uri: str) -> JobView:
    """Run the job by the operator's own loop, its tasks as processes; return it as it ended."""

    def tell(notice: Notice) -> None:
        if isinstance(notice, PodEnded):
            reconciler.wake(job.key)

    cluster = ProcessCluster(
        job=job, config_maps={}, work_directory=work_directory, parallelism=2, tell=tell, work_uri=work_uri
    )
    reconciler = Reconciler(cluster, limits=Limits(parallelism=2), status_interval_seconds=0.1)
    try:
        await asyncio.wait_for(reconciler.settle(job.key), 100)
    finally:
        await reconciler.close()
        await cluster.close()
    return cluster.job


def run_job(bucket: str, work_directory: Path, source: str, **fields: Any) -> JobView:
    """Run a job over all lines to its end."""
    spec: dict[str, Any] = {
        "program": {"source": source, "parameters": {}},
        "input": {"uris": [f"s3://{bucket}/in/"], "format": "Text", "encodingErrors": "Strict"},
        "output": make_raw_output(uri=f"s3://{bucket}/out/"),
        "map": {"shards": SHARDS},
        "backoffLimitPerTask": RETRIES,
        "backoff": {"initialSeconds": 0, "factor": 1, "maxSeconds": 1, "outOfMemoryFactor": 1.5},
    }
    job = make_job(uid=str(uuid4()), spec=spec | fields)
    return asyncio.run(run_to_its_end(job, work_directory, f"s3://{bucket}/work/"))


@pytest.fixture(scope="module")
def failed(bucket: str, tmp_path_factory: pytest.TempPathFactory) -> JobView:
    """A job whose last map failed each time."""
    return run_job(bucket, tmp_path_factory.mktemp("work"), FAILING)


def run_store(job: JobView) -> ObjectStore:
    """The store at the run's prefix, by the link in the status."""
    return open_store(job.status["postMortem"]["uri"].removesuffix("post-mortem.json"))


@pytest.fixture(scope="module")
def table(failed: JobView, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of all attempts, fetched."""
    uri = failed.status["postMortem"]["attemptsUri"]
    directory, _, name = uri.rpartition("/")
    path = tmp_path_factory.mktemp("table") / name
    path.write_bytes(open_store(f"{directory}/").get(name))
    return path


def query(table: Path, text: str) -> list[tuple[Any, ...]]:
    return duckdb.execute(text.replace("attempts.parquet", str(table))).fetchall()


def test_the_table_says_what_the_commit_records_say(failed: JobView, table: Path) -> None:
    store = run_store(failed)
    commits = [decode(store.get(found.key), CommitRecord) for found in store.list(COMMITS_PREFIX)]
    assert len(commits) == SHARDS - 1
    committed = (
        "SELECT attempt_id, task, attempt, epoch(started_at), epoch(finished_at), records_in, bytes_in, records_out, "
        "bytes_out, spills FROM 'attempts.parquet' WHERE result = 'Committed' ORDER BY attempt_id"
    )
    assert query(table, committed) == [
        (
            each.attempt_id,
            str(each.task),
            each.pod_name,
            round(each.started_at, 3),
            round(each.finished_at, 3),
            each.records_in,
            each.bytes_in,
            each.records_out,
            each.bytes_out,
            each.spills,
        )
        for each in sorted(commits, key=lambda commit: commit.attempt_id)
    ]


def test_the_table_says_what_the_failure_records_say(failed: JobView, table: Path) -> None:
    store = run_store(failed)
    failures = [decode(store.get(found.key), FailureRecord) for found in store.list(FAILURES_PREFIX)]
    assert len(failures) == RETRIES + 1
    failed_ones = (
        "SELECT attempt_id, task, attempt, ordinal, reason, message, exit_code, counted, epoch(finished_at) "
        "FROM 'attempts.parquet' WHERE result = 'Failed' ORDER BY ordinal"
    )
    assert query(table, failed_ones) == [
        (
            each.attempt_id,
            str(each.task),
            each.pod_name,
            each.ordinal,
            each.reason,
            each.message,
            each.exit_code,
            each.counted,
            round(each.finished_at, 3),
        )
        for each in sorted(failures, key=lambda failure: failure.ordinal)
    ]


def test_every_attempt_has_its_node_and_times_in_order(table: Path) -> None:
    ((rows, known, ordered),) = query(
        table,
        "SELECT count(*), count(node), count_if(created_at <= started_at AND started_at <= finished_at) "
        "FROM 'attempts.parquet'",
    )
    assert rows == known == ordered == SHARDS + RETRIES


def test_the_story_tells_the_same_attempts_and_what_the_failed_ones_said(failed: JobView, table: Path) -> None:
    story = decode(run_store(failed).get("post-mortem.json"), PostMortem)
    assert (story.verdict, story.reason) == ("Failed", "BackoffLimitExceeded")
    assert list(story.conditions) == failed.status["conditions"]
    assert (story.plan.digest, story.plan.shards) == (failed.status["planDigest"], SHARDS)
    assert [attempt.attempt_id for attempt in story.timeline] == [
        found for (found,) in query(table, "SELECT attempt_id FROM 'attempts.parquet'")
    ]
    assert story.totals.by_result == {"Committed": SHARDS - 1, "Failed": RETRIES + 1}
    assert len(story.failures) == RETRIES + 1
    for failure in story.failures:
        assert failure.traceback[-1] == "ValueError: cannot take 150"
        assert "'150'" in failure.record
        assert "about to fail" in failure.log


def test_attempts_that_ran_to_the_jobs_deadline_tell_what_they_were_at(bucket: str, tmp_path: Path) -> None:
    job = run_job(bucket, tmp_path, HANGING, activeDeadlineSeconds=4)
    story = decode(run_store(job).get("post-mortem.json"), PostMortem)
    assert (story.verdict, story.reason, story.failures) == ("Failed", "DeadlineExceeded", ())
    assert len(story.stopped) == story.totals.by_result["Stopped"] == 2
    for stopped in story.stopped:
        assert any(line.startswith("waiting with ") for line in stopped.log), stopped.log


@pytest.mark.parametrize("text", re.findall(r"```sql\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL))
def test_the_queries_of_the_documentation_answer(table: Path, text: str) -> None:
    assert query(table, text)
