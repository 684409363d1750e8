from collections.abc import Mapping
from typing import Any, cast

import pytest

from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer
from podreduce_operator.cluster.kubernetes.resource_kinds import JOB_KIND, PIPELINE_KIND, SCHEDULE_KIND, ResourceKind
from podreduce_operator.cluster.kubernetes.watched_resources import WatchedResources
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.resources import JobKey
from tests.support.builders.jobs import make_raw_spec
from tests.support.builders.pipelines import PAGERANK

KEY = JobKey(namespace="team", name="one")
SPECS: dict[str, tuple[ResourceKind[Any], Mapping[str, Any]]] = {
    "jobs": (JOB_KIND, make_raw_spec()),
    "pipelines": (PIPELINE_KIND, PAGERANK),
    "schedules": (SCHEDULE_KIND, {"schedule": "30 2 * * *", "jobTemplate": {"spec": make_raw_spec()}}),
}
of_each_kind = pytest.mark.parametrize(("kind", "spec"), SPECS.values(), ids=SPECS.keys())


class Server:
    """Answers each request with the same error, but takes events."""

    def __init__(self, status: int = 0) -> None:
        self.error = ApiError(status, "", "it says why")
        self.events: list[Mapping[str, Any]] = []

    async def get(self, path: str) -> dict[str, Any]:
        assert KEY.name in path
        raise self.error

    async def replace(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        assert path.endswith("/status")
        assert body["metadata"]["resourceVersion"] == "5"
        raise self.error

    async def create(self, path: str, body: Mapping[str, Any]) -> None:
        assert path == "/api/v1/namespaces/team/events"
        self.events.append(body)


def watch(server: Server, kind: ResourceKind[Any]) -> WatchedResources[Any]:
    return WatchedResources(kind, cast("ApiServer", server), ("team",), installation="here")


def make_manifest(spec: Mapping[str, Any], uid: str = "1", **metadata: Any) -> dict[str, Any]:
    named = {"namespace": KEY.namespace, "name": KEY.name, "uid": uid, "resourceVersion": "5"}
    return {"metadata": named | metadata, "spec": dict(spec)}


@of_each_kind
async def test_what_the_watch_shows_is_known_until_it_is_deleted(
    kind: ResourceKind[Any], spec: Mapping[str, Any]
) -> None:
    watched = watch(Server(), kind)
    view = watched.observe(make_manifest(spec))
    assert [*watched.known()] == [each.key for each in watched.views()] == [KEY]
    assert await watched.find(KEY) == view
    assert watched.knows(KEY)
    watched.observe_deletion(make_manifest(spec, uid="another"))
    assert watched.knows(KEY)
    watched.observe_deletion(make_manifest(spec))
    assert not watched.knows(KEY)


@of_each_kind
async def test_one_lives_until_it_is_being_deleted_or_another_has_its_name(
    kind: ResourceKind[Any], spec: Mapping[str, Any]
) -> None:
    watched = watch(Server(), kind)
    view = watched.observe(make_manifest(spec))
    assert watched.lives(view)
    deleting = watched.observe(make_manifest(spec, resourceVersion="6", deletionTimestamp="2026-05-01T02:30:00Z"))
    assert not watched.lives(deleting)
    successor = watched.observe(make_manifest(spec, uid="2", resourceVersion="7"))
    assert (watched.lives(view), watched.lives(successor)) == (False, True)


@of_each_kind
async def test_one_that_cannot_be_read_is_a_fault_and_one_that_is_gone_is_not(
    kind: ResourceKind[Any], spec: Mapping[str, Any]
) -> None:
    del spec
    with pytest.raises(ActionError, match=f"the {kind.names.kind} team/one cannot be read now: it says why"):
        await watch(Server(503), kind).find(KEY)
    assert await watch(Server(404), kind).find(KEY) is None


@pytest.mark.parametrize(
    ("status", "reason", "has_post_mortem"), [(403, "Forbidden", True), (500, "ApiServerUnavailable", False)]
)
@of_each_kind
async def test_a_status_that_may_not_be_written_is_told_by_an_event(
    kind: ResourceKind[Any], spec: Mapping[str, Any], status: int, reason: str, has_post_mortem: bool
) -> None:
    server = Server(status)
    watched = watch(server, kind)
    view = watched.observe(make_manifest(spec))
    with pytest.raises(ActionError, match="the status of team/one cannot be written now: it says why") as refused:
        await watched.write_status(view, {"phase": "Planning"})
    assert refused.value.reason == reason
    told = [(each["involvedObject"]["kind"], each["type"], each["reason"]) for each in server.events]
    assert told == ([(kind.names.kind, "Warning", reason)] if has_post_mortem else [])
