"""A record may be as large as the largest that the operator itself writes."""

from typing import Any

import pytest

from podreduce.contract.wire import Wire, encode
from podreduce_operator.model.pipeline_records import (
    PinnedListing,
    PinnedPipeline,
    PinnedSource,
    PinnedStep,
    Place,
    StepRecord,
)
from podreduce_operator.runs.stored_records import decode_record

STEPS, INPUTS, SIDE_INPUTS, URIS, COUNTERS = 64, 4, 8, 8, 1000
"""What docs/pipelines.md and docs/jobs.md allow."""


def make_input(number: int) -> dict[str, Any]:
    return {
        "name": f"input-{number}",
        "uris": [f"s3://corpus/{number}/{part}/" for part in range(URIS)],
        "format": "Parquet",
        "columns": [f"column-{column}" for column in range(50)],
        "filter": [{"column": "day", "operator": "In", "values": [1, 2, 3]}] * 4,
    }


def make_step(number: int) -> dict[str, Any]:
    return {
        "name": f"step-{number}",
        "program": {"source": "x" * (16 << 10), "parameters": {f"name-{each}": "value" for each in range(50)}},
        "inputs": [make_input(each) for each in range(INPUTS)],
        "sideInputs": [make_input(each) for each in range(SIDE_INPUTS)],
    }


PINNED = PinnedPipeline(
    uid="7c0f",
    run_id="1",
    spec={"steps": [make_step(number) for number in range(STEPS)]},
    sources=tuple(PinnedSource(config_map=f"map-{each}", key="job.py", text="y" * (128 << 10)) for each in range(8)),
    steps=tuple(PinnedStep(name=f"step-{number}", spec_digest="d" * 64) for number in range(STEPS)),
    listings=tuple(PinnedListing(uris=("s3://corpus/",) * URIS, digest="d" * 64, bytes=1) for _ in range(STEPS * 12)),
)
STEP = StepRecord(
    place=Place(step="sum", iteration=1000),
    job_uid="7c0f",
    spec_digest="d" * 64,
    input_digest="d" * 64,
    output_digest="d" * 64,
    output_uri="s3://corpus/sums/",
    run_id="1",
    records=1,
    bytes=1,
    bytes_in=1,
    slot_seconds=1.0,
    counters={f"group/{number}": number for number in range(COUNTERS + 50)},
)


@pytest.mark.parametrize("record", [PINNED, STEP], ids=["a pipeline of 64 full steps", "a step with 1,000 counters"])
def test_the_largest_record_that_is_written_can_be_read(record: Wire) -> None:
    data = encode(record)
    assert encode(decode_record(data, type(record), "s3://work/record")) == data
