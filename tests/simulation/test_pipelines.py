"""Pipelines in worlds that go wrong: a complete run gives what a run from nothing gives, whatever happened."""

from random import Random

import pytest

from tests.simulation.pipeline_world import CrashError, PipelineWorld, draw_spec

WORLDS = 150
STEPS = 120


def play(seed: int) -> PipelineWorld:
    """Run a world with troubles, and then without until it rests."""
    rng = Random(seed)  # noqa: S311 - to be drawn again from its seed
    fields = draw_spec(rng) | {
        "onStepFailure": rng.choice(["FinishRunning", "Stop", "FinishPossible"]),
        "intermediates": rng.choice(["UntilTTL", "WhileNeeded"]),
    }
    world = PipelineWorld(rng=rng, fields=fields)
    for _ in range(STEPS):
        if rng.random() < 0.15:
            world.disturb()
        world.tick()
        try:
            world.pass_once()
        except CrashError:
            continue
    settle(world)
    return world


def settle(world: PipelineWorld) -> None:
    """Without more trouble a run ends, and a new one is complete."""
    world.calm_down()
    for _ in range(2):
        for _ in range(400):
            world.tick()
            world.pass_once()
            if world.status.run_id == str(world.run_id) and world.status.terminal:
                break
        else:
            raise AssertionError("the run does not end")
        ended = world.status
        world.run_id += 1
    assert ended.terminal == "Complete" or ended.reason == "LoopLimitReached", ended


@pytest.mark.parametrize("seed", range(WORLDS))
def test_pipelines_in_worlds_that_go_wrong(seed: int) -> None:
    world = play(seed)
    if world.status.terminal != "Complete":
        return
    created = len(world.created)
    for _ in range(60):
        world.tick()
        world.pass_once()
        if world.status.run_id == str(world.run_id) and world.status.terminal:
            break
    assert world.status.terminal == "Complete"
    assert len(world.created) == created, "a run without any change starts a step"
