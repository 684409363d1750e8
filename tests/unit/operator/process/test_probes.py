import asyncio
import socket
from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest

from podreduce_operator.leadership.election import Standing
from podreduce_operator.model.errors import OperatorError
from podreduce_operator.process.health import HealthFigures
from podreduce_operator.process.loop_lag import LoopLag
from podreduce_operator.process.probes import serve_probes
from podreduce_operator.process.read_health import HealthReader


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def ask(port: int, path: str) -> tuple[int, dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.json()


WELL = HealthFigures(is_synced=True, standing=Standing.STANDBY, leader="pod-a_1", loop_lag_seconds=0.0123)


@pytest.mark.parametrize(
    ("figures", "alive", "ready"),
    [
        (WELL, 200, 200),
        (HealthFigures(), 200, 503),
        (HealthFigures(is_synced=True, silence_seconds=1e4), 503, 200),
    ],
    ids=["well", "new", "cut-off"],
)
async def test_each_probe_answers_for_itself(figures: HealthFigures, alive: int, ready: int) -> None:
    port = free_port()
    async with serve_probes(port, lambda: figures):
        assert [(await ask(port, path))[0] for path in ("/healthz", "/readyz")] == [alive, ready]


async def test_the_answer_says_what_is_wrong_and_by_which_numbers() -> None:
    port, figures = free_port(), HealthFigures(is_synced=True, silence_seconds=1e4)
    async with serve_probes(port, lambda: figures):
        _, body = await ask(port, "/healthz")
    assert body == {
        "ok": False,
        "problems": ["the API server has said nothing for 10000 s (at most 600)"],
        "standing": None,
        "leader": "",
        "synced": True,
        "loopLagSeconds": 0.0,
        "silenceSeconds": 1e4,
        "overdueSeconds": 0.0,
        "missingRights": [],
    }


async def test_the_answer_names_the_rights_that_are_missing() -> None:
    port, right = free_port(), "list pods in the namespace team"
    figures = HealthFigures(standing=Standing.LEADER, missing_rights=[right])
    async with serve_probes(port, lambda: figures):
        status, body = await ask(port, "/readyz")
    assert (status, body["missingRights"]) == (503, [right])
    assert body["problems"] == [f"pods and jobs are not listed yet: the operator may not {right}"]


async def test_a_standby_names_its_leader() -> None:
    port = free_port()
    async with serve_probes(port, lambda: WELL):
        _, body = await ask(port, "/readyz")
    assert (body["ok"], body["standing"], body["leader"], body["loopLagSeconds"]) == (True, "standby", "pod-a_1", 0.012)


async def test_an_operator_that_waits_for_the_api_server_is_alive_and_not_ready() -> None:
    port = free_port()
    async with serve_probes(port, HealthReader(lag=LoopLag()).read):
        assert [(await ask(port, path))[0] for path in ("/healthz", "/readyz")] == [200, 503]


async def test_a_port_that_is_taken_is_named_with_the_setting() -> None:
    port = free_port()
    async with serve_probes(port, HealthFigures):
        with pytest.raises(OperatorError, match=rf"the port {port} .* PODREDUCE_OPERATOR_HEALTH_PORT"):
            async with serve_probes(port, HealthFigures):
                pass


class Rendering:
    """Counts how often the metrics are rendered; it takes a second each time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.times = 0
        self.fails = False

    def clock(self) -> float:
        return self.now

    def render(self) -> bytes:
        self.now += 1.0
        self.times += 1
        if self.fails:
            raise RuntimeError
        return str(self.times).encode()


async def scrape(port: int, times: int = 1) -> Sequence[tuple[int, str]]:
    async def ask_once(session: aiohttp.ClientSession) -> tuple[int, str]:
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            return answer.status, await answer.text()

    async with aiohttp.ClientSession() as session:
        return await asyncio.gather(*(ask_once(session) for _ in range(times)))


async def test_scrapes_at_the_same_time_share_one_rendering() -> None:
    port, made = free_port(), Rendering()
    async with serve_probes(port, HealthFigures, made.render, clock=made.clock):
        assert set(await scrape(port, 40)) == {(200, "1")}
    assert made.times == 1


@pytest.mark.parametrize(("seconds", "times"), [(0.0, 1), (1.9, 1), (2.0, 2), (60.0, 2)])
async def test_metrics_are_rendered_again_two_seconds_after_the_last_time(seconds: float, times: int) -> None:
    port, made = free_port(), Rendering()
    async with serve_probes(port, HealthFigures, made.render, clock=made.clock):
        await scrape(port)
        made.now += seconds
        assert await scrape(port) == [(200, str(times))]


async def test_a_rendering_that_fails_is_not_kept() -> None:
    port, made = free_port(), Rendering()
    async with serve_probes(port, HealthFigures, made.render, clock=made.clock):
        made.fails = True
        assert [status for status, _ in await scrape(port)] == [500]
        made.fails = False
        assert await scrape(port) == [(200, "2")]
