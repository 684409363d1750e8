"""What becomes of the API server's refusals, from a server of a few lines; the verbs are in the conformance suite."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer
from podreduce_operator.cluster.kubernetes.resource_kinds import JOB_KIND, PIPELINE_KIND
from podreduce_operator.cluster.kubernetes.resource_store import ResourceStore
from podreduce_operator.cluster.kubernetes.schedules import KubernetesSchedules, open_schedules
from podreduce_operator.model.errors import ActionError
from podreduce_operator.schedules.job_of_schedule import build_scheduled
from tests.support.builders.jobs import make_raw_spec
from tests.support.builders.pipelines import PAGERANK
from tests.support.builders.schedules import make_schedule, read_no_storage

SCHEDULE = make_schedule()
Answer = dict[str, Any] | ApiError


def make_job(name: str, *, uid: str = SCHEDULE.uid, **spec: Any) -> dict[str, Any]:
    owner = {"kind": "MapReduceSchedule", "name": "nightly", "uid": uid, "controller": True}
    metadata = {"namespace": "team", "name": name, "uid": f"uid-{name}", "resourceVersion": "7"}
    return {"metadata": {**metadata, "ownerReferences": [owner]}, "spec": make_raw_spec(**spec)}


class Server:
    """Gives an answer to each verb, and remembers what it was asked."""

    def __init__(self, **answers: Answer) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def answer(self, verb: str, path: str) -> dict[str, Any]:
        self.asked.append(f"{verb} {path}")
        found = self.answers[verb]
        if isinstance(found, ApiError):
            raise found
        return found

    async def get(self, path: str, query: Mapping[str, str] | None = None, *, accept: str = "") -> dict[str, Any]:
        assert accept == ""
        return self.answer("list" if query else "get", path)

    async def create(
        self, path: str, body: Mapping[str, Any], query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        assert body["kind"] in {"MapReduceJob", "MapReducePipeline"}
        assert query == {"fieldValidation": "Strict"}
        return self.answer("create", path)

    async def delete(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        assert body["preconditions"] == {"uid": "uid-x"}
        return self.answer("delete", path)


def open_half(server: Server, *, is_synced: bool = True, has_pipelines: bool = False) -> KubernetesSchedules:
    api = cast("ApiServer", server)
    jobs, pipelines = ResourceStore(JOB_KIND, api, ("team",)), ResourceStore(PIPELINE_KIND, api, ("team",))
    jobs.is_synced = pipelines.is_synced = is_synced
    return open_schedules(
        api, jobs, pipelines if has_pipelines else None, ("team",), "here", read_storage=read_no_storage
    )


@pytest.mark.parametrize(
    ("status", "reason", "permanent"),
    [
        (422, "JobRefused", True),
        (400, "JobRefused", True),
        (413, "JobRefused", True),
        (403, "Forbidden", False),
        (429, "ApiServerUnavailable", False),
        (500, "ApiServerUnavailable", False),
        (0, "ApiServerUnavailable", False),
    ],
)
async def test_a_job_that_is_not_made_says_who_must_act(status: int, reason: str, permanent: bool) -> None:
    schedules = open_half(Server(create=ApiError(status, "", "the server's words")))
    with pytest.raises(ActionError, match="the server's words") as refused:
        await schedules.create_job(SCHEDULE, build_scheduled(SCHEDULE, 60.0))
    assert (refused.value.reason, refused.value.permanent) == (reason, permanent)


@pytest.mark.parametrize("status", [404, 409])
async def test_a_job_that_is_gone_or_another_counts_as_deleted(status: int) -> None:
    server = Server(delete=ApiError(status, "", ""))
    await open_half(server).delete_job_of(SCHEDULE, "job", "nightly-1", "uid-x")
    assert server.asked == ["delete /apis/podreduce.dev/v1beta1/namespaces/team/mapreducejobs/nightly-1"]


async def test_a_job_that_cannot_be_deleted_or_listed_now_is_a_fault() -> None:
    schedules = open_half(Server(delete=ApiError(500, "", "away"), list=ApiError(500, "", "away")))
    with pytest.raises(ActionError, match="cannot be deleted now"):
        await schedules.delete_job_of(SCHEDULE, "job", "nightly-1", "uid-x")
    with pytest.raises(ActionError, match="cannot be listed now"):
        await schedules.list_jobs_of(SCHEDULE, current=True)


@pytest.mark.parametrize(("current", "is_synced", "asks"), [(True, True, 1), (False, True, 0), (False, False, 1)])
async def test_the_server_is_asked_when_it_counts_and_before_the_first_listing(
    *, current: bool, is_synced: bool, asks: int
) -> None:
    server = Server(list={"items": [make_job("nightly-1"), make_job("nightly-2", uid="another")]})
    found = await open_half(server, is_synced=is_synced).list_jobs_of(SCHEDULE, current=current)
    assert [job.key.name for job in found] == ["nightly-1"] * asks
    assert len(server.asked) == asks


PIPELINES = make_schedule(jobTemplate=None, pipelineTemplate={"spec": PAGERANK})


@pytest.mark.parametrize(("status", "reason"), [(422, "JobRefused"), (500, "ApiServerUnavailable")])
async def test_a_pipeline_is_posted_as_one_and_its_refusal_names_its_template(status: int, reason: str) -> None:
    server = Server(create=ApiError(status, "", "the server's words"))
    with pytest.raises(ActionError, match="the pipeline ") as refused:
        await open_half(server, has_pipelines=True).create_job(PIPELINES, build_scheduled(PIPELINES, 60.0))
    assert refused.value.reason == reason
    assert server.asked == ["create /apis/podreduce.dev/v1beta1/namespaces/team/mapreducepipelines"]
    assert ("correct spec.pipelineTemplate" in str(refused.value)) == (reason == "JobRefused")


async def test_a_pipeline_is_deleted_as_one() -> None:
    server = Server(delete={})
    await open_half(server, has_pipelines=True).delete_job_of(SCHEDULE, "pipeline", "nightly-1", "uid-x")
    assert server.asked == ["delete /apis/podreduce.dev/v1beta1/namespaces/team/mapreducepipelines/nightly-1"]


async def test_both_kinds_are_listed_whatever_the_template_is_now() -> None:
    server = Server(list={"items": []})
    await open_half(server, has_pipelines=True).list_jobs_of(SCHEDULE, current=True)
    assert [asked.rpartition("/")[2] for asked in server.asked] == ["mapreducejobs", "mapreducepipelines"]


async def test_without_the_crd_of_pipelines_jobs_are_made_and_a_pipeline_is_told() -> None:
    server = Server(list={"items": []})
    schedules = open_half(server)
    assert await schedules.list_jobs_of(SCHEDULE, current=True) == ()
    with pytest.raises(ActionError, match=r"has no MapReducePipeline: apply the files in crds/") as refused:
        await schedules.create_job(PIPELINES, build_scheduled(PIPELINES, 60.0))
    assert (refused.value.reason, refused.value.permanent) == ("PipelinesNotServed", True)


async def test_beside_a_job_that_is_not_understood_none_is_made() -> None:
    schedules = open_half(Server(list={"items": [make_job("nightly-1", backoff="often")]}))
    with pytest.raises(ActionError, match="team/nightly-1 is not understood") as refused:
        await schedules.list_jobs_of(SCHEDULE, current=True)
    assert refused.value.permanent
