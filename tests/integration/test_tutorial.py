"""The tutorial's part for one machine, run as written: one bash, the blocks in their order."""

from pathlib import Path

from tests.support.quick_start import make_place, run_bash
from tests.support.tutorial import read_script, read_shown

MADE = "make() { :; }  # .venv is there already\n"


def test_the_tutorial_works_as_written(tmp_path: Path) -> None:
    place = tmp_path / "checkout"
    place.mkdir()
    make_place(place)
    (tmp_path / "tmp").mkdir()
    environment = {"XDG_STATE_HOME": str(tmp_path / "state"), "TMPDIR": str(tmp_path / "tmp")}
    ran = run_bash(MADE + read_script("tutorial"), place=place, environment=environment)
    assert ran.returncode == 0, ran.stdout
    shown = read_shown("tutorial")
    assert len(shown) > 5
    assert [line for line in shown if line not in ran.stdout] == [], ran.stdout
    parts = sorted((place / "sales" / "revenue").glob("part-*"))
    assert "".join(part.read_text() for part in parts) == "FR\t20.0\nNL\t38.0\n"
