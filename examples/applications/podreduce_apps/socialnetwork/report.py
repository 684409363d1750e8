"""The report: one page for people, with the graph to look around in; the drawn graph as files; all figures as JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from podreduce_apps.counted_nouns import count_of
from podreduce_apps.job_context import JobContext
from podreduce_apps.parameters import read_whole
from podreduce_apps.report_page import json_for_script, render_page
from podreduce_apps.socialnetwork.drawing import Picture, draw_communities, draw_vertices, most_ranked
from podreduce_apps.socialnetwork.exports import colour_of, write_gexf, write_graphml
from podreduce_apps.socialnetwork.graph import sorted_rows
from podreduce_apps.socialnetwork.plots import draw_plots
from podreduce_apps.socialnetwork.report_tables import (
    describe_protocol,
    key_figures,
    table_of_communities,
    table_of_influencers,
    table_of_top,
)
from podreduce_apps.socialnetwork.summary import summarise

__all__ = ["Report"]

TEMPLATE = Path(__file__).parent / "templates" / "report.html.jinja"
SCRIPT = TEMPLATE.with_name("graph.js")


class Report:
    """Communities → figures as records, and the files beside them. In one task."""

    def setup(self, context: JobContext) -> None:
        """Read the tables."""
        self.context = context
        self.nodes = context.side_table("nodes").sort_by("vertex")
        self.communities = context.side_table("communities")
        self.influence = context.side_table("influence")
        self.is_written = False

    def map_batch(self, batch: Any) -> Any:  # noqa: ANN401 - Arrow in and out
        """Write the report with the first batch, and yield its figures."""
        del batch
        if self.is_written:
            return None
        self.is_written = True
        figures = summarise(self.nodes, self.communities, self.influence)
        self.write_files(figures)
        flat = [(f"{topic}/{name}", value) for topic, each in figures.items() for name, value in each.items()]
        return pa.table({"figure": [name for name, _ in flat], "value": pa.array([v for _, v in flat], pa.float64())})

    def write_files(self, figures: Any) -> None:  # noqa: ANN401 - figures by topic and name
        """Write the page, the graph files and the figures."""
        pictures = self.draw()
        rows = self.nodes.to_pylist()
        place = self.context.output_file
        write_gexf(place("graph.gexf"), pictures[0], rows)
        write_graphml(place("graph.graphml"), pictures[0], rows)
        protocol = describe_protocol(self.context.parameters, figures["convergence"])
        place("metrics.json").write_text(json.dumps({"protocol": protocol, **figures}, indent=1) + "\n", "utf-8")
        place("report.html").write_text(self.render(figures, protocol, pictures, rows), "utf-8")

    def draw(self) -> tuple[Picture, Picture]:
        """Return the picture of the vertices and that of the communities."""
        graph, numbers = sorted_rows(self.context.side_table("graph")), self.nodes["community"].to_numpy()
        communities = draw_communities(graph, numbers)
        most = read_whole(self.context.parameters, "drawnVertices", least=1)
        drawn = most_ranked(self.nodes["pagerank"].to_numpy(), most)
        return draw_vertices(graph, numbers, drawn, communities), communities

    def render(self, figures: Any, protocol: Any, pictures: tuple[Picture, Picture], rows: Any) -> str:  # noqa: ANN401 - rows as dicts
        """Return the page."""
        return render_page(
            TEMPLATE,
            figures=figures,
            tiles=key_figures(figures),
            protocol=list(protocol.items()),
            picture=pictures[0],
            graph=json_for_page(pictures, rows, self.communities.to_pylist()),
            script=SCRIPT.read_text("utf-8"),
            plots=draw_plots(self.nodes, self.communities, self.influence, figures),
            communities=table_of_communities(self.communities),
            influencers=table_of_influencers(self.influence, rows),
            top=table_of_top(self.nodes),
            has_groups=figures["agreement"]["nmi"] is not None,
        )


def json_for_page(pictures: tuple[Picture, Picture], rows: Any, communities: Any) -> str:  # noqa: ANN401 - rows as dicts
    """Return both pictures as JSON that can stand inside of a page's script."""
    layers = [
        layer(pictures[0], list(vertex_marks(pictures[0], rows))),
        layer(pictures[1], list(community_marks(pictures[1], communities))),
    ]
    return json_for_script(layers)


def layer(picture: Picture, marks: list[Any]) -> dict[str, Any]:
    """Return a picture's marks, and its edges as places in their list."""
    places = {vertex: place for place, vertex in enumerate(picture.graph)}
    edges = [(places[here], places[there], weight) for here, there, weight in picture.graph.edges.data("weight")]
    return {"nodes": marks, "edges": edges}


def vertex_marks(picture: Picture, rows: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - rows as dicts
    """Yield what is drawn of each vertex."""
    largest = max(rows[vertex]["pagerank"] for vertex in picture.graph)
    for vertex in picture.graph:
        row = rows[vertex]
        facts = (
            f"community {row['community']} · {count_of(row['degree'], 'neighbour')} · PageRank {row['pagerank']:.5f}"
        )
        yield {
            "x": picture.positions[vertex][0],
            "y": picture.positions[vertex][1],
            "size": round((row["pagerank"] / largest) ** 0.5, 3),
            "colour": "#{:02x}{:02x}{:02x}".format(*colour_of(row["community"])),
            "name": row["name"],
            "facts": f"{row['group']} · {facts}" if row["group"] else facts,
            "mark": row["influence"],
        }


def community_marks(picture: Picture, communities: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - rows as dicts
    """Yield what is drawn of each community."""
    largest = communities[0]["members"]
    for number in picture.graph:
        row = communities[number - 1]
        yield {
            "x": picture.positions[number][0],
            "y": picture.positions[number][1],
            "size": round((row["members"] / largest) ** 0.5 * 2, 3),
            "colour": "#{:02x}{:02x}{:02x}".format(*colour_of(number)),
            "name": f"{number}: {row['topGroup']}" if row["topGroup"] else f"community {number}",
            "facts": f"{count_of(row['members'], 'member')} · {', '.join(row['topMembers'][:3])}",
            "mark": 0,
        }
