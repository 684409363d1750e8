"""What every cluster promises the loop. Each half brings a world: the cluster, a job in it, and hands to meddle."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pods import PodPhase
from tests.conformance.kubernetes_world import KubernetesWorld, open_kubernetes_world
from tests.conformance.process_world import ProcessWorld
from tests.support.builders.jobs import make_job

World = ProcessWorld | KubernetesWorld


@pytest.fixture(params=["processes", pytest.param("kubernetes", marks=pytest.mark.e2e)])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    if request.param == "kubernetes":
        outside, images = request.getfixturevalue("cluster"), request.getfixturevalue("images")
        async with open_kubernetes_world(outside, images) as opened:
            yield opened
        return
    made = ProcessWorld(tmp_path)
    yield made
    await made.close()


async def test_a_pod_tells_which_attempt_it_is(world: World) -> None:
    await world.cluster.create_pod(world.request("r-7", ordinal=3))
    (pod,) = await world.cluster.list_pods(world.job)
    told = (str(pod.task), pod.ordinal, pod.generation, pod.run_hash, pod.name)
    assert told == ("r-7", 3, 0, "0123456789", "wordcount-r-7-3")
    assert pod.uid
    assert pod.is_active


async def test_creating_a_pod_twice_starts_it_once(world: World) -> None:
    first = await world.running(world.request())
    await world.cluster.create_pod(world.request())
    (pod,) = await world.cluster.list_pods(world.job)
    assert pod.uid == first.uid


async def test_a_name_held_by_another_run_is_refused_for_now(world: World) -> None:
    await world.cluster.create_pod(world.request(run_hash="aaaaaaaaaa"))
    with pytest.raises(ActionError) as refusal:
        await world.cluster.create_pod(world.request(run_hash="bbbbbbbbbb"))
    assert not refusal.value.permanent


async def test_a_name_held_by_a_pod_being_deleted_is_refused_for_now(world: World) -> None:
    pod = await world.running(world.request())
    await world.cluster.delete_pod(world.job, pod.name, pod.uid)
    with pytest.raises(ActionError) as refusal:
        await world.cluster.create_pod(world.request())
    assert not refusal.value.permanent


async def test_a_deleted_pod_is_seen_as_deleting_and_then_gone(world: World) -> None:
    pod = await world.running(world.request())
    await world.cluster.delete_pod(world.job, pod.name, pod.uid)
    seen = await world.cluster.list_pods(world.job)
    assert [(each.uid, each.deleting) for each in seen] == [(pod.uid, True)], "its program takes a while to end"
    await world.gone(pod.name)
    await world.cluster.delete_pod(world.job, pod.name, pod.uid)
    assert await world.cluster.list_pods(world.job) == ()


async def test_a_forced_delete_waits_for_no_node(world: World) -> None:
    pod = await world.running(world.request())
    await world.cluster.delete_pod(world.job, pod.name, pod.uid, force=True)
    await world.gone(pod.name)


async def test_a_delete_with_another_uid_leaves_the_pod_alone(world: World) -> None:
    pod = await world.running(world.request())
    await world.cluster.delete_pod(world.job, pod.name, "00000000-0000-4000-8000-000000000000")
    assert (await world.pod(pod.name)).is_active


async def test_a_killed_pod_has_failed_with_137_and_stays_until_it_is_deleted(world: World) -> None:
    pod = await world.running(world.request())
    await world.kill(pod)
    seen = await world.pod(pod.name)
    assert (seen.phase, seen.exit_code, seen.deleting) == (PodPhase.FAILED, 137, False)
    assert seen.finished_at is not None
    assert seen.finished_at >= seen.created_at
    await world.cluster.delete_pod(world.job, seen.name, seen.uid)
    await world.gone(seen.name)


async def test_pods_belong_to_the_jobs_uid_not_to_its_name(world: World) -> None:
    await world.cluster.create_pod(world.request())
    successor = make_job(uid="7a0c4a52-0000-4000-8000-000000000002", namespace=world.job.key.namespace)
    assert await world.cluster.list_pods(successor) == ()


async def test_a_pod_is_found_as_it_is_now(world: World) -> None:
    pod = await world.running(world.request())
    found = await world.cluster.find_pod(world.job, pod.name)
    assert found is not None
    assert (found.uid, found.phase) == (pod.uid, PodPhase.RUNNING)
    successor = make_job(uid="7a0c4a52-0000-4000-8000-000000000002", namespace=world.job.key.namespace)
    assert await world.cluster.find_pod(successor, pod.name) is None
    assert await world.cluster.find_pod(world.job, "wordcount-m-9-1") is None


async def test_the_log_tail_is_the_last_lines(world: World) -> None:
    pod = await world.running(world.request())
    assert (await world.cluster.read_log_tail(world.job, pod.name, 5)).splitlines() == ["ready"]
    assert await world.cluster.read_log_tail(world.job, pod.name, 0) == ""


async def test_the_log_of_a_pod_that_is_gone_is_empty(world: World) -> None:
    assert await world.cluster.read_log_tail(world.job, "wordcount-m-9-1", 5) == ""


async def test_a_status_is_read_back_with_the_job(world: World) -> None:
    assert await world.cluster.write_status(world.job, {"phase": "Mapping"})
    job = await world.cluster.find_job(world.job.key)
    assert job is not None
    assert job.status["phase"] == "Mapping"


async def test_a_job_that_does_not_exist_is_not_found(world: World) -> None:
    assert await world.cluster.find_job(JobKey(namespace=world.job.key.namespace, name="nobody")) is None


async def test_a_program_is_read_from_its_config_map(world: World) -> None:
    assert await world.cluster.read_source(world.job, "programs", "job.py") == "class Job: ..."


@pytest.mark.parametrize(
    ("config_map", "key"), [("absent", "job.py"), ("programs", "absent.py")], ids=["no-config-map", "no-key"]
)
async def test_a_missing_program_is_named(world: World, config_map: str, key: str) -> None:
    with pytest.raises(ActionError, match="absent") as missing:
        await world.cluster.read_source(world.job, config_map, key)
    assert missing.value.reason == "ProgramNotFound"


async def test_storage_has_a_prefix_and_an_installation(world: World) -> None:
    storage = await world.cluster.read_storage(world.job)
    assert storage.work_uri.endswith("/")
    assert storage.installation


async def test_an_event_is_taken(world: World) -> None:
    await world.cluster.record_event(world.job, "Normal", "Planned", "3 shards over 2 objects")
