import asyncio
import math
import time
from itertools import pairwise

import pytest

from podreduce_operator.loop.passes import Passes, Worker
from podreduce_operator.model.jobs import JobKey

KEY = JobKey(namespace="default", name="a")


@pytest.mark.parametrize("turns", range(6))
async def test_loops_end_even_if_they_were_just_woken(turns: int) -> None:
    async def look(_key: JobKey, _worker: Worker) -> float:
        return 3600.0

    passes = Passes("job", Worker, look)
    passes.wake(KEY)
    await asyncio.sleep(0.05)
    passes.wake(KEY)
    for _ in range(turns):
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await passes.close()
    assert passes.workers == {}


async def test_a_loop_ends_when_nothing_is_due_and_starts_again_when_it_is_woken() -> None:
    seen: list[JobKey] = []

    async def look(key: JobKey, _worker: Worker) -> float:
        seen.append(key)
        return math.inf

    passes = Passes("job", Worker, look)
    for count in (1, 2):
        passes.wake(KEY)
        await asyncio.sleep(0.05)
        assert (len(seen), passes.workers) == (count, {})
    await passes.close()


async def test_a_pass_that_fails_is_tried_again() -> None:
    seen: list[JobKey] = []

    async def fail_once(key: JobKey, _worker: Worker) -> float:
        seen.append(key)
        if len(seen) == 1:
            raise ValueError("once")
        return math.inf

    async def wait_briefly(_wake: asyncio.Event, _seconds: float) -> None:
        await asyncio.sleep(0)

    passes = Passes("job", Worker, fail_once, wait=wait_briefly)
    passes.wake(KEY)
    async with asyncio.timeout(10):
        while len(seen) < 2:  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.01)
    await passes.close()


async def test_between_two_passes_is_a_pause() -> None:
    """On a cluster it gathers events; a local run has nothing to gather, and a shorter one."""
    began: list[float] = []

    async def look(_key: JobKey, _worker: Worker) -> float | None:
        began.append(time.monotonic())
        return 0.0 if len(began) < 3 else None

    passes = Passes("job", Worker, look, min_pause_seconds=0.2)
    await passes.settle(KEY)
    assert [later - before >= 0.2 for before, later in pairwise(began)] == [True, True]


@pytest.mark.parametrize(
    ("observing_seconds", "wake_after", "pause"),
    [
        pytest.param(0.0, 60.0, 0.001, id="nothing was observed"),
        pytest.param(0.005, 60.0, 0.005, id="as long as it observed, where it waits for events"),
        pytest.param(0.005, 0.0, 0.001, id="it acted and observed briefly: a chain of actions goes on"),
        pytest.param(0.3, 0.0, 0.3, id="it acted and observed for long: others have their turn"),
        pytest.param(7.0, 0.0, 1.0, id="never more than a second"),
    ],
)
def test_a_pass_rests_as_long_as_it_observed(observing_seconds: float, wake_after: float, pause: float) -> None:
    async def look(_key: JobKey, _worker: Worker) -> float | None:
        return None

    passes = Passes("job", Worker, look, min_pause_seconds=0.001)
    assert passes.pause_seconds(observing_seconds, wake_after) == pause
