"""What a pass over a long loop costs the operator: to decide and to make the status, after so many iterations."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import median
from typing import Any, Final

from podreduce_operator.model.pipeline_records import Place, StepRecord
from podreduce_operator.model.pipelines import (
    Data,
    PipelineObserved,
    PipelineRunState,
    StepDigests,
)
from podreduce_operator.pipelines.freshness import input_digest
from podreduce_operator.pipelines.picture import as_record, look_at
from podreduce_operator.policy.decide_pipeline import decide_pipeline
from podreduce_operator.policy.pipeline_status import build_pipeline_status
from tests.bench.pipelines.rows import Row
from tests.support.builders.pipelines import make_pipeline

__all__ = ["measure_passes"]

ITERATIONS: Final = (10, 100, 999)
MOST_STEPS: Final = 64
REPEATS: Final = 5
NOW: Final = 1_780_000_000.0
URIS: Final = ("s3://web/links/",)
FIELDS: Final[dict[str, Any]] = {
    "steps": [
        {"name": "seed", "inputs": [{"uris": list(URIS)}]},
        {"name": "spread", "inputs": [{"previous": "sum", "first": {"from": "seed"}}]},
        {"name": "sum", "inputs": [{"from": "spread"}]},
    ],
    "loops": [{"name": "rank", "steps": ["spread", "sum"], "maxIterations": 1000}],
}


def measure_passes() -> list[Row]:
    """Time one pass after each number of iterations."""
    observed, rows = begin(FIELDS), list[Row]()
    for place in (Place(step="seed"), *(Place(step=s, iteration=i + 1) for i in range(max(ITERATIONS)) for s in STEPS)):
        observed = complete(observed, place)
        if place.step == STEPS[-1] and place.iteration in ITERATIONS:
            rows.append(measure_pass(observed, f"after {place.iteration:,} iterations"))
    return [*rows, measure_many_steps()]


def measure_many_steps() -> Row:
    """Time one pass over a run of as many steps as there may be, all complete."""
    steps: list[dict[str, Any]] = [{"name": "s-0", "inputs": [{"uris": list(URIS)}]}]
    steps += [{"name": f"s-{n}", "inputs": [{"from": f"s-{n - 1}"}]} for n in range(1, MOST_STEPS)]
    observed = begin({"steps": steps})
    for step in steps:
        observed = complete(observed, Place(step=step["name"]))
    return measure_pass(observed, f"of {MOST_STEPS} steps")


STEPS: Final = ("spread", "sum")


def measure_pass(observed: PipelineObserved, what: str) -> Row:
    """Time both halves of a pass."""
    verdict = decide_pipeline(observed, NOW).verdict

    def tell() -> dict[str, Any]:
        return build_pipeline_status(observed, verdict, NOW, current=observed.pipeline.raw_spec)

    deciding, telling = time_of(lambda: decide_pipeline(observed, NOW)), time_of(tell)
    size = len(json.dumps(tell(), separators=(",", ":")))
    figure = f"{deciding * 1000:.1f} + {telling * 1000:.1f} ms; status {size:,} bytes"
    return Row(what=f"a pass {what}: decide + status", figure=figure)


def time_of(call: Callable[[], object]) -> float:
    """Return the median seconds of a call."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return median(times)


def begin(fields: Mapping[str, Any]) -> PipelineObserved:
    """Return a run that has just been pinned."""
    names = [step["name"] for step in fields["steps"]]
    return PipelineObserved(
        pipeline=make_pipeline(fields, name="rank"),
        run=PipelineRunState(run_id="1", started_at=NOW - 100),
        run_hash="r",
        parallelism=8,
        digests={name: StepDigests(spec=name, listings={URIS: "links"}) for name in names},
    )


def complete(observed: PipelineObserved, place: Place) -> PipelineObserved:
    """Return the run after a step of it is complete."""
    known = {name: as_record(record, observed) for name, record in observed.records.items()}
    node = next(node for node in reversed(look_at(observed).unrolled.nodes) if node.name == str(place))
    record = make_record(place, input_digest(node, known))
    records = {**observed.records, str(place): record}
    return replace(observed, records=records, data=dict.fromkeys(records, Data.PRESENT))


def make_record(place: Place, digest: str) -> StepRecord:
    """Return the record of a complete step."""
    name = str(place)
    return StepRecord(
        place=place,
        job_uid=name,
        spec_digest=place.step,
        input_digest=digest,
        output_digest=name,
        output_uri=f"s3://work/{name}/",
        run_id="1",
        records=1000,
        bytes=30_000,
        bytes_in=30_000,
        slot_seconds=1.0,
        seconds=2.0,
    )
