import math
from typing import Any

import pytest

from podreduce_operator.model.errors import ActionError
from podreduce_operator.pipeline_runs.loop_values import MOST_BYTES, read_loop_values
from podreduce_operator.pipelines.loops import Loop, LoopError, StepOutcome, Until, read_values
from tests.support.pipeline_stores import make_run, publish_parts


def read(pairs: list[tuple[object, object]]) -> Any:
    run = make_run()
    uri = f"{run.steps_uri}data/sum/"
    manifest = publish_parts(run, uri, [pairs])
    return read_loop_values(run.storage.open(uri), ["delta"], manifest.bytes)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3), (0.25, 0.25), (1 << 60, float(1 << 60)), ("0.5", 0.5), ("a", "a"), ([1], "[1]"), (True, "True")],
)
def test_numbers_stay_numbers_and_all_else_becomes_a_text(value: object, expected: object) -> None:
    assert read([("delta", value), ("other", 1)]) == {"delta": (expected,)}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "nan", "x", None, True, [1.0], {"a": 1}])
def test_a_loop_never_goes_on_with_what_is_no_number(value: object) -> None:
    outcome = StepOutcome(records=1, bytes=1, values=read([("delta", value)]))
    loop = Loop(name="rank", max_iterations=3, until=(Until(step="sum", comparison="Less", than=1.0, value="delta"),))
    with pytest.raises(LoopError, match="yield a finite number"):
        read_values(loop, [{"sum": outcome}])


def test_a_key_that_is_there_twice_is_seen() -> None:
    assert read([("delta", 1), ("delta", 2), ("delta", 3)]) == {"delta": (1, 2)}


def test_a_missing_key_has_no_value() -> None:
    assert read([("other", 1)]) == {}


def test_a_large_output_is_refused_before_it_is_read() -> None:
    run = make_run()
    with pytest.raises(ActionError, match="reads at most 1,048,576") as caught:
        read_loop_values(run.steps, ["delta"], MOST_BYTES + 1)
    assert caught.value.permanent


def test_a_format_that_is_not_read_back_is_named() -> None:
    run = make_run()
    uri = f"{run.steps_uri}data/sum/"
    run.storage.open(uri).put("part-r-00000.csv", b"delta,1\n")
    with pytest.raises(ActionError, match=r"part-r-00000\.csv: only Pairs"):
        read_loop_values(run.storage.open(uri), ["delta"], 8)
