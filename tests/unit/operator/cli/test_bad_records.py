from pathlib import Path

from podreduce.contract.environment import StorageSettings
from podreduce.contract.layout import run_prefix
from podreduce.storage import open_store
from podreduce_operator.cli.bad_records import bring_out
from podreduce_operator.cluster.interface import JobStorage
from tests.support.builders.jobs import JOB_UID, make_job

STORAGE = JobStorage(work_uri="memory://cli-bad-records/", installation="local", settings=StorageSettings())


async def test_what_was_set_aside_is_brought_out_and_the_status_says_where(tmp_path: Path) -> None:
    run_store = open_store(STORAGE.work_uri + run_prefix("local", "default", "wordcount", JOB_UID, "1"))
    for name in ("quarantine/m-0-a.jsonl", "quarantine/m-1-b.jsonl", "plan/plan.json"):
        run_store.put(name, name.encode())
    status = {"phase": "Complete", "badRecords": {"count": 2, "uri": "memory://somewhere"}}
    directory = tmp_path / "quarantine"
    assert await bring_out(status, make_job(), STORAGE, directory) == {
        "phase": "Complete",
        "badRecords": {"count": 2, "uri": f"file://{directory}/"},
    }
    assert {path.name: path.read_text() for path in directory.iterdir()} == {
        "m-0-a.jsonl": "quarantine/m-0-a.jsonl",
        "m-1-b.jsonl": "quarantine/m-1-b.jsonl",
    }


async def test_without_bad_records_there_is_nothing_to_bring_out(tmp_path: Path) -> None:
    status, directory = {"phase": "Complete"}, tmp_path / "quarantine"
    assert await bring_out(status, make_job(), STORAGE, directory) == status
    assert not directory.exists()
