import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from podreduce_operator.cluster.kubernetes.api import ApiError
from podreduce_operator.cluster.kubernetes.backoff import Backoff
from podreduce_operator.cluster.kubernetes.object_cache import ObjectCache
from podreduce_operator.cluster.kubernetes.reflector import Reflector

Step = list[dict[str, Any] | Exception] | Exception


def make(uid: str, version: int) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "resourceVersion": str(version)}}


def page(version: int, *items: dict[str, Any], more: str = "") -> dict[str, Any]:
    return {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(items)}


def event(kind: str, uid: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": make(uid, version)}


class Script:
    """An API server that plays its lists and watches in turn, then stays silent; and a reflector on it."""

    def __init__(self, lists: list[dict[str, Any] | Exception], watches: list[Step]) -> None:
        self.lists, self.watches = list(lists), list(watches)
        self.queries: list[dict[str, str]] = []
        self.pauses: list[float] = []
        self.played = asyncio.Event()
        self.known: set[str] = set()
        self.now = 0.0
        self.reflector = Reflector(
            ObjectCache(lambda manifest: str(manifest["metadata"]["uid"]), self.on_change),
            name="things",
            list_page=self.list_page,
            watch=self.watch,
            selector="mine=yes",
            sleep=self.sleep,
            clock=lambda: self.now,
        )

    def on_change(self, old: str | None, new: str | None) -> None:
        if new is None:
            self.known.discard(str(old))
        else:
            self.known.add(new)

    async def list_page(self, query: dict[str, str]) -> dict[str, Any]:
        self.queries.append(query)
        answer = self.lists.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch(self, query: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
        self.queries.append(query)
        if not self.watches:
            self.played.set()
            await asyncio.Event().wait()
        step = self.watches.pop(0)
        if isinstance(step, Exception):
            raise step
        for one in step:
            if isinstance(one, Exception):
                raise one
            yield one

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def play(self) -> "Script":
        running = asyncio.create_task(self.reflector.run())
        async with asyncio.timeout(5):
            await self.played.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return self

    def watched_from(self) -> list[str]:
        return [query["resourceVersion"] for query in self.queries if "resourceVersion" in query]


async def test_all_pages_are_listed_before_it_counts_as_synced() -> None:
    script = await Script([page(5, make("a", 1), more="more"), page(5, make("b", 2))], []).play()
    assert script.known == {"a", "b"}
    assert script.reflector.synced.is_set()
    assert [query.get("continue") for query in script.queries[:2]] == [None, "more"]
    assert all(query["labelSelector"] == "mine=yes" for query in script.queries)


async def test_a_watch_goes_on_from_the_last_event_or_bookmark() -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "20"}}}
    script = await Script([page(5)], [[event("ADDED", "a", 9)], [bookmark]]).play()
    assert script.watched_from() == ["5", "9", "20"]
    assert script.known == {"a"}
    assert script.pauses == []


@pytest.mark.parametrize(
    "expired",
    [ApiError(410, "Expired", "too old"), ApiError(410, "Gone", "too old"), ApiError(400, "Expired", "too old")],
    ids=["410-expired", "410-gone", "400-expired"],
)
async def test_an_expired_version_is_listed_again_and_missed_deletions_are_found(expired: ApiError) -> None:
    script = await Script([page(5, make("a", 1), make("b", 2)), page(30, make("b", 2))], [expired]).play()
    assert script.known == {"b"}
    assert script.watched_from() == ["5", "30"]


async def test_an_interrupted_watch_is_resumed_without_a_listing() -> None:
    script = await Script([page(5)], [[event("ADDED", "a", 9), ApiError(0, "Unreachable", "reset")]]).play()
    assert script.watched_from() == ["5", "9"]
    assert len(script.pauses) == 1


async def test_delays_grow_until_something_works() -> None:
    down = ApiError(503, "ServiceUnavailable", "down")
    script = await Script([down, down, down, down, page(5)], [ApiError(500, "", "again")]).play()
    *growing, afterwards = script.pauses
    assert growing == sorted(growing)
    assert growing[-1] > 2 * growing[0] > 0
    assert afterwards < 1


async def test_a_paged_list_whose_token_expired_starts_over() -> None:
    script = await Script([page(5, more="old"), ApiError(410, "Expired", "token"), page(9, make("a", 1))], []).play()
    assert script.known == {"a"}
    assert script.watched_from() == ["9"]


async def test_an_object_that_cannot_be_parsed_does_not_end_it() -> None:
    broken = {"type": "ADDED", "object": {"metadata": {}}}
    script = await Script([page(5), page(9, make("a", 7))], [[broken]]).play()
    assert script.known == {"a"}


async def test_a_watch_that_ends_at_once_is_not_repeated_without_a_pause() -> None:
    script = await Script([page(5)], [[], [], []]).play()
    assert len(script.pauses) == 3


async def test_silence_is_measured() -> None:
    script = await Script([page(5)], []).play()
    script.now += 100
    assert script.reflector.seconds_since_contact() == 100


@pytest.mark.parametrize(("jitter", "expected"), [(0.0, [0.25, 0.5, 1, 2, 2]), (1.0, [0.5, 1, 2, 4, 4])])
def test_delays_double_up_to_their_limit(jitter: float, expected: list[float]) -> None:
    backoff = Backoff(jitter=always(jitter), first=0.5, limit=4.0)
    assert [backoff.next_delay() for _ in expected] == expected
    backoff.reset()
    assert backoff.next_delay() == expected[0]


def always(value: float) -> Callable[[], float]:
    return lambda: value
