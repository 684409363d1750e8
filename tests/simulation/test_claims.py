"""Jobs of one installation that want one output, with a dead claim on it: their steps interleave in every order."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from podreduce.contract.layout import CLAIM_KEY
from podreduce.contract.plan import JobIdentity
from podreduce.contract.wire import encode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.model.errors import ActionError
from podreduce_operator.runs.output_claim import Claim, claim_output, confirm_claim, release_output, replace_claim

ONE_WRITER = "two runs never publish to one output at a time"
JOBS = 4
TRIES = 20


def make_claim(name: str) -> Claim:
    return Claim(installation="here", job=JobIdentity(namespace="n", name=name, uid=f"uid-{name}", run_id="1"))


class SlowStore:
    """A memory store whose answers arrive in any order."""

    def __init__(self, output: ObjectStore, rng: random.Random) -> None:
        self.uri, self.uri_of, self.rng = output.uri, output.uri_of, rng
        for name in ("get_small_async", "head_async", "create_async", "replace_async", "delete_async"):
            setattr(self, name, self.slowly(getattr(output, name)))

    def slowly(self, request: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def asked(*arguments: Any, **options: Any) -> Any:
            await wait(self.rng)
            answer = await request(*arguments, **options)
            await wait(self.rng)
            return answer

        return asked


async def wait(rng: random.Random) -> None:
    await asyncio.sleep(rng.choice((0, 0, 0, 1, 3)) / 2000)


@dataclass(kw_only=True)
class Jobs:
    """What all jobs of a world share; `over` is what their statuses say."""

    output: ObjectStore
    rng: random.Random
    over: set[str] = field(default_factory=lambda: {"dead"})
    publishing: set[str] = field(default_factory=set)
    published: list[str] = field(default_factory=list)

    async def wait(self) -> None:
        await wait(self.rng)

    async def run(self, name: str) -> None:
        claim = make_claim(name)
        await self.wait()
        for _ in range(TRIES):
            if await self.take(claim):
                await self.wait()
                await self.commit(name, claim)
                break
            await self.wait()
        self.over.add(name)
        await self.wait()
        await release_output(self.output, claim)

    async def take(self, claim: Claim) -> bool:
        while (holder := await claim_output(self.output, claim)) is not None:
            await self.wait()
            if holder.job.name not in self.over:
                return False
            if await replace_claim(self.output, holder, claim):
                break
        return True

    async def commit(self, name: str, claim: Claim) -> None:
        try:
            await confirm_claim(self.output, claim)
        except ActionError:
            return
        assert not self.publishing, ONE_WRITER
        self.publishing.add(name)
        for _ in range(4):
            await self.wait()
        self.publishing.remove(name)
        self.published.append(name)


@pytest.mark.parametrize("seed", range(150))
async def test_one_run_at_a_time_publishes_and_no_claim_stays(seed: int) -> None:
    output = open_store(f"memory://{uuid4().hex}/out/")
    output.put(CLAIM_KEY, encode(make_claim("dead")))
    rng = random.Random(seed)  # noqa: S311 - a seeded world
    jobs = Jobs(output=SlowStore(output, rng), rng=rng)  # type: ignore[arg-type]
    await asyncio.gather(*(jobs.run(f"job-{index}") for index in range(JOBS)))
    assert jobs.published, "one of them gets through"
    assert not output.exists(CLAIM_KEY)
