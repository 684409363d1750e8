"""The report's tables, key figures and protocol."""

from collections.abc import Mapping
from typing import Any

from podreduce_apps.counted_nouns import count_of
from podreduce_apps.report_page import KeyFigure, Table, format_count, format_number, format_share

__all__ = ["describe_protocol", "key_figures", "table_of_communities", "table_of_influencers", "table_of_top"]

MOST_COMMUNITIES = 30
MOST_TOP = 20


def key_figures(figures: Any) -> list[KeyFigure]:  # noqa: ANN401 - figures by topic and name
    """Return the numbers that everybody should see first."""
    graph, communities, influence = (figures[topic] for topic in ("graph", "communities", "influence"))
    return [
        KeyFigure(label="vertices", value=format_count(graph["vertices"]), note=count_of(graph["edges"], "edge")),
        KeyFigure(
            label="connected",
            value=format_share(graph["largestComponent"] / graph["vertices"]),
            note=f"of all are in the largest of {count_of(graph['components'], 'component')}",
        ),
        KeyFigure(
            label="communities",
            value=format_count(communities["communities"]),
            note=f"{format_share(communities['coverage'])} of the edges' weight is within them",
        ),
        KeyFigure(
            label="modularity",
            value=format_number(communities["modularity"]),
            note="0: no more edges within than by chance; above 0.3: clear communities",
        ),
        KeyFigure(
            label="reach",
            value=format_count(influence["simulated"]),
            note=f"hear a message from {influence['chosen']} chosen; ± {influence['simulatedMargin']:.1f}, simulated",
        ),
    ]


def table_of_communities(communities: Any) -> Table:  # noqa: ANN401 - a Table
    """Return the largest communities."""
    rows = communities.slice(0, MOST_COMMUNITIES).to_pylist()
    has_groups = any(row["topGroup"] for row in rows)
    columns = ["no.", "members", "edges", "density", "conductance", "highest PageRank"]
    return Table(
        columns=[*columns, "most frequent group"] if has_groups else columns,
        numeric=frozenset(columns[:5]),
        rows=[describe_community(row, has_groups=has_groups) for row in rows],
        caption=f"The largest {len(rows)} of {count_of(communities.num_rows, 'community', 'communities')}. Density: "
        "the share of pairs of members that are joined. Conductance: the share of its edges' weight that leaves it; "
        "0: none does.",
    )


def describe_community(row: dict[str, Any], *, has_groups: bool) -> list[object]:
    """Return a community's cells."""
    cells: list[object] = [
        row["community"],
        format_count(row["members"]),
        format_count(row["edges"]),
        format_number(row["density"]),
        format_number(row["conductance"]),
        ", ".join(row["topMembers"]),
    ]
    share = f"{row['topGroup']} ({format_share(row['groupShare'], 0)})" if row["topGroup"] else "-"
    return [*cells, share] if has_groups else cells


def table_of_influencers(influence: Any, rows: list[dict[str, Any]]) -> Table:  # noqa: ANN401 - a Table
    """Return the chosen vertices in the order of the choice."""
    chosen = influence.sort_by("place").to_pylist()
    before = [0.0, *(each["reach"] for each in chosen)]
    return Table(
        columns=["place", "name", "community", "neighbours", "adds", "reach so far"],
        numeric=frozenset({"place", "community", "neighbours", "adds", "reach so far"}),
        rows=[
            [
                each["place"],
                rows[each["vertex"]]["name"],
                rows[each["vertex"]]["community"],
                rows[each["vertex"]]["degree"],
                format_number(each["reach"] - so_far, 1),
                format_number(each["reach"], 1),
            ]
            for so_far, each in zip(before, chosen, strict=False)
        ],
        caption="Who should send a message so that most hear it. Each one is chosen for those whom the ones before do "
        "not reach, so a well connected neighbour of one who is chosen may come late or not at all.",
    )


def table_of_top(nodes: Any) -> Table:  # noqa: ANN401 - a Table
    """Return the vertices with the highest PageRank."""
    rows = nodes.sort_by([("pagerank", "descending"), ("vertex", "ascending")]).slice(0, MOST_TOP).to_pylist()
    columns = ["name", "community", "neighbours", "PageRank", "authority", "core", "triangles", "clustering"]
    return Table(
        columns=columns,
        numeric=frozenset(columns[1:]),
        rows=[
            [
                row["name"],
                row["community"],
                format_count(row["degree"]),
                format_number(row["pagerank"], 5),
                format_number(row["authority"], 5),
                row["core"],
                format_count(row["triangles"]),
                format_number(row["clustering"]),
            ]
            for row in rows
        ],
        caption=f"Those with the highest PageRank: {count_of(len(rows), 'vertex', 'vertices')}. PageRank "
        "and authority each sum to 1 over all vertices. Clustering: the share of pairs of neighbours that are joined.",
    )


def describe_protocol(parameters: Mapping[str, str], convergence: Mapping[str, Any]) -> dict[str, str]:
    """Return how each figure was measured, and whether the rounds ended before the scores had settled."""
    directed = parameters["directed"] == "yes"
    chance = parameters["influenceChance"]
    ways = "1 / the number of edges into the vertex" if chance == "shared" else chance
    return {
        "Edges": "directed; communities, cores and triangles ignore the direction" if directed else "undirected",
        "PageRank": f"damping {parameters['damping']}, no weights, "
        f"{describe_end('pagerank', parameters, convergence)}; sums to 1",
        "Hubs and authorities": f"HITS, no weights, {describe_end('hits', parameters, convergence)}; each sums to 1",
        "Communities": f"Louvain in {parameters['subRounds']} sub-rounds, weighted, resolution "
        f"{parameters['resolution']}; each community is connected; modularity at resolution 1",
        "Influence": f"independent cascades, an edge passes a message on with chance {ways}; "
        f"{parameters['influenceSets']} reverse-reachable sets, seed {parameters['seed']}",
        "Check of influence": f"{parameters['influenceRuns']} simulated messages with other coins; mean with its 95 % "
        "interval",
        "Agreement": "over the vertices with a known group: NMI with arithmetic mean, ARI, mean of best F1 both ways",
    }


def describe_end(name: str, parameters: Mapping[str, str], convergence: Mapping[str, Any]) -> str:
    """Return why the rounds of a measure ended."""
    if not convergence[name]:
        return f"until all scores together change by less than {parameters['tolerance']}"
    return (
        f"until the limit of rounds: {format_count(convergence[name])} of "
        f"{count_of(convergence['vertices'], 'vertex', 'vertices')} had not settled to "
        f"{parameters['tolerance']}, so their scores are not exact"
    )
