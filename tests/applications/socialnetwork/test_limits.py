"""What the report says when rounds end before scores settle, and graphs and names at the edge of what there is."""

from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest

from podreduce_apps.socialnetwork.adjacency import Adjacency
from podreduce_apps.socialnetwork.drawing import Picture
from podreduce_apps.socialnetwork.exports import MEASURES, write_gexf, write_graphml
from podreduce_apps.socialnetwork.hits import Hits, StartHits
from podreduce_apps.socialnetwork.pagerank import PageRank, StartPageRank
from podreduce_apps.socialnetwork.report_tables import describe_protocol
from podreduce_apps.socialnetwork.summary import describe_convergence
from tests.applications.socialnetwork.graphs import table_of

PARAMETERS = {
    "damping": "0.85",
    "tolerance": "1e-9",
    "oneTaskEdges": "0",
    "directed": "no",
    "subRounds": "4",
    "resolution": "1",
    "influenceChance": "shared",
    "influenceSets": "9",
    "influenceRuns": "9",
    "seed": "7",
}


class PlainContext:
    parameters = PARAMETERS
    task = "m-0"

    def __init__(self, **tables: Any) -> None:
        self.tables, self.unsettled = tables, -1

    def side_table(self, name: str) -> Any:
        return self.tables[name]

    def count(self, _group: str, _name: str, n: int = 1) -> None:
        self.unsettled = n


def rounds_of(start: Any, job: Any, side: str, rounds: int) -> tuple[Any, int]:
    """Return the state after some rounds, and how many vertices were not settled in the last."""
    graph = table_of(nx.Graph(nx.karate_club_graph().edges))
    start.setup(PlainContext(degrees=graph, graph=graph))
    (batch,) = graph.combine_chunks().to_batches()
    state, context = start.map_batch(batch), PlainContext()
    for _ in range(rounds):
        context = PlainContext(**{side: state})
        job.setup(context)
        state = job.map_batch(batch)
    return state, context.unsettled


@pytest.mark.parametrize("rounds", [1, 2, 200])
@pytest.mark.parametrize(
    ("start", "job", "side"),
    [pytest.param(StartPageRank, PageRank, "ranks", id="pagerank"), pytest.param(StartHits, Hits, "scores", id="hits")],
)
def test_a_state_says_which_vertices_are_settled(start: Any, job: Any, side: str, rounds: int) -> None:
    state, unsettled = rounds_of(start(), job(), side, rounds)

    assert state["settled"].to_pylist().count(False) == unsettled
    assert (unsettled == 0) == (rounds == 200)


@pytest.mark.parametrize(
    ("pagerank", "hits", "said"),
    [
        pytest.param([True, True], [True, True], {}, id="all settled"),
        pytest.param([True, False], [True, True], {"PageRank": "1 of 2"}, id="ranks are not"),
        pytest.param([True, True], [False, False], {"Hubs and authorities": "2 of 2"}, id="hubs are not"),
    ],
)
def test_the_report_does_not_call_settled_what_is_not(
    pagerank: list[bool], hits: list[bool], said: dict[str, str]
) -> None:
    nodes = pa.table({"pagerankSettled": pagerank, "hitsSettled": hits})

    protocol = describe_protocol(PARAMETERS, describe_convergence(nodes))

    for name in ("PageRank", "Hubs and authorities"):
        text = protocol[name]
        assert ("had not settled" in text) == (name in said)
        assert said.get(name, "") in text


def test_a_graph_without_vertices_is_refused_by_name() -> None:
    empty = pa.table({"vertex": pa.array([], pa.int64()), "name": pa.array([], pa.string())})

    with pytest.raises(ValueError, match="no vertices"):
        Adjacency().setup(PlainContext(names=empty))


@pytest.mark.parametrize("name", ["a\x01b", "\x0b", "tab\tand\x1f", "no\ufffechar", "Ünï<&>\"'", "\U0001f600"])
def test_any_name_makes_a_file_that_other_tools_read(name: str, tmp_path: Path) -> None:
    graph = nx.Graph()
    graph.add_edge(0, 1, weight=1.0)
    rows = [{"name": each, "group": each, **dict.fromkeys(MEASURES, 1), "pagerank": 0.5} for each in (name, "plain")]
    picture = Picture(graph=graph, positions={0: (0.0, 0.0), 1: (1.0, 1.0)})

    write_gexf(tmp_path / "graph.gexf", picture, rows)
    write_graphml(tmp_path / "graph.graphml", picture, rows)

    expected = "".join(each if each == "\t" or (each.isprintable() and each != "\ufffe") else "\ufffd" for each in name)
    gexf = nx.read_gexf(tmp_path / "graph.gexf", version="1.2draft")
    graphml = nx.read_graphml(tmp_path / "graph.graphml")
    assert sorted(data["label"] for _, data in gexf.nodes.data()) == sorted([expected, "plain"])
    assert sorted(data["label"] for _, data in graphml.nodes.data()) == sorted([expected, "plain"])
    assert np.array_equal(sorted(gexf.nodes), sorted(graphml.nodes))
