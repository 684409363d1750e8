"""The history of local runs: whatever is written to it, by however many at once, the last runs are read back."""

import fcntl
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podreduce_operator.cli.local_runs.history import MOST_BYTES, MOST_RUNS, History, LocalRun, begin, open_history
from podreduce_operator.cli.local_runs.remembering import remember_begin, remember_end
from podreduce_operator.cli.workspace import Workspace
from tests.support.searching import seeds


def make_run(number: int, **fields: Any) -> LocalRun:
    defaults: dict[str, Any] = {
        "name": "words",
        "file": "job.py",
        "directory": "/here",
        "workspace": f"/work/run-{number}",
    }
    return LocalRun(id=f"words-{number}", started_at=float(number), **(defaults | fields))


def test_a_history_that_nobody_has_written_is_empty_and_creates_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "state" / "podreduce")
    assert history.read() == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", [*seeds(10)])
def test_the_last_line_of_each_of_the_last_runs_is_read_back(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a generator of test data
    history, known = History(tmp_path), dict[str, LocalRun]()
    for _ in range(200):
        number = chance.randrange(150)
        fill = "x" * chance.choice((1, 100, 60_000))
        run = make_run(number, phase=chance.choice(("", "Complete", "Failed")), status={"fill": fill})
        history.add(run)
        known[run.id] = run
        if chance.random() < 0.1:
            with history.path.open("ab") as file:
                file.write(chance.choice((b"no JSON\n", b"\n", b'{"schema": 9}\n', b"\xff\n")))
        assert history.path.stat().st_size <= MOST_BYTES
    expected = sorted(known.values(), key=lambda run: run.started_at, reverse=True)
    found = history.read()
    kept = sum(len(msgspec.json.encode(run)) + 1 for run in found)
    assert found[0] == expected[0]
    assert all(known[run.id] == run or run.started_at <= found[-1].started_at for run in found)
    assert found == expected[: len(found)] or kept > MOST_BYTES // 4


def test_no_more_than_the_last_runs_are_shown(tmp_path: Path) -> None:
    history = History(tmp_path)
    for number in range(MOST_RUNS + 20):
        history.add(make_run(number))
    assert [run.id for run in history.read()] == [f"words-{number}" for number in range(MOST_RUNS + 19, 19, -1)]


def test_runs_that_end_at_the_same_time_all_stay(tmp_path: Path) -> None:
    large = {"fill": "x" * 40_000}  # so that the file is shortened meanwhile

    def end(number: int) -> None:
        History(tmp_path).add(make_run(number))
        History(tmp_path).add(make_run(number, phase="Complete", status=large if number < 20 else {}))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(end, range(40)))
    assert {run.id: run.phase for run in History(tmp_path).read()} == {
        f"words-{each}": "Complete" for each in range(40)
    }


def test_a_file_that_is_too_long_is_replaced_by_the_newest_runs(tmp_path: Path) -> None:
    history, large = History(tmp_path), {"fill": "x" * 100_000}
    for number in range(60):
        history.add(make_run(number, status=large))
    assert history.path.stat().st_size <= MOST_BYTES
    found = [run.id for run in history.read()]
    assert found == [f"words-{number}" for number in range(59, 59 - len(found), -1)]
    assert len(found) >= MOST_BYTES // 2 // 100_200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs.jsonl", "runs.lock"]


def test_only_its_user_reads_a_history(tmp_path: Path) -> None:
    history = History(tmp_path / "podreduce")
    history.add(make_run(1))
    assert (tmp_path / "podreduce").stat().st_mode & 0o777 == 0o700
    assert history.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"XDG_STATE_HOME": "/state", "HOME": "/home/me"}, "/state/podreduce"),
        ({"HOME": "/home/me"}, "/home/me/.local/state/podreduce"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.local/state/podreduce"),
        ({"XDG_STATE_HOME": "", "HOME": "/home/me"}, "/home/me/.local/state/podreduce"),
    ],
    ids=["named", "by-the-home", "a-relative-one-does-not-count", "an-empty-one-neither"],
)
def test_the_place_is_the_users(environ: dict[str, str], place: str) -> None:
    assert open_history(environ).directory == Path(place)


def test_a_run_is_running_while_its_engine_holds_its_lock(tmp_path: Path) -> None:
    run = begin("words", "job.py", tmp_path)
    assert not run.is_running()
    lock = os.open(tmp_path / "engine.lock", os.O_RDWR | os.O_CREAT)
    os.write(lock, b"1\nfile:///out/\n")
    fcntl.flock(lock, fcntl.LOCK_EX)
    assert run.is_running()
    assert not msgspec.structs.replace(run, phase="Complete").is_running()
    os.close(lock)
    assert not run.is_running()


def test_a_run_is_remembered_from_its_begin_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    workspace = Workspace(path=tmp_path / "podreduce-run-abc", kept={"logs"})
    begun = remember_begin("words", "job.py", workspace)
    history = open_history(os.environ)
    assert history.read() == [begun]
    assert (begun.id, begun.directory) == ("words-abc", str(tmp_path))
    remember_end(begun, {"phase": "Failed"}, workspace, interrupted=False)
    (ended,) = history.read()
    assert (ended.phase, ended.kept, ended.status) == ("Failed", ("logs",), {"phase": "Failed"})
    remember_end(begun, {"phase": "Mapping"}, workspace, interrupted=True)
    assert history.read()[0].phase == "Interrupted"


def test_a_history_that_cannot_be_written_stops_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text("a file")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    remember_begin("words", "job.py", Workspace(path=tmp_path))
    warned = capsys.readouterr().err
    assert warned.startswith(f"warning: podreduce list local will not have this run: {tmp_path}/state/podreduce")
    assert "XDG_STATE_HOME names another place" in warned
