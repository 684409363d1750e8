"""Pods of several namespaces, some of which refuse to be listed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import product
from typing import Any, cast

import pytest

from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer
from podreduce_operator.cluster.kubernetes.pod_watch import PodWatch


class Namespaces:
    """Serves an empty list of pods in each namespace, or the status of a refusal in its place."""

    def __init__(self, answers: dict[str, int]) -> None:
        self.answers = answers
        self.ends_watches = asyncio.Event()

    async def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:  # noqa: ARG002 - as the API server's
        status = self.answers[path.split("/")[4] if "/namespaces/" in path else ""]
        if status != 200:
            raise ApiError(status, "", "refused")
        return {"metadata": {"resourceVersion": "1"}, "items": []}

    async def watch(self, path: str, query: dict[str, str]) -> AsyncIterator[dict[str, Any]]:  # noqa: ARG002 - likewise
        await self.ends_watches.wait()
        raise ApiError(403, "Forbidden", "refused")
        yield {}


@pytest.mark.parametrize("answers", [*product((200, 403, 404), repeat=3)], ids=str)
async def test_a_namespace_that_may_not_be_listed_keeps_no_other_waiting(answers: tuple[int, ...]) -> None:
    namespaces = dict(zip("abc", answers, strict=True))
    watch = PodWatch(cast("ApiServer", Namespaces(namespaces)), tuple(namespaces))
    running = asyncio.create_task(watch.run(lambda _: None, lambda _: None))
    for name, status in namespaces.items():
        if status == 200:
            assert await asyncio.wait_for(watch.pods_of(name, "uid"), 1) == ()
    for _ in range(20):
        await asyncio.sleep(0)
    assert watch.is_synced
    assert watch.seconds_since_contact() < 60
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(("status", "is_answer"), [(403, True), (500, True), (0, False)])
async def test_a_refusal_is_a_sign_of_life(status: int, is_answer: bool) -> None:
    watch = PodWatch(cast("ApiServer", Namespaces({"a": status})), ("a",))
    (reflector,) = watch._reflectors.values()  # noqa: SLF001 - time passes for a test
    reflector._contact_at -= 1000  # noqa: SLF001 - likewise
    running = asyncio.create_task(watch.run(lambda _: None, lambda _: None))
    for _ in range(20):
        await asyncio.sleep(0)
    assert (watch.seconds_since_contact() < 60) is is_answer
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def wait_for(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the watch has no event for this
            await asyncio.sleep(0)


@pytest.mark.parametrize("since", ["the start", "later"])
async def test_pods_that_may_not_be_listed_are_refused_and_not_waited_for(since: str) -> None:
    server = Namespaces({"a": 403 if since == "the start" else 200})
    watch = PodWatch(cast("ApiServer", server), ("a",))
    running = asyncio.create_task(watch.run(lambda _: None, lambda _: None))
    if since == "later":
        assert await asyncio.wait_for(watch.pods_of("a", "uid"), 1) == ()
        server.ends_watches.set()
    (reflector,) = watch._reflectors.values()  # noqa: SLF001 - what the test waits for
    await wait_for(lambda: reflector.is_forbidden)
    with pytest.raises(ApiError, match="refused"):
        await asyncio.wait_for(watch.pods_of("a", "uid"), 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize("status", [0, 403, 404, 429, 500, 503])
async def test_a_first_listing_that_fails_is_waited_for_once(status: int) -> None:
    watch = PodWatch(cast("ApiServer", Namespaces({"a": status})), ("a",))
    running = asyncio.create_task(watch.run(lambda _: None, lambda _: None))
    with pytest.raises(ApiError, match="refused"):
        await asyncio.wait_for(watch.pods_of("a", "uid"), 1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_all_pods_that_may_not_be_listed_are_not_called_synced() -> None:
    watch = PodWatch(cast("ApiServer", Namespaces({"": 403})), ())
    running = asyncio.create_task(watch.run(lambda _: None, lambda _: None))
    (reflector,) = watch._reflectors.values()  # noqa: SLF001 - what the test waits for
    await wait_for(lambda: reflector.is_forbidden)
    assert not watch.is_synced
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
