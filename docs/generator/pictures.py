"""The pictures of the docs."""

from docs.generator.tables import ROOT
from podreduce_operator.api.pipeline_parameters import resolve_steps
from podreduce_operator.cli.pipelines.graph import Known, StepMark, build_graph
from podreduce_operator.cli.pipelines.graph_svg import draw_svg
from podreduce_operator.cli.pipelines.pipeline_file import load_pipeline, parse_pipeline_file


def draw_pagerank() -> str:
    """Draw the pipeline of the example pagerank as it is after a run, if its last step was edited."""
    path = ROOT / "examples" / "pagerank" / "pipeline.yaml"
    file = parse_pipeline_file(path.read_text(encoding="utf-8"), path.name)
    spec = resolve_steps(load_pipeline(file).spec)
    known = Known(
        marks=dict.fromkeys(("seed", "spread", "sum"), StepMark.REUSE),
        notes={"seed": ["unchanged since run 1"]},
        iterations={"rank": 15},
        path=["top"],
    )
    return draw_svg(build_graph(spec, known), "pagerank")
