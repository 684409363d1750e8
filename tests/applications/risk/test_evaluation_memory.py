"""How much memory the evaluation takes for each row: its request in pipeline.yaml is made for eight million."""

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from podreduce_apps.risk.evaluation import OTHERS, Evaluate
from podreduce_apps.risk.periods import DAY_SECONDS, day_number

PARAMETERS = {
    "trainFrom": "2018-07-25",
    "trainDays": "7",
    "delayDays": "7",
    "scoreDays": "7",
    "cardsPerDay": "20",
    "alertCost": "10",
}
FIRST = day_number("2018-08-08", "day") * DAY_SECONDS
BATCH, BATCHES = 10_000, 8


class FakeContext:
    parameters = PARAMETERS


def draw_batch(seed: int) -> pa.RecordBatch:
    random = np.random.default_rng(seed)
    probability = random.uniform(size=BATCH).round(5)
    return pa.record_batch(
        {
            "time": FIRST + random.integers(0, 7 * DAY_SECONDS, BATCH),
            "card": random.integers(-500, 500, BATCH),
            "amount": random.integers(1, 50_000, BATCH),
            "probability": probability,
            "model_probability": probability,
            "fraud": pa.array((random.uniform(size=BATCH) < probability / 20).astype(np.int8)),
            **{name: random.uniform(size=BATCH) for name in OTHERS},
            "channel": pa.array(["online", "terminal"]).take(pa.array(random.integers(0, 2, BATCH))),
            "country": pa.array(["FR", "DE", None]).take(pa.array(random.integers(0, 3, BATCH))),
        }
    )


def packed(job: Evaluate, order: range) -> Iterator[bytes]:
    return (job.map_batch(draw_batch(seed))["value"][0].as_py() for seed in order)


def test_a_row_takes_less_than_200_bytes_and_the_order_of_batches_does_not_matter() -> None:
    job = Evaluate()
    job.setup(FakeContext())
    expected = dict(job.reduce_func(0, packed(job, range(BATCHES))))
    usual, counted = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(counted)
    tracemalloc.start()
    try:
        found = dict(job.reduce_func(0, packed(job, range(BATCHES)[::-1])))
        python, arrow = tracemalloc.get_traced_memory()[1], counted.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(usual)
    assert found == expected
    assert found["metrics"]["rows"] == BATCH * BATCHES
    assert (python + arrow) / (BATCH * BATCHES) < 200
