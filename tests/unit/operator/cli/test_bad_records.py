from pathlib import Path

from podreduce.storage import open_store
from podreduce_operator.cli.bad_records import copy_out

RUN_STORE = open_store("memory://cli-bad-records/")


async def test_what_was_set_aside_is_brought_out_and_the_status_says_where(tmp_path: Path) -> None:
    for name in ("quarantine/m-0-a.jsonl", "quarantine/m-1-b.jsonl", "plan/plan.json"):
        RUN_STORE.put(name, name.encode())
    status = {"phase": "Complete", "badRecords": {"count": 2, "uri": "memory://somewhere"}}
    directory = tmp_path / "quarantine"
    assert await copy_out(status, RUN_STORE, directory) == {
        "phase": "Complete",
        "badRecords": {"count": 2, "uri": f"file://{directory}/"},
    }
    assert {path.name: path.read_text() for path in directory.iterdir()} == {
        "m-0-a.jsonl": "quarantine/m-0-a.jsonl",
        "m-1-b.jsonl": "quarantine/m-1-b.jsonl",
    }


async def test_without_bad_records_there_is_nothing_to_copy_out(tmp_path: Path) -> None:
    status, directory = {"phase": "Complete"}, tmp_path / "quarantine"
    assert await copy_out(status, RUN_STORE, directory) == status
    assert not directory.exists()
