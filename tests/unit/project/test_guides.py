"""What the guides say beside the reference: figures, ports, labels, images, costs and words are those of the code."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from podreduce.inputs.blocks import CHUNK_BYTES
from podreduce.storage import retries, writer
from podreduce.watching import reporting
from podreduce_operator.pods.pod_names import MANAGED_BY, MANAGED_BY_LABEL
from tests.cost.__main__ import count_requests

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "podreduce"
TEMPLATES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((CHART / "templates").glob("*.yaml"))}
VALUES = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


def read_page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def read_words(name: str) -> str:
    return " ".join(read_page(name).split())


def read_table(page: str) -> list[list[str]]:
    """Return the cells of all rows of all tables of a page."""
    rows = re.findall(r"^\| (.+) \|$", read_page(page), re.MULTILINE)
    return [row.split(" | ") for row in rows if not row.startswith("---")]


def test_the_readme_names_every_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    assert pages <= set(re.findall(r"\]\(([^)#]+)", readme))


def test_every_figure_of_the_comparison_is_one_of_the_benchmarks() -> None:
    figures = re.findall(r"\b\d+\.\d\b(?! for)", read_page("comparison.md"))
    measured = read_page("benchmarks.md")
    assert len(figures) >= 8
    assert [figure for figure in figures if not re.search(rf"\| {re.escape(figure)}[ |]", measured)] == []


def find_policy(page: str) -> dict[str, Any]:
    (text,) = re.findall(r"```yaml\n(apiVersion: networking.*?)```", read_page(page), re.DOTALL)
    policy: dict[str, Any] = yaml.safe_load(text)
    assert (policy["apiVersion"], policy["kind"]) == ("networking.k8s.io/v1", "NetworkPolicy")
    return policy["spec"]


def test_the_policy_for_tasks_selects_tasks_and_lets_them_reach_the_operator() -> None:
    spec = find_policy("network.md")
    assert spec["podSelector"]["matchLabels"] == {MANAGED_BY_LABEL: MANAGED_BY}
    dns, operator, store = spec["egress"]
    assert [each["port"] for each in dns["ports"]] == [53, 53]
    assert operator["ports"] == [{"port": 8081}]
    (component,) = operator["to"][0]["podSelector"]["matchLabels"].items()
    assert ": ".join(component) in TEMPLATES["progress-service"].partition("selector:")[2]
    assert store["ports"] == [{"port": 9000}]
    assert "ingress" not in spec


def test_the_policy_for_the_operator_selects_it_and_keeps_its_ports_open() -> None:
    spec = find_policy("operations.md")
    assert [rule["ports"] for rule in spec["ingress"]] == [[{"port": 8080}], [{"port": 8081}]]
    component = spec["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
    assert f"app.kubernetes.io/component: {component}" in TEMPLATES["deployment"]


def test_the_ports_are_those_of_the_chart() -> None:
    ports = set(re.findall(r"containerPort: (\d+)", "".join(TEMPLATES.values())))
    assert ports == set(re.findall(r"\| (\d{4})\b", read_page("network.md")))


def test_the_images_to_carry_over_are_all_that_the_chart_names() -> None:
    named = set(re.findall(r"image: \{\{ (.+?) \| quote \}\}", "".join(TEMPLATES.values())))
    assert named == {'include "podreduce.image" .', ".Values.minio.image"}
    page = read_page("network.md")
    assert all(f"`{name}`" in page for name in ("image.repository", "image.tag", "runtimeImage", "minio.image"))
    assert not (CHART / "charts").exists()
    assert "dependencies" not in yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))


async def test_an_ended_job_costs_the_requests_that_are_promised() -> None:
    (_, each, _, _), (_, rate, _, _), (_, restarted, _, _) = await count_requests(10)
    rows = {cells[0]: cells[1] for cells in read_table("backup.md")}
    least, most = map(int, re.findall(r"\d+", rows["the operator's requests for a job of three tasks"])[:2])
    assert least <= each <= most
    assert rows["a job that has finished"].startswith("none")
    assert (rate, restarted) == (0, 0)


@pytest.mark.parametrize(
    ("page", "claim"),
    [
        ("backup.md", f"1 for each object or {CHUNK_BYTES >> 20} MiB of it"),
        ("backup.md", f"or more for a blob over {writer.PART_BYTES >> 20} MiB"),
        ("backup.md", "746 map tasks and 373 reduce tasks make some 280,000 reads"),
        ("performance.md", "| 100 GB | 746 | 373 |"),
        ("network.md", f"repeat their requests to the store for {retries.RETRY_SECONDS:.0f} seconds"),
        ("network.md", {5: "a report every five seconds"}[int(reporting.REPORT_SECONDS)]),
    ],
)
def test_a_guide_states_what_the_code_does(page: str, claim: str) -> None:
    assert claim in read_words(page)


def test_the_operator_requests_what_the_page_says() -> None:
    assert VALUES["resources"] == {"requests": {"cpu": "100m", "memory": "192Mi"}, "limits": {"memory": "1Gi"}}
    assert "192 MiB and a tenth of a core are requested, 1 GiB is the limit" in read_page("backup.md")


def test_the_glossary_is_in_order_and_has_each_word_once() -> None:
    words = [cells[0] for cells in read_table("glossary.md")][1:]
    assert words == sorted(set(words), key=str.casefold)


def test_the_glossary_has_the_words_that_other_pages_explain() -> None:
    words = {cells[0] for cells in read_table("glossary.md")}
    paragraph = read_words("jobs.md").partition("The words")[2].partition("## ")[0]
    explained = set(re.findall(r"\*\*(\w+)\*\*", paragraph))
    table = read_page("architecture.md").partition("## The words")[2].partition("\n## ")[0]
    for cell in re.findall(r"^\| ([a-z ,]+) \|", table, re.MULTILINE):
        explained |= set(cell.split(", "))
    assert len(explained) > 12
    assert {word.removesuffix("s") for word in explained - {"word"}} <= words
