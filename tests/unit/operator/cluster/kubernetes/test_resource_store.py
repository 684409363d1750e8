"""The first listing of jobs, from an API server of a few lines; the rest is in the conformance suite."""

from collections.abc import Mapping
from copy import deepcopy
from itertools import product
from typing import Any, cast

import pytest

from podreduce_operator.api.crd import job_schema
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer
from podreduce_operator.cluster.kubernetes.resource_kinds import JOB_KIND
from podreduce_operator.cluster.kubernetes.resource_store import ListedResources, ResourceStore
from podreduce_operator.model.jobs import JobKey, JobView
from tests.support.builders.jobs import make_raw_spec

FIRST = JobKey(namespace="team", name="first")
NEEDED = {"program", "input", "output"}


def make_manifest(name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"namespace": "team", "name": name, "uid": f"uid-{name}", "resourceVersion": "7"}
    return {"metadata": metadata, "spec": make_raw_spec(**spec)}


class Pages:
    """Serves these jobs, one a page; an error in their place is raised."""

    def __init__(self, *jobs: dict[str, Any] | Exception) -> None:
        self.jobs = jobs

    async def get(self, path: str, query: Mapping[str, str], *, accept: str) -> dict[str, Any]:
        assert path == "/apis/podreduce.dev/v1beta1/mapreducejobs"
        assert accept == ""
        number = int(query.get("continue", 0))
        job = self.jobs[number]
        if isinstance(job, Exception):
            raise job
        token = str(number + 1) if number + 1 < len(self.jobs) else ""
        return {"metadata": {"continue": token}, "items": [job]}


def make_store(*jobs: dict[str, Any] | Exception) -> ResourceStore:
    return ResourceStore(JOB_KIND, cast("ApiServer", Pages(*jobs)), ())


def known(store: ResourceStore) -> set[str]:
    return {key.name for key in store.cache.uids()}


async def test_all_pages_are_taken_before_it_counts_as_synced() -> None:
    store = make_store(make_manifest("first"), make_manifest("second"))
    assert not store.is_synced
    await store.take_listing()
    assert store.is_synced
    assert known(store) == {"first", "second"}


async def test_a_job_that_is_not_understood_hides_no_other() -> None:
    store = make_store(make_manifest("odd", backoff="often"), make_manifest("second"))
    await store.take_listing()
    assert store.is_synced
    assert known(store) == {"second"}


async def test_a_listing_that_broke_off_does_not_count() -> None:
    store = make_store(make_manifest("first"), ApiError(503, "", "away"))
    with pytest.raises(ApiError):
        await store.take_listing()
    assert not store.is_synced


async def test_what_a_watch_has_shown_is_not_overwritten_by_what_is_older() -> None:
    store = make_store(make_manifest("first"))
    newer = make_manifest("first", runId="2")
    newer["metadata"]["resourceVersion"] = "8"
    store.cache.put(newer)
    await store.take_listing()
    entry = store.cache.get(JobKey(namespace="team", name="first"))
    assert entry is not None
    assert entry.view.spec.run_id == "2"


class OldServer:
    """Serves one job, and drops the fields of its status that an older CRD does not know.

    As in etcd, a write that changes nothing leaves the resource version as it was.
    """

    def __init__(self, job: dict[str, Any], *dropped: str) -> None:
        self.job = job
        self.dropped = dropped
        self.writes = 0

    async def get(self, path: str) -> dict[str, Any]:
        assert path == "/apis/podreduce.dev/v1beta1/namespaces/team/mapreducejobs/first"
        return deepcopy(self.job)

    async def replace(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        assert path.endswith("/first/status")
        self.writes += 1
        kept = {name: value for name, value in body["status"].items() if name not in self.dropped}
        self.edit(status=kept)
        return deepcopy(self.job)

    def edit(self, **fields: Any) -> dict[str, Any]:
        """Change fields of the job, as a user or a writer does."""
        if {**self.job, **fields} == self.job:
            return deepcopy(self.job)
        version = str(int(self.job["metadata"]["resourceVersion"]) + 1)
        self.job = {**self.job, **fields, "metadata": self.job["metadata"] | {"resourceVersion": version}}
        return deepcopy(self.job)


def serve_old(job: dict[str, Any], *dropped: str) -> tuple[OldServer, ResourceStore]:
    server = OldServer(job, *dropped)
    return server, ResourceStore(JOB_KIND, cast("ApiServer", server), ())


async def find(store: ResourceStore) -> JobView:
    job = await store.find(FIRST)
    assert job is not None
    return job


@pytest.mark.parametrize("field", sorted(job_schema()["properties"]["status"]["properties"]))
async def test_a_status_field_that_an_older_crd_drops_is_remembered(field: str) -> None:
    server, store = serve_old(make_manifest("first"), field)
    sent = {"observedGeneration": 1, "phase": "Failed", field: "told"}
    assert await store.write_status(await find(store), sent)
    assert (await find(store)).status == sent
    store.cache.put(server.edit(spec=make_raw_spec(suspend=True)))
    assert (await find(store)).status == sent
    store.cache.put(server.edit(status={"phase": "Edited"}))
    assert (await find(store)).status == {"phase": "Edited"}


@pytest.mark.parametrize("field", sorted(job_schema()["properties"]["status"]["properties"]))
async def test_a_write_that_changes_nothing_under_an_older_crd_is_not_repeated(field: str) -> None:
    stored = {name: value for name, value in {"observedGeneration": 1, "phase": "Failed"}.items() if name != field}
    server, store = serve_old({**make_manifest("first"), "status": stored}, field)
    sent = {**stored, field: "told"}
    for _ in range(3):
        job = await find(store)
        if job.status != sent:
            assert await store.write_status(job, sent)
    assert (server.writes, (await find(store)).status) == (1, sent)
    assert store.cache.put(server.edit(status={"phase": "Edited"})).status == {"phase": "Edited"}


async def test_a_status_that_the_watch_shows_before_the_answer_arrives_is_remembered_as_sent() -> None:
    server, store = serve_old(make_manifest("first"), "planDigest")
    await find(store)
    answer = server.edit(status={"phase": "Failed"})
    store.cache.put(answer)
    assert store.cache.put(answer, sent={"phase": "Failed", "planDigest": "0"}).status["planDigest"] == "0"


@pytest.mark.parametrize(("uid", "version"), [("uid-first", "6"), ("uid-other", "7")], ids=["older", "of another job"])
async def test_an_answer_about_what_is_no_longer_the_job_changes_nothing(uid: str, version: str) -> None:
    _, store = serve_old(make_manifest("first"))
    known = await find(store)
    answer = make_manifest("first")
    answer["metadata"] |= {"uid": uid, "resourceVersion": version}
    assert store.cache.put(answer, sent={"phase": "Failed"}) == known


@pytest.mark.parametrize("field", sorted(set(make_raw_spec()) - NEEDED))
async def test_a_spec_of_an_older_crd_gets_the_defaults_that_it_lacks(field: str) -> None:
    manifest = make_manifest("first")
    wanted = manifest["spec"].pop(field)
    _, store = serve_old(manifest)
    assert (await find(store)).raw_spec[field] == wanted


async def test_a_spec_of_a_newer_crd_is_read_without_what_is_not_known() -> None:
    _, store = serve_old(make_manifest("first", novel="field"))
    assert (await find(store)).raw_spec == make_raw_spec()


async def test_a_job_that_is_not_understood_says_so_once_and_recovers() -> None:
    server, store = serve_old(make_manifest("first", execution="Never"))
    assert await store.find(FIRST) is None
    assert await store.find(FIRST) is None
    assert server.writes == 1
    (condition,) = server.job["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("SpecNotUnderstood", "True")
    assert "spec.execution" in condition["message"]
    assert store.cache.is_unread(FIRST, "uid-first")
    assert not store.cache.is_unread(FIRST, "uid-of-a-predecessor")
    server.edit(spec=make_raw_spec())
    assert (await find(store)).spec_error == ""
    assert not store.cache.is_unread(FIRST, "uid-first")


async def test_a_job_of_another_installation_that_is_not_understood_is_left_alone() -> None:
    server, store = serve_old(make_manifest("first", execution="Never"))
    server.edit(status={"installation": "other"})
    assert await store.find(FIRST) is None
    assert server.writes == 0


async def test_a_known_job_goes_on_with_the_last_spec_that_was_understood() -> None:
    server, store = serve_old(make_manifest("first", runId="5"))
    await find(store)
    store.cache.put(server.edit(spec=make_raw_spec(runId="5", execution="Never"), status={"phase": "Mapping"}))
    job = await find(store)
    assert job.spec.run_id == "5"
    assert job.status == {"phase": "Mapping"}
    assert "spec.execution" in job.spec_error


def test_silence_is_counted_from_the_last_listing() -> None:
    now = [100.0]
    store = ResourceStore(JOB_KIND, cast("ApiServer", Pages()), (), clock=lambda: now[0])
    now[0] = 130.0
    assert store.seconds_since_contact() == 30


class Namespaces:
    """Serves one job in each namespace, or the status of a refusal in its place."""

    def __init__(self, answers: Mapping[str, int]) -> None:
        self.answers = answers

    async def get(self, path: str, query: Mapping[str, str], *, accept: str) -> dict[str, Any]:  # noqa: ARG002
        namespace = path.split("/")[5]
        if self.answers[namespace] != 200:
            raise ApiError(self.answers[namespace], "", namespace)
        job = make_manifest(namespace)
        job["metadata"]["namespace"] = namespace
        return {"metadata": {}, "items": [job]}


@pytest.mark.parametrize("answers", [*product((200, 403, 404), repeat=3)], ids=str)
async def test_a_namespace_that_may_not_be_listed_keeps_no_other_waiting(answers: tuple[int, ...]) -> None:
    namespaces = dict(zip("abc", answers, strict=True))
    store = ResourceStore(JOB_KIND, cast("ApiServer", Namespaces(namespaces)), tuple(namespaces))
    served = {name for name, status in namespaces.items() if status == 200}
    await store.take_listing()
    assert store.is_synced
    assert known(store) == served
    listed = await store.list_uids()
    assert listed == ListedResources(uids=frozenset(f"uid-{name}" for name in served), places=frozenset(served))
    assert [name for name in namespaces if listed.is_gone(name, "uid-x")] == sorted(served)


@pytest.mark.parametrize("answers", [*product((200, 403), repeat=3)], ids=str)
async def test_jobs_of_a_namespace_that_may_no_longer_be_listed_stay_known(answers: tuple[int, ...]) -> None:
    namespaces = dict.fromkeys("abc", 200)
    store = ResourceStore(JOB_KIND, cast("ApiServer", Namespaces(namespaces)), tuple(namespaces))
    await store.take_listing()
    namespaces.update(zip("abc", answers, strict=True))
    await store.resync()
    assert known(store) == set("abc")


@pytest.mark.parametrize("status", [0, 401, 429, 500, 503])
async def test_a_server_that_fails_is_asked_again(status: int) -> None:
    store = ResourceStore(JOB_KIND, cast("ApiServer", Namespaces({"a": 200, "b": status})), ("a", "b"))
    with pytest.raises(ApiError):
        await store.take_listing()
    assert not store.is_synced


async def test_a_refusal_for_all_namespaces_is_an_error() -> None:
    with pytest.raises(ApiError):
        await make_store(ApiError(403, "Forbidden", "no")).take_listing()
