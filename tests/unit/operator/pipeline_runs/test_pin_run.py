"""Whose outputs a pipeline may replace, by the owner in the manifest beside them."""

from dataclasses import replace

import pytest

from podreduce.contract.plan import Owner
from podreduce_operator.pipeline_runs.pin_run import is_of_same_schedule
from tests.support.builders.pipelines import make_pipeline

NIGHTLY = Owner(kind="MapReduceSchedule", name="nightly", uid="u")


@pytest.mark.parametrize(
    ("name", "controller", "is_own"),
    [
        ("nightly-29628030", NIGHTLY, True),
        ("nightly-29628030", None, False),
        ("nightly-29628030", Owner(kind=NIGHTLY.kind, name="night", uid="u"), False),
        ("nightly-29628030", Owner(kind="Workflow", name="nightly", uid="u"), False),
        ("nightly-b-29628030", NIGHTLY, False),
        ("nightly-b", NIGHTLY, False),
        ("nightly", NIGHTLY, False),
    ],
)
def test_what_the_same_schedule_has_written_is_its_own(name: str, controller: Owner | None, *, is_own: bool) -> None:
    pipeline = replace(make_pipeline(), controller=controller)
    assert is_of_same_schedule(name, pipeline) == is_own
