"""What the commands read from stores: the logs that are kept, the post-mortem, and published outputs."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from podreduce.contract.errors import StorageUnavailableError
from podreduce.contract.task import TaskRef
from podreduce_operator.cli.cluster.connection import Connection, open_connection
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.job_logs import LogOptions
from podreduce_operator.cli.cluster.kinds import parse_reference
from podreduce_operator.cli.cluster.logs import show_logs
from podreduce_operator.cli.cluster.place import Place
from podreduce_operator.cli.cluster.published_output import OutputOptions, show_output, show_output_at
from podreduce_operator.cli.cluster.run_store import RunStore, advise
from podreduce_operator.pods.pod_names import AttemptLabels, hash_run, pod_labels, pod_name
from tests.support.job_manifests import JOB_UID, NAMESPACE, complete_job, failed_job, running_job
from tests.support.kube_api import KubeApi, serve

WORD_COUNT = parse_reference("wordcount")
Printed = Callable[[], tuple[str, str]]


@pytest.fixture
async def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeApi]:
    """A cluster whose storage Secret may not be read; own keys are set, and not used for a directory."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "own")
    async with serve(tmp_path) as served:
        served.put_core(NAMESPACE, "pods", [])
        yield served


@pytest.fixture
async def connection(api: KubeApi) -> AsyncIterator[Connection]:
    async with open_connection(Place(kubeconfig=api.kubeconfig, namespace=NAMESPACE)) as opened:
        yield opened


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The directory of a run whose pods are gone: m-0 went well, and m-3 failed once."""
    directory = tmp_path / "run"
    for key, text in {
        "logs/m-0-uid-a-0.log": "went well\n",
        "logs/m-3-uid-b-0.log": "one\ntwo\nboom\n",
        "failures/m-3-uid-b-0.json": "{}",
    }.items():
        (directory / key).parent.mkdir(parents=True, exist_ok=True)
        (directory / key).write_text(text)
    return directory


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    def read() -> tuple[str, str]:
        found = capsys.readouterr()
        return found.out, found.err

    return read


def at(run: Path) -> dict[str, Any]:
    return {"postMortem": {"uri": f"file://{run}/post-mortem.json"}}


def make_pod_manifest(task: str, **status: Any) -> dict[str, Any]:
    ref, run_hash = TaskRef.parse(task), hash_run(JOB_UID, "1")
    owner = {"kind": "MapReduceJob", "name": "wordcount", "uid": JOB_UID, "controller": True,
             "apiVersion": "podreduce.dev/v1beta1"}  # fmt: skip
    labels = pod_labels("wordcount", AttemptLabels(run_hash=run_hash, task=ref, ordinal=1, generation=0))
    metadata = {"name": pod_name("wordcount", run_hash, ref, 1), "namespace": NAMESPACE, "uid": f"uid-{task}",
                "labels": labels, "ownerReferences": [owner]}  # fmt: skip
    return {"metadata": metadata, "spec": {}, "status": {"phase": "Running", **status}}


async def test_logs_are_there_when_the_pods_are_gone(
    api: KubeApi, connection: Connection, run: Path, printed: Printed
) -> None:
    api.put(failed_job(**at(run)))
    assert await show_logs(connection, WORD_COUNT, LogOptions()) is CommandExit.DONE
    assert printed()[0].splitlines() == [
        "==> m-0, attempt uid-a-0: did not fail; its pod is gone, these are its last lines <==",
        "went well",
        "",
        "==> m-3, attempt uid-b-0: failed; its pod is gone, these are its last lines <==",
        "one",
        "two",
        "boom",
    ]


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (LogOptions(task="m-3"), ["one", "two", "boom"]),
        (LogOptions(task="m-3", tail=1), ["boom"]),
        (LogOptions(task="m-0"), ["went well"]),
    ],
    ids=["a-task", "its-last-line", "another"],
)
async def test_the_log_of_one_task_is_its_lines_and_nothing_else(
    api: KubeApi, connection: Connection, run: Path, printed: Printed, options: LogOptions, *, lines: list[str]
) -> None:
    api.put(failed_job(**at(run)))
    assert await show_logs(connection, WORD_COUNT, options) is CommandExit.DONE
    assert printed()[0].splitlines() == lines


async def test_only_failed_attempts_on_request(
    api: KubeApi, connection: Connection, run: Path, printed: Printed
) -> None:
    api.put(failed_job(**at(run)))
    await show_logs(connection, WORD_COUNT, LogOptions(only_failed=True))
    assert "went well" not in printed()[0]


async def test_a_pods_whole_log_is_preferred_to_what_is_kept_of_it(
    api: KubeApi, connection: Connection, run: Path, printed: Printed
) -> None:
    pod = make_pod_manifest("m-3")
    api.put(running_job())
    api.objects[next(iter(api.objects))]["status"] |= at(run)
    (run / "logs" / "m-3-uid-m-3-0.log").write_text("kept\n")
    api.put_core(NAMESPACE, "pods", [pod])
    api.logs[pod["metadata"]["name"]] = "live\n"
    assert await show_logs(connection, WORD_COUNT, LogOptions(task="m-3")) is CommandExit.DONE
    out, _ = printed()
    assert "live" in out
    assert "kept" not in out


async def test_a_task_without_a_log_says_what_is_kept_and_fails(
    api: KubeApi, connection: Connection, run: Path, printed: Printed
) -> None:
    api.put(failed_job(**at(run)))
    assert await show_logs(connection, WORD_COUNT, LogOptions(task="r-1")) is CommandExit.FAILED
    out, err = printed()
    assert out == ""
    assert err.startswith("r-1: no log: ")
    assert "the last lines of attempts that failed, and of what others printed" in err


async def test_a_secret_that_may_not_be_read_is_said_and_the_pods_logs_are_shown(
    api: KubeApi, connection: Connection, printed: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    pod = make_pod_manifest("m-3")
    api.put(running_job())
    api.put_core(NAMESPACE, "pods", [pod])
    api.logs[pod["metadata"]["name"]] = "live\n"
    api.refused["/api/v1/namespaces/team-a/secrets"] = 403
    assert await show_logs(connection, WORD_COUNT, LogOptions()) is CommandExit.DONE
    out, err = printed()
    assert "live" in out
    assert "what the store keeps was not read: the Secret team-a/podreduce-storage" in err


@pytest.fixture
def output(tmp_path: Path) -> Path:
    directory = tmp_path / "out"
    directory.mkdir()
    (directory / "part-r-00000.txt").write_text("a\t1\nb\t2\n")
    (directory / "part-r-00001.txt.gz").write_bytes(gzip.compress(b"c\t3\n"))
    (directory / "_SUCCESS").touch()
    return directory


async def test_a_jobs_output_is_printed_as_it_is(
    api: KubeApi, connection: Connection, output: Path, printed: Printed
) -> None:
    api.put(complete_job(output={"uri": f"file://{output}/", "records": 3, "bytes": 12}))
    assert await show_output(connection, WORD_COUNT, OutputOptions()) is CommandExit.DONE
    assert printed()[0] == "a\t1\nb\t2\nc\t3\n"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (OutputOptions(), "a\t1\nb\t2\nc\t3\n"),
        (OutputOptions(head=1), "a\t1\n"),
        (OutputOptions(head=3), "a\t1\nb\t2\nc\t3\n"),
        (OutputOptions(head=9), "a\t1\nb\t2\nc\t3\n"),
        (OutputOptions(count=True), "3\n"),
    ],
    ids=["all", "head-1", "head-all", "head-more", "count"],
)
def test_an_output_at_a_uri_needs_no_cluster(output: Path, printed: Printed, options: OutputOptions, text: str) -> None:
    assert show_output_at(f"file://{output}", options) is CommandExit.DONE
    assert printed()[0] == text


def test_rows_of_parquet_are_lines_of_json(output: Path, printed: Printed) -> None:
    for part in output.glob("part-*"):
        part.unlink()
    pq.write_table(pa.table({"key": ["a"], "value": [1]}), output / "part-r-00000.parquet")
    assert show_output_at(f"file://{output}/", OutputOptions(head=5)) is CommandExit.DONE
    assert json.loads(printed()[0]) == {"key": "a", "value": 1}


def test_parts_are_saved_as_they_are_into_a_new_directory(output: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    assert show_output_at(f"file://{output}/", OutputOptions(save=target)) is CommandExit.DONE
    assert {part.name: part.read_bytes() for part in target.iterdir()} == {
        part.name: part.read_bytes() for part in output.glob("part-*")
    }
    with pytest.raises(CommandError, match="is not empty"):
        show_output_at(f"file://{output}/", OutputOptions(save=target))


def test_an_output_without_success_is_not_complete(output: Path) -> None:
    (output / "_SUCCESS").unlink()
    with pytest.raises(CommandError, match="no complete output: there is no _SUCCESS") as refused:
        show_output_at(f"file://{output}/", OutputOptions())
    assert refused.value.exit_code is CommandExit.FAILED


def test_a_format_without_lines_has_no_head(output: Path) -> None:
    (output / "part-r-00002.bin").write_bytes(b"x")
    with pytest.raises(CommandError, match=r"part-r-00002.bin has no lines: --save DIR"):
        show_output_at(f"file://{output}/", OutputOptions(head=1))


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (running_job(), "has not published yet; podreduce wait wordcount"),
        (failed_job(), "its run is failed and has published nothing at s3://corpus/counts/; podreduce diagnose"),
    ],
    ids=["running", "failed"],
)
async def test_a_job_without_an_output_says_why(
    api: KubeApi, connection: Connection, job: dict[str, Any], words: str
) -> None:
    api.put(job)
    with pytest.raises(CommandError, match=words):
        await show_output(connection, WORD_COUNT, OutputOptions())


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://minio.storage.svc:9000", "kubectl port-forward -n storage service/minio 9000:9000"),
        ("https://minio.storage.svc.cluster.local", "service/minio 443:443, and --endpoint https://127.0.0.1:443"),
        ("https://s3.example", "does this machine reach https://s3.example?"),
        ("", "does this machine reach the store?"),
    ],
)
def test_a_store_inside_the_cluster_comes_with_a_port_forward(endpoint: str, words: str) -> None:
    assert words in advise(endpoint)
    error = RunStore(manifest={}, storage=None).explain(StorageUnavailableError("it does not answer"))
    assert str(error).startswith("it does not answer; does this machine reach the store?")
