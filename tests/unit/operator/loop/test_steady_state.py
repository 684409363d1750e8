"""Finished jobs ask nothing of the store and of the API server; `make cost` does the same with a thousand jobs."""

from pathlib import Path
from uuid import uuid4

from tests.cost.counting import CountingApi
from tests.cost.finished_jobs import add_job, operating

JOBS = 20


async def test_finished_jobs_make_no_request_until_their_ttl_ends_also_after_a_restart(tmp_path: Path) -> None:
    place, api = f"memory://{uuid4().hex}/", CountingApi()
    keys = [add_job(api, place, number, tasks=3) for number in range(JOBS)]
    async with operating(api, place, tmp_path) as operator:
        await operator.pass_hours(1, keys)
        first = operator.requests
        assert first["store"] > JOBS * 5  # each plan, three commits and a post-mortem at least
        assert first["PUT status"] >= JOBS
        await operator.pass_hours(48, keys)
        assert operator.requests == first
        now = operator.clock.now
    api.requests.clear()
    async with operating(api, place, tmp_path, now) as restarted:
        await restarted.pass_hours(48, keys)
        assert restarted.requests == {"store": 0}
