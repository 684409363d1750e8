"""docs/architecture.md is what the tree is, and the generated parts of all pages are what the code is."""

import ast
import re
from pathlib import Path

import pytest

from docs.generator.packages import PACKAGES, read_floors
from docs.generator.pages import PAGES, PICTURES, render

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PLACES = sorted(set(re.findall(r"`([a-z_]+(?:/[a-z_]+)+)`", PAGE)))
SOURCES = (ROOT / "operator" / "podreduce_operator", ROOT / "runtime" / "podreduce", ROOT)


@pytest.mark.parametrize("page", PAGES)
def test_the_generated_parts_are_those_of_the_code(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert render(text) == text, "run `make docs`"


def test_the_pictures_are_drawn_by_the_code_and_shown_on_a_page() -> None:
    pictures = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.svg")}
    assert pictures == set(PICTURES)
    pages = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md"))
    for name, draw in PICTURES.items():
        assert (ROOT / name).read_text(encoding="utf-8") == draw(), "run `make docs`"
        assert f"]({Path(name).name})" in pages


def test_every_page_with_generated_parts_is_listed() -> None:
    pages = {path for path in (ROOT / "docs").glob("*.md") if "<!-- generated: " in path.read_text(encoding="utf-8")}
    assert {page.relative_to(ROOT).as_posix() for page in pages} == set(PAGES)


def test_every_package_is_drawn() -> None:
    for name, source in PACKAGES.items():
        drawn = {child for floor in read_floors(name) for child in floor}
        assert drawn == {path.parent.name for path in source.glob("*/__init__.py")}


def find_calls(name: str) -> set[str]:
    """Return the modules of the operator that call a class or method of this name."""
    operator = ROOT / "operator" / "podreduce_operator"
    found = set()
    for path in operator.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and name in {getattr(node.func, "id", ""), getattr(node.func, "attr", "")}:
                found.add(path.relative_to(operator).with_suffix("").as_posix())
    return found


def test_one_module_decides_which_pods_are_deleted_and_one_deletes_them() -> None:
    assert find_calls("DeletePod") == {"policy/pod_deletion"}
    own = {"cluster/local/processes", "cluster/local/local_jobs"}  # which end their own processes when they close
    callers = find_calls("delete_pod") - own
    assert callers == {"loop/apply"}


def test_one_module_publishes_a_job_s_output_and_one_that_of_a_loop() -> None:
    assert find_calls("publish") == {"runs/commit_output", "pipeline_runs/publish_loop"}


@pytest.mark.parametrize("place", PLACES)
def test_every_place_that_is_named_is_there(place: str) -> None:
    assert any((source / f"{place}.py").exists() or (source / place).is_dir() for source in SOURCES)
