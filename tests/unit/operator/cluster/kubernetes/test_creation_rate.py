"""How fast pods are created, by a clock that only waiting moves."""

import asyncio

import pytest

from podreduce_operator.cluster.kubernetes.creation_rate import CreationPace
from tests.support.manual_clock import ManualClock


class Server:
    """Creates pods one after the other, as fast as the pace lets it."""

    def __init__(self, most: float = 1000.0) -> None:
        self.clock = ManualClock()
        self.pace = CreationPace(most, clock=self.clock, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.clock.now += seconds

    async def create_for(self, seconds: float) -> int:
        """Return how many were created."""
        until, count = self.clock.now + seconds, 0
        while self.clock.now < until:
            await self.pace.turn()
            count += 1
        return count


@pytest.fixture
def server() -> Server:
    return Server()


async def test_it_begins_cautiously_and_doubles_each_second(server: Server) -> None:
    counts = [await server.create_for(1.0) for _ in range(4)]
    assert counts == pytest.approx([150, 200, 400, 800], rel=0.02), "the first second has its burst"


@pytest.mark.parametrize(("used", "rate"), [(49, 100.0), (50, 200.0)], ids=["less than half", "half"])
async def test_it_grows_after_a_second_of_which_half_was_used(server: Server, used: int, rate: float) -> None:
    for _ in range(used):
        await server.pace.turn()
    server.clock.now += 1.0
    await server.pace.turn()
    assert server.pace.rate == rate


async def test_it_never_asks_for_more_than_the_most() -> None:
    server = Server(most=250.0)
    await server.create_for(10.0)
    assert 240 <= await server.create_for(1.0) <= 260


async def test_who_needs_little_does_not_grow(server: Server) -> None:
    for _ in range(20):
        await server.pace.turn()
        server.clock.now += 1.0
    assert server.pace.rate == 100.0


async def test_told_of_too_many_requests_it_waits_as_long_as_it_is_told(server: Server) -> None:
    await server.create_for(3.0)
    told_at = server.clock.now
    server.pace.slow_down(7.0)
    await server.pace.turn()
    assert server.clock.now >= told_at + 7.0


async def test_it_halves_its_rate_once_for_all_that_was_under_way(server: Server) -> None:
    await server.create_for(3.0)
    rate = server.pace.rate
    for _ in range(16):
        server.pace.slow_down(1.0)
    assert server.pace.rate == rate / 2


async def test_after_that_it_grows_slowly(server: Server) -> None:
    await server.create_for(3.0)
    server.pace.slow_down(1.0)
    await server.create_for(1.0)
    rate = server.pace.rate
    await server.create_for(5.0)
    assert rate + 20.0 <= server.pace.rate <= rate + 60.0


async def test_it_never_stops(server: Server) -> None:
    for _ in range(40):
        server.pace.slow_down(1.0)
        server.clock.now += 2.0
    assert server.pace.rate == 1.0
    assert await server.create_for(5.0) >= 4


async def test_turns_are_taken_in_the_order_in_which_they_were_asked_for() -> None:
    pace, order = CreationPace(100.0), list[str]()
    for _ in range(60):
        await pace.turn()

    async def create(name: str) -> None:
        await pace.turn()
        order.append(name)

    names = [f"{job}{number}" for number in range(3) for job in "ab"]
    await asyncio.gather(*map(create, names))
    assert order == names
