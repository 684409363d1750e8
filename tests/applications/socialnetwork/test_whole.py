"""From edges to the report: the same in one task and in rounds, for any number of shards, and complete."""

import json
import re
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from podreduce_apps.socialnetwork.louvain import modularity
from podreduce_apps.socialnetwork.sample import write_sample
from tests.applications.socialnetwork.graphs import level_of
from tests.applications.socialnetwork.whole_runs import Run, run_pipeline, write_edges

SMALL = {"tolerance": "0.9", "influenceSets": 2000, "influenceRuns": 50, "drawnVertices": 30, "influencers": 3}


def small_graph() -> Any:
    graph = nx.Graph(nx.karate_club_graph().edges)
    graph.add_edge(40, 41)
    return nx.convert_node_labels_to_integers(graph)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("socialnetwork") / "data"
    write_edges(directory, small_graph())
    groups = "".join(f"v{vertex},{vertex % 2}\n" for vertex in small_graph())
    (directory / "nodes.csv").write_text(f"name,group\n{groups}alone,2\n")
    with (directory / "edges-0.txt").open("a") as file:
        file.write("# a comment\nv0 v0\nnothing\n")
    return directory


@pytest.fixture(scope="module")
def one_task(data: Path) -> Run:
    return run_pipeline(data.parent / "one", data, **SMALL)


@pytest.fixture(scope="module")
def rounds(data: Path) -> Run:
    return run_pipeline(
        data.parent / "rounds", data, "--to", "nodes", shards=2, oneTaskEdges=0, roundsOfLevel=1, **SMALL
    )


def by_vertex(run: Run) -> Any:
    return run.table("nodes").sort_by("vertex")


def test_rounds_of_jobs_give_the_bytes_that_one_task_gives(one_task: Run, rounds: Run) -> None:
    assert re.search(r"loop pagerank: converged after [1-9]\d* iterations", rounds.printed)
    assert "loop pagerank: converged after 1 iteration\n" in one_task.printed
    found, expected = (by_vertex(run).drop_columns(["community"]) for run in (rounds, one_task))
    assert found.equals(expected)


def test_communities_by_rounds_of_jobs_are_connected_and_good(rounds: Run) -> None:
    nodes, graph = by_vertex(rounds), small_graph()
    number = dict(zip(nodes["name"].to_pylist(), nodes["community"].to_pylist(), strict=True))
    labels = np.array([number[f"v{vertex}"] for vertex in graph])
    assert modularity(level_of(graph), labels) >= 0.40
    for community in set(labels.tolist()):
        assert nx.is_connected(graph.subgraph(np.flatnonzero(labels == community).tolist()))


def test_every_vertex_has_what_networkx_says(one_task: Run) -> None:
    nodes, graph = by_vertex(one_task), small_graph()
    rows = {row["name"]: row for row in nodes.to_pylist()}
    assert len(rows) == len(graph) + 1
    assert rows["alone"]["degree"] == 0
    for vertex in graph:
        row = rows[f"v{vertex}"]
        found = [row[name] for name in ("degree", "core", "triangles", "group")]
        assert found == [
            graph.degree(vertex),
            nx.core_number(graph)[vertex],
            nx.triangles(graph, vertex),
            str(vertex % 2),
        ]
    assert sorted(nodes["component"].value_counts().to_pylist(), key=lambda each: each["values"]) == [
        {"values": 1, "counts": 34}, {"values": 2, "counts": 2}, {"values": 3, "counts": 1}
    ]  # fmt: skip


def test_the_report_works_offline_and_says_what_the_tables_say(one_task: Run) -> None:
    page, figures = one_task.file("report.html").read_text(), json.loads(one_task.file("metrics.json").read_text())
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?:https?:)?//""", page)
    assert figures["graph"] | {"transitivity": 0, "averageClustering": 0} == {
        "vertices": 37, "edges": 79, "components": 3, "largestComponent": 34, "triangles": 45, "highestCore": 4,
        "transitivity": 0, "averageClustering": 0,
    }  # fmt: skip
    members = by_vertex(one_task).select(["name", "community"]).to_pylist()
    parts: dict[int, set[int]] = {}
    for row in members:
        parts.setdefault(row["community"], set()).update([int(row["name"][1:])] if row["name"] != "alone" else [])
    expected = nx.community.modularity(small_graph(), [part for part in parts.values() if part])
    assert figures["communities"]["modularity"] == pytest.approx(expected, abs=1e-12)
    assert f"{figures['communities']['modularity']:.3f}" in page
    (layers,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page)
    assert [len(layer["nodes"]) for layer in json.loads(layers)] == [30, figures["communities"]["communities"]]


def test_the_graph_files_hold_what_is_drawn(one_task: Run) -> None:
    gexf = nx.read_gexf(one_task.file("graph.gexf"), version="1.2draft")
    graphml = nx.read_graphml(one_task.file("graph.graphml"))
    assert len(gexf) == len(graphml) == 30
    assert gexf.number_of_edges() == graphml.number_of_edges()
    assert all({"x", "y"} <= set(data["viz"]["position"]) for _, data in gexf.nodes.data())


def test_bad_lines_are_left_out_and_counted(one_task: Run) -> None:
    counters = json.loads((one_task.output / "names" / "_MANIFEST.json").read_text())["counters"]
    assert counters["podreduce"]["mapBadRecords"] == 1


def test_the_sample_is_always_the_same(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_sample(tmp_path / name)
    assert (tmp_path / "a/edges.csv").read_bytes() == (tmp_path / "b/edges.csv").read_bytes()
    assert len((tmp_path / "a/nodes.csv").read_text().splitlines()) == 484
