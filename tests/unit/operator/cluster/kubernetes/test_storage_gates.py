"""What the stores of one namespace can hold of what all namespaces share."""

import asyncio
import gc
from random import Random

import pytest

from podreduce_operator.cluster.kubernetes.storage_gates import (
    NAMESPACE_REQUESTS,
    NAMESPACE_THREADS,
    SECRET_REQUESTS,
    SECRET_THREADS,
    SecretGates,
    StorageGates,
)
from podreduce_operator.process.threads import THREADS

LIMITS = {"threads": (SECRET_THREADS, NAMESPACE_THREADS), "requests": (SECRET_REQUESTS, NAMESPACE_REQUESTS)}


class DeadStores:
    """Stores that never answer: who enters a gate stays there."""

    def __init__(self) -> None:
        self.waiting: set[asyncio.Task[None]] = set()
        self.inside = 0

    async def hold(self, gates: SecretGates, kind: str) -> None:
        async with getattr(gates, kind):
            self.inside += 1
            try:
                await asyncio.Event().wait()
            finally:
                self.inside -= 1

    async def ask(self, gates: SecretGates, kind: str, times: int) -> None:
        self.waiting |= {asyncio.create_task(self.hold(gates, kind)) for _ in range(times)}
        for _ in range(5):
            await asyncio.sleep(0)

    async def give_up(self, random: Random, share: float) -> None:
        """Cancel some of those that wait or hold, as timeouts and restarts do."""
        some = {task for task in self.waiting if random.random() < share}
        for task in some:
            task.cancel()
        await asyncio.gather(*some, return_exceptions=True)
        self.waiting -= some


@pytest.mark.parametrize("kind", LIMITS)
@pytest.mark.parametrize("seed", range(20))
async def test_however_many_secrets_a_namespace_has_it_holds_no_more_than_its_share(kind: str, seed: int) -> None:
    random, gates, dead = Random(seed), StorageGates(), DeadStores()  # noqa: S311 - not a secret
    of_secret, of_namespace = LIMITS[kind]
    secrets = [gates.open("greedy") for _ in range(random.randint(1, 12))]
    for _ in range(6):
        await dead.ask(random.choice(secrets), kind, random.randint(1, of_secret * 2))
        assert dead.inside <= min(of_namespace, of_secret * len(secrets))
        await dead.give_up(random, random.choice([0.0, 0.3]))
    await dead.give_up(random, 1.0)
    for secret in secrets:
        await dead.ask(secret, kind, of_secret)
    assert dead.inside == min(of_namespace, of_secret * len(secrets)), "what was given up is free again"
    await asyncio.wait_for(enter(gates.open("other"), kind), 1)
    await dead.give_up(random, 1.0)


async def enter(gates: SecretGates, kind: str) -> None:
    async with getattr(gates, kind):
        pass


def test_a_namespace_has_a_small_part_of_the_threads() -> None:
    assert NAMESPACE_THREADS * 4 <= THREADS


async def test_a_share_lives_as_long_as_somebody_holds_a_gate_to_it() -> None:
    gates = StorageGates()
    for number in range(100):
        gates.open(f"team-{number}")
    kept = gates.open("team").threads
    gc.collect()
    assert len(gates) == 1
    dead = DeadStores()
    await dead.ask(SecretGates(requests=kept, threads=kept), "threads", SECRET_THREADS)
    for _ in range(3):
        await dead.ask(gates.open("team"), "threads", SECRET_THREADS)
    assert dead.inside == NAMESPACE_THREADS
    await dead.give_up(Random(0), 1.0)  # noqa: S311 - not a secret
