"""What the probes are told of the loops: the worst of all kinds."""

from podreduce_operator.loop.passes import Passes, Worker
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.process.loop_lag import LoopLag
from podreduce_operator.process.read_health import HealthReader


def make_loop(now: float, *, due_at: float | None) -> Passes[Worker]:
    async def make_pass(_key: JobKey, _worker: Worker) -> None:
        """Have nothing to do."""

    loop = Passes("schedule", Worker, make_pass, monotonic=lambda: now)
    if due_at is not None:
        loop.workers[JobKey(namespace="team", name="nightly")] = Worker(due_at=due_at)
    return loop


def test_a_pass_that_is_late_counts_whatever_its_kind() -> None:
    signs = HealthReader(lag=LoopLag())
    assert (signs.read().overdue_seconds, signs.due_passes()) == (0.0, 0)
    signs.passes = [make_loop(100.0, due_at=None), make_loop(100.0, due_at=40.0)]
    assert (signs.read().overdue_seconds, signs.read().oldest_pass_seconds) == (60.0, 60.0)
    assert signs.due_passes() == 1
