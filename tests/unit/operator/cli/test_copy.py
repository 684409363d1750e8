"""`podreduce copy` copies what is there, and nothing that a run only holds there for a while."""

from pathlib import Path

from podreduce_operator.cli.copy import copy_objects
from podreduce_operator.cli.run import ExitStatus


def test_what_a_run_holds_while_it_publishes_is_left_out(tmp_path: Path) -> None:
    names = ("_SUCCESS", "_MANIFEST.json", "part-r-00000.txt", "_files/_report.html", "other/part-r-00000.txt")
    held = ("_podreduce-claim", "_podreduce-staging/1/part", "other/_podreduce-claim")
    for name in (*names, *held):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text(name)
    assert copy_objects(f"{tmp_path}/out/", f"{tmp_path}/copy/") is ExitStatus.COMPLETE
    copied = {str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*") if path.is_file()}
    assert copied == {*names}
