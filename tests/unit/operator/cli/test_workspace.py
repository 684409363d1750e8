import os
import subprocess
import sys
from pathlib import Path

import pytest

from podreduce_operator.cli.workspace import OutputBusyError, open_workspace


def test_a_workspace_is_gone_at_the_end(tmp_path: Path) -> None:
    with open_workspace("file:///out/", tmp_path) as workspace:
        (workspace.path / "store").mkdir()
    assert list(tmp_path.iterdir()) == []


def test_it_is_gone_after_an_error_too(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), open_workspace("file:///out/", tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_logs_are_kept_when_asked_and_left_alone_by_the_next_run(tmp_path: Path) -> None:
    with open_workspace("file:///out/", tmp_path) as workspace:
        (workspace.path / "store").mkdir()
        workspace.logs.mkdir()
        (workspace.logs / "m-0.log").write_text("why")
        kept = workspace.keep(workspace.logs)
    assert kept is not None
    with open_workspace("file:///out/", tmp_path):
        pass
    assert [path.name for path in kept.parent.iterdir()] == ["logs"]
    assert (kept / "m-0.log").read_text() == "why"


def test_bad_records_are_kept_without_the_logs_of_attempts_that_were_made_again(tmp_path: Path) -> None:
    with open_workspace("file:///out/", tmp_path) as workspace:
        for directory in (workspace.logs, workspace.quarantine, workspace.path / "store"):
            directory.mkdir()
            (directory / "file").write_text("what")
        assert workspace.keep(workspace.quarantine) == workspace.quarantine
    assert [path.name for path in workspace.path.iterdir()] == ["quarantine"]
    assert (workspace.quarantine / "file").read_text() == "what"


def test_empty_logs_are_not_kept(tmp_path: Path) -> None:
    with open_workspace("file:///out/", tmp_path) as workspace:
        workspace.logs.mkdir()
        assert workspace.keep(workspace.logs) is None
    assert list(tmp_path.iterdir()) == []


def test_two_runs_cannot_write_to_one_output(tmp_path: Path) -> None:
    with (
        open_workspace("file:///out/", tmp_path),
        pytest.raises(OutputBusyError, match=f"process {os.getpid()}"),
        open_workspace("file:///out/", tmp_path),
    ):
        pass


def test_runs_with_other_outputs_do_not_mind_each_other(tmp_path: Path) -> None:
    with open_workspace("file:///a/", tmp_path) as first, open_workspace("file:///b/", tmp_path) as second:
        assert first.path.is_dir()
        assert second.path.is_dir()


def test_what_a_killed_run_left_goes_with_the_next(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib\nfrom podreduce_operator.cli.workspace import open_workspace\n"
        "with open_workspace('file:///out/', pathlib.Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", script, tmp_path], check=False).returncode == -9
    assert len(list(tmp_path.iterdir())) == 1
    with open_workspace("file:///out/", tmp_path) as workspace:
        assert list(tmp_path.iterdir()) == [workspace.path]


def test_directories_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "podreduce-run-odd").mkdir()
    (tmp_path / "podreduce-run-link").symlink_to("/")
    with open_workspace("file:///out/", tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"podreduce-run-odd", "podreduce-run-link"}


@pytest.mark.parametrize("existed", [True, False], ids=["existed", "made"])
def test_only_an_output_directory_that_the_run_made_and_left_empty_goes(tmp_path: Path, existed: bool) -> None:
    output = tmp_path / "out"
    if existed:
        output.mkdir()
    with open_workspace(f"file://{output}/", tmp_path / "work"):
        output.mkdir(exist_ok=True)
    assert output.exists() is existed


def test_two_runs_with_different_working_directories_cannot_write_to_one_output(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to("out")
    names = [f"file://{tmp_path}/{name}" for name in ("out/", "out", "link/")]
    for name in names:
        with (
            open_workspace(names[0], tmp_path / "a"),
            pytest.raises(OutputBusyError, match=f"process {os.getpid()}"),
            open_workspace(name, tmp_path / "b"),
        ):
            pass
    with open_workspace(names[0], tmp_path / "b"):
        pass
