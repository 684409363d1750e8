"""The pages link to what is there, and each says for whom it is."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from podreduce_operator.api.crd import JOBS, PIPELINES, SCHEDULES, load_crd

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").rglob("README.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")
CONTENTS_FROM_LINES = 100
TEXTS = [
    *PAGES,
    *sorted((ROOT / "crds").glob("*.yaml")),
    ROOT / "charts" / "podreduce" / "values.yaml",
    ROOT / "charts" / "podreduce" / "templates" / "NOTES.txt",
]
CRDS = sorted((ROOT / "crds").glob("*.yaml"))
KIND = re.compile(r"mapreduce(job|pipeline|schedule)s?", re.IGNORECASE)
NAME = r"`?mapreduce\w+(?:\.podreduce\.dev)?`?"
KINDS = re.compile(rf"{NAME}(?:,? (?:and |or )?(?:an? )?{NAME})+", re.IGNORECASE)
"""A list of kinds, by their names."""
READ_TWICE = re.compile(
    r"\b(?:whoever|anew|amid|as ever|is told of|are told of|, of which|mend(?:ed|s)?|such that)\b", re.IGNORECASE
)


def iter_headings(page: Path) -> Iterator[str]:
    is_code = False
    for line in page.read_text(encoding="utf-8").split("\n"):
        is_code ^= line.lstrip().startswith("```")
        if not is_code and line.startswith("#"):
            yield line.lstrip("# ")


def make_anchor(heading: str) -> str:
    """As GitHub does."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path if path else page
        anchors = {make_anchor(heading) for heading in iter_headings(target)} if target.suffix == ".md" else set()
        if not target.exists() or (anchor and anchor not in anchors):
            broken.append(f"{path}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_a_page_says_for_whom_it_is_and_what_is_in_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.match(r"# .+\n\nFor ", text)
    listed = re.findall(r"^- \[(.+)\]\(#", text, re.MULTILINE)
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    if text.count("\n") > CONTENTS_FROM_LINES:
        assert listed == sections


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_list_with_jobs_and_schedules_has_pipelines_too(text: Path) -> None:
    words = re.sub(r"\s+(?:# )?", " ", text.read_text(encoding="utf-8"))
    kinds = [{name.lower() for name in KIND.findall(found[0])} for found in KINDS.finditer(words)]
    assert [found for found in kinds if {"job", "schedule"} <= found and "pipeline" not in found] == []


def test_the_way_to_uninstall_leaves_no_kind() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").partition("## Uninstall")[2]
    (removed,) = re.findall(r"kubectl delete crd (.+)$", text, re.MULTILINE)
    names = {load_crd(kind)["metadata"]["name"] for kind in (JOBS, PIPELINES, SCHEDULES)}
    assert set(removed.split()) == names == {path.stem.partition("_")[2] + ".podreduce.dev" for path in CRDS}
    order = [text.index(f"kubectl delete {short} --all --all-namespaces") for short in ("mrs", "mrp", "mrj")]
    assert order == sorted(order), "what makes others goes first"


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_text_for_users_has_no_words_that_are_read_twice(text: Path) -> None:
    assert READ_TWICE.findall(text.read_text(encoding="utf-8")) == []
