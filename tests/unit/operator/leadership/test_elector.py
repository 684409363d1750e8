"""The elector on an API server of a few lines, by a clock that only waiting moves."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer
from podreduce_operator.leadership.election import Standing
from podreduce_operator.leadership.elector import Elector
from podreduce_operator.leadership.fence import Fence, NotLeadingError
from podreduce_operator.leadership.lease_settings import LeaseSettings

pytestmark = pytest.mark.virtual_time

SETTINGS = LeaseSettings(
    name="podreduce", namespace="system", duration_seconds=1, renew_seconds=0.3, retry_seconds=0.03
)
CLOCKS_THAT_JUMP = {"a day back": -86400, "an hour ahead": 3600}
PATH = "/apis/coordination.k8s.io/v1/namespaces/system/leases"
DEPLOYMENT_PATH = "/apis/apps/v1/namespaces/system/deployments/podreduce"
FROZEN = datetime(2026, 1, 1, tzinfo=UTC)


class LeaseServer:
    """Serves one Lease; while `outage` is set every request fails with it, or hangs if it is `HANG`."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self.version = 0
        self.outage: Exception | None = None
        self.requests: list[str] = []
        self.deployment: dict[str, Any] | ApiError = {"metadata": {"uid": "deployment-uid"}}
        self.owners: list[list[dict[str, Any]]] = []

    async def get(self, path: str) -> dict[str, Any]:
        if path == DEPLOYMENT_PATH:
            if isinstance(self.deployment, ApiError):
                raise self.deployment
            return self.deployment
        await self._serve("GET", path, f"{PATH}/podreduce")
        if self.stored is None:
            raise ApiError(404, "NotFound", "no such lease")
        return self.stored

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        await self._serve("POST", path, PATH)
        if self.stored is not None:
            raise ApiError(409, "AlreadyExists", "there is one")
        self.owners.append(body["metadata"].get("ownerReferences", []))
        return self._store(body["spec"])

    async def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        await self._serve("PATCH", path, f"{PATH}/podreduce")
        if self.stored is None or body["metadata"]["resourceVersion"] != self.stored["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "the object has been modified")
        return self.stored if body["spec"] == self.stored.get("spec") else self._store(body["spec"])

    def take(self, holder: str) -> None:
        """Let somebody else have the lease."""
        self._store({"holderIdentity": holder, "leaseDurationSeconds": 60})

    @property
    def holder(self) -> str | None:
        return None if self.stored is None else self.stored["spec"]["holderIdentity"]

    def _store(self, spec: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.stored = {"metadata": {"resourceVersion": str(self.version)}, "spec": spec}
        return self.stored

    async def _serve(self, verb: str, path: str, expected: str) -> None:
        self.requests.append(verb)
        assert path == expected
        if self.outage is HANG:
            await asyncio.Event().wait()
        if self.outage is not None:
            raise self.outage


HANG = Exception("no answer, ever")
DOWN = ApiError(0, "Unreachable", "the API server did not answer: refused")


class Candidate:
    """An elector, its fence, and what was said when it lost."""

    def __init__(self, server: LeaseServer, **settings: Any) -> None:
        self.lost: list[str] = []
        self.wall = FROZEN
        self.fence = Fence(self.lost.append, clock=asyncio.get_running_loop().time)
        self.elector = Elector(
            cast("ApiServer", server),
            replace(SETTINGS, **settings),
            self.fence,
            jitter=lambda: 1.0,
            wall_clock=lambda: self.wall,
        )

    async def acquire(self) -> None:
        async with asyncio.timeout(5):
            await self.elector.acquire()


@pytest.fixture
def server() -> LeaseServer:
    return LeaseServer()


Make = Callable[..., Candidate]


@pytest.fixture
async def make(server: LeaseServer) -> AsyncIterator[Make]:
    made: list[Candidate] = []

    def make_candidate(**settings: Any) -> Candidate:
        made.append(Candidate(server, **settings))
        return made[-1]

    yield make_candidate
    server.outage = None
    for candidate in made:
        await candidate.elector.stop(release=True)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.005)


async def test_the_first_creates_the_lease_and_the_second_stands_by(server: LeaseServer, make: Make) -> None:
    first, second = make(), make()
    await first.acquire()
    first.fence.check()
    assert server.holder == first.elector.identity
    assert not await second.elector.take_turn()
    assert second.elector.standing() is Standing.STANDBY
    assert second.elector.holder == first.elector.identity
    with pytest.raises(NotLeadingError):
        second.fence.check()


@pytest.mark.parametrize("spec", [{}, {"spec": {}}], ids=["none", "empty"])
async def test_a_lease_that_was_made_beforehand_is_taken_at_once(
    spec: dict[str, Any], server: LeaseServer, make: Make
) -> None:
    server.version, server.stored = 1, {"metadata": {"resourceVersion": "1"}, **spec}
    candidate = make()
    await candidate.acquire()
    assert (server.holder, server.requests) == (candidate.elector.identity, ["GET", "PATCH"])


OWNER = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podreduce", "uid": "deployment-uid"}
GONE, FORBIDDEN = ApiError(404, "NotFound", "no such deployment"), ApiError(403, "Forbidden", "no")


@pytest.mark.parametrize(
    ("deployment", "owners"),
    [({"metadata": {"uid": "deployment-uid"}}, [OWNER]), (GONE, []), (FORBIDDEN, [])],
    ids=["found", "misnamed", "forbidden"],
)
async def test_a_lease_goes_with_the_deployment_that_can_be_found(
    deployment: Any, owners: list[Any], server: LeaseServer, make: Make
) -> None:
    server.deployment = deployment
    await make(deployment="podreduce").acquire()
    assert server.owners == [owners]


async def test_a_lease_that_vanishes_is_made_anew_with_its_owner(server: LeaseServer, make: Make) -> None:
    leader = make(deployment="podreduce")
    await leader.acquire()
    server.stored = None
    await until(lambda: server.stored)
    assert server.owners == [[OWNER], [OWNER]]
    assert leader.lost == []


async def test_no_lease_is_made_for_a_deployment_that_was_removed(server: LeaseServer, make: Make) -> None:
    leader = make(deployment="podreduce")
    await leader.acquire()
    server.deployment, server.stored = GONE, None
    await until(lambda: leader.lost)
    assert server.stored is None


async def test_a_held_lease_is_renewed_without_being_read_even_by_a_clock_that_stands(
    server: LeaseServer, make: Make
) -> None:
    leader = make()
    await leader.acquire()
    server.requests.clear()
    before = server.version
    await until(lambda: server.version >= before + 12)
    assert set(server.requests) == {"PATCH"}
    assert leader.elector.standing() is Standing.LEADER
    assert leader.lost == []


@pytest.mark.parametrize("seconds", CLOCKS_THAT_JUMP.values(), ids=CLOCKS_THAT_JUMP.keys())
async def test_the_lead_does_not_depend_on_the_time_of_day(server: LeaseServer, make: Make, seconds: int) -> None:
    leader, standby = make(), make()
    await leader.acquire()
    waiting = asyncio.create_task(standby.elector.acquire())
    await asyncio.sleep(0.2)
    leader.wall = leader.wall + timedelta(seconds=seconds)
    await asyncio.sleep(5)
    leader.fence.check()
    assert (leader.lost, standby.elector.standing()) == ([], Standing.STANDBY)
    server.outage = DOWN
    await until(lambda: leader.lost)
    await leader.elector.stop(release=False)  # its process would have ended
    server.outage = None
    async with asyncio.timeout(5):
        await waiting
    assert server.holder == standby.elector.identity
    with pytest.raises(NotLeadingError):
        leader.fence.check()


async def test_a_released_lease_is_taken_by_the_next(server: LeaseServer, make: Make) -> None:
    first, second = make(), make()
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await until(lambda: second.elector.standing() is Standing.STANDBY)
    await first.elector.stop(release=True)
    with pytest.raises(NotLeadingError):
        first.fence.check()
    await waiting
    assert server.holder == second.elector.identity
    assert (first.lost, second.lost) == ([], [])


async def test_what_was_never_held_is_not_released(server: LeaseServer, make: Make) -> None:
    server.take("somebody_1")
    candidate = make()
    await candidate.elector.take_turn()
    await candidate.elector.stop(release=True)
    assert server.holder == "somebody_1"


async def test_a_leader_that_is_cut_off_has_lost_at_its_deadline(server: LeaseServer, make: Make) -> None:
    leader = make()
    await leader.acquire()
    server.outage = DOWN
    await until(lambda: leader.lost)
    assert leader.lost == ["it was not renewed for 0.3 s: the API server did not answer: refused"]
    with pytest.raises(NotLeadingError):
        leader.fence.check()


async def test_a_request_that_hangs_costs_a_part_of_the_deadline_only(server: LeaseServer, make: Make) -> None:
    leader = make()
    await leader.acquire()
    server.outage = HANG
    await until(lambda: leader.elector.trouble)
    server.outage = None
    await until(lambda: not leader.elector.trouble)
    await asyncio.sleep(0.4)
    leader.fence.check()
    assert leader.lost == []


async def test_an_answer_that_is_no_lease_is_a_failed_try(server: LeaseServer, make: Make) -> None:
    server.stored = {"kind": "Status"}
    candidate = make()
    assert not await candidate.elector.take_turn()
    assert candidate.elector.trouble == "KeyError('metadata')"


async def test_a_leader_that_sees_another_has_lost_at_once(server: LeaseServer, make: Make) -> None:
    leader = make(renew_seconds=60.0)
    await leader.acquire()
    server.take("usurper_1")
    await until(lambda: leader.lost)
    assert leader.lost == ["usurper_1 has taken it"]


async def test_another_process_of_the_same_pod_takes_over_at_once(server: LeaseServer, make: Make) -> None:
    first, second = make(pod="pod-a", renew_seconds=60.0), make(pod="pod-a")
    await first.acquire()
    await second.acquire()
    await until(lambda: first.lost)
    assert server.holder == second.elector.identity


async def test_an_edit_by_others_costs_the_leader_nothing(server: LeaseServer, make: Make) -> None:
    leader = make()
    await leader.acquire()
    assert server.stored is not None
    server._store(server.stored["spec"])  # noqa: SLF001 - as if somebody had labelled it
    await asyncio.sleep(0.4)
    leader.fence.check()
    assert leader.lost == []
    assert leader.elector.trouble == ""


async def test_a_standby_waits_out_an_outage(server: LeaseServer, make: Make) -> None:
    server.outage = DOWN
    candidate = make()
    waiting = asyncio.create_task(candidate.acquire())
    await until(lambda: candidate.elector.trouble)
    assert candidate.elector.standing() is Standing.NEITHER
    server.outage = None
    await waiting
    assert candidate.elector.trouble == ""


async def test_a_release_that_cannot_be_written_leaves_the_lease_to_expire(server: LeaseServer, make: Make) -> None:
    leader = make()
    await leader.acquire()
    server.outage = DOWN
    await leader.elector.stop(release=True)
    assert server.holder == leader.elector.identity
    await asyncio.sleep(0.4)
    assert leader.lost == [], "it was given up, not lost"


async def test_a_lease_is_not_given_away_while_something_is_under_way(server: LeaseServer, make: Make) -> None:
    leader = make()
    await leader.acquire()
    await leader.elector.stop(release=False)
    version = server.version
    await asyncio.sleep(0.1)
    assert (server.holder, server.version) == (leader.elector.identity, version)
    with pytest.raises(NotLeadingError):
        leader.fence.check()


async def test_of_many_at_once_one_gets_the_lease(make: Make) -> None:
    candidates = [make() for _ in range(5)]
    won = await asyncio.gather(*(candidate.elector.take_turn() for candidate in candidates))
    assert sorted(won) == [False] * 4 + [True]
    assert {candidate.elector.trouble for candidate in candidates} == {""}
