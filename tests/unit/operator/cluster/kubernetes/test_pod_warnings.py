"""How often the cluster is asked about pods that say nothing; what it answers is tested against a real API server."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from podreduce_operator.cluster.interface import PodWarning
from podreduce_operator.cluster.kubernetes.api import ApiError
from podreduce_operator.cluster.kubernetes.pod_warnings import PodWarnings

MOUNT = PodWarning(reason="FailedMount", message="no such Secret")


@dataclass
class SlowServer:
    """Takes `seconds` of the clock for each answer, which is one warning."""

    seconds: float = 2.0
    now: float = 100.0
    asked: list[str] = field(default_factory=list)
    error: ApiError | None = None

    async def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        self.now += self.seconds
        assert path == "/api/v1/namespaces/team/events"
        self.asked.append(query["fieldSelector"])
        if self.error is not None:
            raise self.error
        return {"items": [{"reason": MOUNT.reason, "message": MOUNT.message, "lastTimestamp": "2026-11-22T10:00:00Z"}]}


@pytest.fixture
def server() -> SlowServer:
    return SlowServer()


@pytest.fixture
def events(server: SlowServer) -> PodWarnings:
    return PodWarnings(server, clock=lambda: server.now)  # type: ignore[arg-type]


async def test_the_same_pod_is_asked_about_again_after_a_while(server: SlowServer, events: PodWarnings) -> None:
    assert await events.last_warning("team", "a") == MOUNT
    server.now = 100.0 + 14.9
    assert await events.last_warning("team", "a") == MOUNT
    assert server.asked == ["involvedObject.uid=a,type=Warning"]


@pytest.mark.parametrize(("later", "asked"), [(17.9, 1), (18.1, 2)], ids=["too soon", "in its turn"])
async def test_asking_takes_a_tenth_of_the_time(
    server: SlowServer, events: PodWarnings, later: float, asked: int
) -> None:
    await events.last_warning("team", "a")
    server.now += later
    assert await events.last_warning("team", "b") == (MOUNT if asked == 2 else None)
    assert len(server.asked) == asked


async def test_what_is_known_is_told_while_another_is_asked_about(server: SlowServer, events: PodWarnings) -> None:
    await events.last_warning("team", "a")
    server.now += 18.1
    await events.last_warning("team", "b")
    server.now += 1.0
    assert await events.last_warning("team", "a") == MOUNT
    assert len(server.asked) == 2


async def test_what_cannot_be_read_is_not_known_and_not_asked_for_at_once(
    server: SlowServer, events: PodWarnings
) -> None:
    server.error = ApiError(503, "busy", "/api")
    assert await events.last_warning("team", "a") is None
    assert await events.last_warning("team", "a") is None
    assert len(server.asked) == 1


async def test_what_is_remembered_of_pods_has_an_end(server: SlowServer, events: PodWarnings) -> None:
    for number in range(1001):
        server.now += 100.0
        await events.last_warning("team", f"pod-{number}")
    server.now -= 100.0  # all were heard of long ago, or just now: what is told without asking is what is remembered
    server.error = ApiError(500, "InternalError", "nobody may ask")
    asked = len(server.asked)
    assert await events.last_warning("team", "pod-999") is None
    assert await events.last_warning("team", "pod-1000") == MOUNT
    assert len(server.asked) == asked
