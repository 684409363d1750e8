from copy import deepcopy
from typing import Any

import pytest

from podreduce_operator.model.pipelines import StepJob
from podreduce_operator.pipelines.carried_maps import find_kept_maps, may_carry_maps
from tests.support.builders.pipelines import PAGERANK, make_pipeline
from tests.support.pipeline_stores import make_step_job

CENTRES = {"name": "centres", "previous": "spread", "first": {"from": "seed"}}
MODEL = {"name": "model", "uris": ["s3://web/model/"]}


def edit(**step: Any) -> dict[str, Any]:
    """PageRank with these fields of its step `spread`."""
    steps = deepcopy(PAGERANK["steps"])
    steps[1] |= step
    return {"steps": steps}


@pytest.mark.parametrize(
    ("fields", "step", "expected"),
    [
        ({}, "spread", True),
        ({}, "seed", False),  # not in a loop
        ({}, "sum", False),  # reads the loop alone
        ({}, "top", False),
        ({"reuse": "Never"}, "spread", False),
        (edit(reuse="Never"), "spread", False),
        ({"reuse": "Never"} | edit(reuse="Unchanged"), "spread", True),
        (edit(sideInputs=[MODEL]), "spread", True),
        (edit(sideInputs=[CENTRES]), "spread", False),
        (edit(sideInputs=[MODEL, CENTRES]), "spread", False),
        (edit(inputs=[{"from": "seed"}, {"previous": "sum", "first": {"from": "seed"}}]), "spread", True),
        (edit(inputs=[{"previous": "sum", "first": {"uris": ["s3://web/links/"]}}]), "spread", False),
    ],
)
def test_a_step_of_a_loop_keeps_what_it_maps_of_inputs_from_outside(
    fields: dict[str, Any], step: str, *, expected: bool
) -> None:
    spec = make_pipeline(PAGERANK | fields).spec
    found = spec.step(step)
    assert found is not None
    assert may_carry_maps(spec, found) is expected


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([], None),
        ([make_step_job("spread/1")], None),
        ([make_step_job("spread/1", keeps_maps=True)], "spread/1"),
        ([make_step_job("spread/1", keeps_maps=True, ended=None)], None),
        ([make_step_job("spread/1", keeps_maps=True, deleting=True)], None),
        ([make_step_job("sum/1", keeps_maps=True)], None),
        ([make_step_job("spread/9", keeps_maps=True), make_step_job("spread/4", keeps_maps=True)], "spread/4"),
    ],
)
def test_later_iterations_read_the_maps_of_the_first_that_has_kept_them(
    jobs: list[StepJob], expected: str | None
) -> None:
    found = find_kept_maps(jobs, "spread")
    assert (None if found is None else found.name) == expected
