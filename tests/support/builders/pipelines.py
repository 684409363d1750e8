"""Pipelines, with the CRD's defaults. Fields are those of the YAML."""

from collections.abc import Mapping
from typing import Any

from podreduce_operator.api.pipeline_spec import decode_pipeline_spec
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pipelines import PipelineView

__all__ = ["LINKS", "PAGERANK", "PIPELINE_DEFAULTS", "SOURCE", "make_pipeline"]

SOURCE = """\
class Seed:
    def map_func(self, key, value):
        yield value, 1.0


class Spread:
    def map_func(self, key, value):
        yield key, value


class Sum:
    def map_func(self, key, value):
        yield key, value

    def reduce_func(self, key, values):
        yield key, sum(values)


class Top(Sum):
    pass
"""
LINKS: dict[str, Any] = {"uris": ["s3://web/links/day=$(parameters.day)/"]}
PAGERANK: dict[str, Any] = {
    "program": {"source": SOURCE},
    "parameters": {"day": "2026-05-01"},
    "steps": [
        {"name": "seed", "className": "Seed", "inputs": [LINKS], "reduce": {"partitions": 0}},
        {
            "name": "spread",
            "className": "Spread",
            "inputs": [{"name": "links", **LINKS}, {"previous": "sum", "first": {"from": "seed"}}],
        },
        {"name": "sum", "className": "Sum", "inputs": [{"from": "spread"}]},
        {"name": "top", "className": "Top", "inputs": [{"from": "sum"}], "output": {"uri": "s3://web/top"}},
    ],
    "loops": [
        {
            "name": "rank",
            "steps": ["spread", "sum"],
            "maxIterations": 30,
            "until": [{"step": "sum", "counter": "rank/micro", "operator": "Less", "than": 1000}],
        }
    ],
}
PIPELINE_DEFAULTS: dict[str, Any] = {
    "onStepFailure": "FinishRunning",
    "reuse": "Unchanged",
    "intermediates": "UntilTTL",
    "runId": "1",
    "suspend": False,
    "ttlSecondsAfterFinished": 60,
    "storage": {"secretRef": {"name": "podreduce-storage"}},
}


def make_pipeline(
    fields: Mapping[str, Any] = PAGERANK, *, name: str = "pagerank", labels: Mapping[str, str] | None = None
) -> PipelineView:
    """A pipeline with these fields in its spec."""
    raw_spec = {**PIPELINE_DEFAULTS, **fields}
    return PipelineView(
        key=JobKey(namespace="shop", name=name),
        uid="u-1",
        generation=1,
        spec=decode_pipeline_spec(raw_spec),
        raw_spec=raw_spec,
        status={},
        labels=labels or {},
    )
