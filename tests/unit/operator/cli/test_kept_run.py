"""What stays of a failed local run for `podreduce replay`."""

from pathlib import Path
from typing import Any

import pytest

from podreduce.storage import open_store
from podreduce_operator.cli.kept_run import copy_out, is_kept_run, read_setting, write_setting

RUN_STORE = open_store("memory://cli-kept-run/")
KEPT = ("plan/plan.json", "plan/shards-00000.json", "commits/m-0-0.json", "failures/m-1-a.json", "shuffle-0.json")
LEFT = ("data/map/0/a", "logs/m-1-a.log", "quarantine/m-0-a.jsonl", "attempts/1.json", "post-mortem.json")


async def test_records_stay_and_data_does_not(tmp_path: Path) -> None:
    for key in (*KEPT, *LEFT):
        RUN_STORE.put(key, key.encode())
    status = {"postMortem": {"uri": "any"}}
    assert await copy_out(status, RUN_STORE, tmp_path / "run") == status
    found = {path.relative_to(tmp_path / "run").as_posix() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert found == set(KEPT)
    assert is_kept_run(tmp_path / "run")


async def test_of_a_run_that_did_not_fail_nothing_stays(tmp_path: Path) -> None:
    status: dict[str, Any] = {"phase": "Complete"}
    await copy_out(status, RUN_STORE, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    write_setting(tmp_path / "run", {})
    assert not (tmp_path / "run").exists()


def test_the_setting_of_the_tasks_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / "run"
    directory.mkdir()
    assert read_setting(directory) == ({}, None)
    write_setting(directory, {"PODREDUCE_MODULES": "/there"})
    assert read_setting(directory) == ({"PODREDUCE_MODULES": "/there"}, tmp_path)
