"""Who made a job."""

from typing import Any

import pytest

from podreduce.contract.plan import Owner
from podreduce_operator.api.owners import read_controller

PIPELINE = {"apiVersion": "podreduce.dev/v1beta1", "kind": "MapReducePipeline", "name": "web", "uid": "1"}


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({}, None),
        ({"ownerReferences": None}, None),
        ({"ownerReferences": "x"}, None),
        ({"ownerReferences": [None, PIPELINE, {**PIPELINE, "controller": False}]}, None),
        (
            {"ownerReferences": [PIPELINE, {**PIPELINE, "uid": "2", "controller": True}]},
            Owner(kind="MapReducePipeline", name="web", uid="2"),
        ),
    ],
)
def test_a_job_is_made_by_its_controller(metadata: dict[str, Any], owner: Owner | None) -> None:
    assert read_controller(metadata) == owner
