"""Pipelines in worlds that go wrong, and wrong policies that these worlds find."""

from contextlib import suppress

import pytest

from tests.simulation.mutation import in_order_of_imports
from tests.simulation.pipeline_world import Decide, play
from tests.simulation.wrong_rules import Wrong, is_found

WORLDS = 150

MODULES = in_order_of_imports(
    "podreduce_operator.pipelines",
    "podreduce_operator.policy.decide_pipeline",
    "podreduce_operator.policy.pipeline_retention",
)


MUTANTS = [
    Wrong(
        module="pipelines.freshness",
        old="can_read = all(fresh[step] and step not in needed for step in node.producers)",
        new="can_read = True",
        breaks="a step starts before one that it reads",
    ),
    Wrong(
        module="pipelines.freshness",
        old="is_missing = node.name in wanted and data.get(node.name) is not Data.PRESENT",
        new="is_missing = False",
        breaks="a step starts without its data",
    ),
    Wrong(
        module="pipelines.freshness",
        old="return record.input_digest == input_digest(node, records)",
        new="return True",
        breaks="the result of",
    ),
    Wrong(
        module="pipelines.freshness",
        old="if node.spec_digest is None or record.spec_digest != node.spec_digest:",
        new="if node.spec_digest is None:",
        breaks="the result of",
    ),
    Wrong(
        module="pipelines.freshness",
        old="return record.input_digest == input_digest(node, records)",
        new="return False",
        breaks="a run without any change starts a step",
    ),
    Wrong(
        module="pipelines.picture",
        old="is_of_this_run=observed.is_own(record)",
        new="is_of_this_run=record.run_id == observed.run.run_id",
        breaks="the result of",
    ),
    Wrong(
        module="policy.decide_pipeline",
        old="may_remove = observed.holds_steps and not observed.is_store_unreadable",
        new="may_remove = not observed.is_store_unreadable",
        breaks="an earlier pipeline removes what the next one may read",
    ),
    Wrong(
        module="pipelines.shares",
        old="free = parallelism - sum(max(shares[claim.step], claim.active) for claim in ordered)",
        new="free = parallelism",
        breaks="more slots than there are",
    ),
    Wrong(
        module="pipelines.loops",
        old="if count < loop.max_iterations:",
        new="if count <= loop.max_iterations:",
        breaks="a step starts that is not due",
    ),
    Wrong(
        module="policy.decide_pipeline",
        old="if foreign:",
        new="if False:",
        breaks="two runs at a time",
    ),
    Wrong(
        module="policy.decide_pipeline",
        old="if unrecorded:",
        new="if unrecorded and now < 0:",
        breaks="the run does not end",
    ),
    Wrong(
        module="policy.decide_pipeline",
        old="if spec.suspend:",
        new="if False:",
        breaks="a suspended pipeline starts a step",
    ),
    Wrong(
        module="policy.decide_pipeline",
        old="if observed.run.terminal is not None:",
        new='if observed.run.terminal == "Complete":',
        breaks="a terminal verdict has changed",
    ),
    Wrong(
        module="policy.decide_pipeline",
        old='if fault is not None and (policy != "FinishPossible" or not failed):',
        new="if fault is not None and not failed:",
        breaks="a step starts after another has failed",
    ),
    Wrong(
        module="policy.decide_pipeline",
        old="if fault is None and picture.is_done and not overtaken:",
        new="if fault is None and picture.is_done:",
        breaks="a complete run has running jobs",
    ),
    Wrong(
        module="policy.decide_pipeline",
        old="actions = tuple(PublishLoop(place=place) for place in find_unpublished(observed, picture))",
        new="actions = ()",
        breaks="the result of a loop is not published",
    ),
    Wrong(
        module="policy.pipeline_retention",
        old="is not Data.PRESENT or node.is_seen or node.name in needed:",
        new="is not Data.PRESENT or node.is_seen:",
        breaks="data is removed that a job reads",
    ),
    Wrong(
        module="policy.pipeline_retention",
        old="if job.keeps_maps and loop is not None:",
        new="if False:",
        breaks="map output is removed that the next iteration may read",
    ),
    Wrong(
        module="policy.decide_pipeline",
        old="if job.ended is None or job.keeps_maps]",
        new="if job.ended is None]",
        breaks="an ended run keeps map output",
    ),
    Wrong(
        module="pipelines.carried_maps",
        old='if job.ended == "Complete" and not job.deleting)',
        new='if job.ended == "Complete")',
        breaks="a step reads map output that nobody has kept",
    ),
    Wrong(
        module="policy.decide_pipeline",
        old="left = [job for job in observed.run_jobs if job.uid not in gone]",
        new="left = observed.run_jobs",
        breaks="a step reads map output that nobody has kept",
    ),
]


@pytest.mark.parametrize("seed", range(WORLDS))
def test_pipelines_in_worlds_that_go_wrong(seed: int) -> None:
    play(seed)


def play_through(seed: int, decide: Decide) -> None:
    """Play a world; a wrong policy may also miss what it looks for, which says nothing about the invariants."""
    with suppress(KeyError):
        play(seed, decide)


@pytest.mark.parametrize("wrong", MUTANTS, ids=lambda wrong: f"{wrong.module}: {wrong.new}")
def test_a_wrong_rule_is_found(wrong: Wrong) -> None:
    found, heard = is_found(wrong, MODULES, "decide_pipeline", play_through, WORLDS)
    assert found, heard
