"""What only a real API server can show of the Kubernetes side of the interface."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from podreduce_operator.cluster.interface import PodWarning
from podreduce_operator.cluster.kubernetes.api import ApiError, core_path
from podreduce_operator.cluster.kubernetes.object_cache import ObjectCache
from podreduce_operator.cluster.kubernetes.pod_index import PodIndex
from podreduce_operator.cluster.kubernetes.reflector import Reflector
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.pods import PodPhase
from podreduce_operator.pods.pod_names import managed_selector
from podreduce_operator.pods.pod_view import parse_pod
from podreduce_operator.pods.template_merge import merge_template
from tests.cluster.cluster import Cluster
from tests.cluster.images import Images
from tests.conformance.kubernetes_world import (
    KubernetesWorld,
    eventually,
    make_manifest,
    open_kubernetes_world,
    script_template,
    storage_secret,
)

pytestmark = pytest.mark.e2e

HOST_NETWORK = {"spec": {"hostNetwork": True}}
UNKNOWN_FIELD = {"spec": {"containers": [{"name": "task", "colour": "red"}]}}
TOO_MUCH = {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
INVALID = {"spec": {"containers": [{"name": "task", "resources": TOO_MUCH}]}}
MISSING_VOLUME = {
    "spec": {
        "containers": [{"name": "task", "volumeMounts": [{"name": "keys", "mountPath": "/keys"}]}],
        "volumes": [{"name": "keys", "secret": {"secretName": "nowhere"}}],
    }
}
QUEUED = {
    "spec": {
        "schedulingGates": [{"name": "kueue.x-k8s.io/admission"}],
        "priorityClassName": "system-node-critical",
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"podreduce.dev/task-type": "map"}},
            }
        ],
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}
                    ]
                }
            }
        },
    }
}
NO_SHAPE = {"spec": {"containers": "task"}}


@pytest.fixture
async def world(cluster: Cluster, images: Images) -> AsyncIterator[KubernetesWorld]:
    async with open_kubernetes_world(cluster, images) as made:
        yield made


async def refusal(world: KubernetesWorld, **spec: Any) -> ActionError:
    with pytest.raises(ActionError) as refused:
        await world.cluster.create_pod(world.request(**spec))
    return refused.value


async def test_a_pod_is_admitted_under_restricted_pod_security_and_wakes_its_job(world: KubernetesWorld) -> None:
    pod = await world.running(world.request())
    assert pod.phase is PodPhase.RUNNING
    assert set(world.woken) == {world.job.key}
    manifest = json.loads(await world.kubectl("get", "pod", pod.name, "--output=json"))
    environment = {one["name"]: one for one in manifest["spec"]["containers"][0]["env"]}
    assert environment["PODREDUCE_S3_SECRET_KEY"]["valueFrom"]["secretKeyRef"]["name"] == "podreduce-storage"
    assert manifest["spec"]["automountServiceAccountToken"] is False
    assert [volume["name"] for volume in manifest["spec"]["volumes"] if "projected" in volume] == []


async def test_a_created_pod_is_seen_at_once(world: KubernetesWorld) -> None:
    await world.cluster.list_pods(world.job)
    await world.cluster.create_pod(world.request())
    assert [pod.name for pod in await world.cluster.list_pods(world.job)] == [world.request().name]


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (HOST_NETWORK, "violates PodSecurity"),
        (UNKNOWN_FIELD, "colour"),
        (INVALID, "must be less than or equal to memory limit"),
        (NO_SHAPE, "spec.podTemplate.spec.containers"),
    ],
    ids=["pod-security", "unknown-field", "invalid", "no-pod"],
)
async def test_a_template_that_will_never_do_fails_the_job_with_the_api_servers_words(
    world: KubernetesWorld, template: dict[str, Any], words: str
) -> None:
    told = await refusal(world, podTemplate=template)
    assert (told.reason, told.permanent) == ("PodRejected", True)
    assert words in str(told)


async def test_a_full_quota_is_waited_for(world: KubernetesWorld) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
    await world.apply(quota)
    await eventually(lambda: world.kubectl("get", "resourcequota", "few", "--output=jsonpath={.status.used.pods}"))
    await world.cluster.create_pod(world.request("m-0"))
    with pytest.raises(ActionError) as refused:
        await world.cluster.create_pod(world.request("m-1"))
    assert (refused.value.reason, refused.value.permanent) == ("QuotaExceeded", False)
    assert "exceeded quota: few" in str(refused.value)


async def test_a_gated_pod_waits_for_its_admission_and_then_runs(world: KubernetesWorld) -> None:
    await world.cluster.create_pod(world.request(podTemplate=merge_template(script_template(), QUEUED, "podTemplate")))
    await world.until_pods(lambda pods: any(pod.reason == "SchedulingGated" for pod in pods))
    (pod,) = await world.cluster.list_pods(world.job)
    admit = '[{"op": "remove", "path": "/spec/schedulingGates"}]'
    await world.kubectl("patch", "pod", pod.name, "--type=json", "--patch", admit)
    await world.until_pods(lambda pods: any(pod.phase is PodPhase.RUNNING for pod in pods))


async def test_a_limit_range_is_named(world: KubernetesWorld) -> None:
    limits = [{"type": "Container", "max": {"memory": "64Mi"}}]
    await world.apply(
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": {"limits": limits}}
    )
    told = await refusal(world)
    assert (told.reason, told.permanent) == ("LimitRangeExceeded", False)
    assert "maximum memory usage per Container is 64Mi" in str(told)


async def test_a_status_write_that_has_not_seen_the_newest_job_is_not_made(world: KubernetesWorld) -> None:
    assert await world.cluster.write_status(world.job, {"phase": "Planning"})
    assert not await world.cluster.write_status(world.job, {"phase": "Mapping"}), "the view is from before the write"
    seen = await world.cluster.find_job(world.job.key)
    assert seen is not None
    assert seen.status == {"phase": "Planning"}

    await world.kubectl("annotate", "mrj", seen.key.name, "note=changed")
    assert not await world.cluster.write_status(seen, {"phase": "Mapping"}), "the API server has a newer version"
    refreshed = await world.cluster.find_job(world.job.key)
    assert refreshed is not None
    assert await world.cluster.write_status(refreshed, {"phase": "Mapping"})
    assert await world.kubectl("get", "mrj", seen.key.name, "--output=jsonpath={.status.phase}") == "Mapping"


async def test_a_status_write_to_a_successor_of_the_same_name_is_not_made(world: KubernetesWorld) -> None:
    await world.kubectl("delete", "mrj", world.job.key.name)
    await world.apply(make_manifest())
    assert not await world.cluster.write_status(world.job, {"phase": "Mapping"})
    assert await world.kubectl("get", "mrj", world.job.key.name, "--output=jsonpath={.status.phase}") == ""
    assert [gone.uid for gone in world.gone_jobs] == [world.job.uid]


async def test_a_job_that_is_gone_is_not_found_any_more(world: KubernetesWorld) -> None:
    await world.kubectl("delete", "mrj", world.job.key.name)
    assert not await world.cluster.write_status(world.job, {"phase": "Mapping"})
    assert await world.cluster.find_job(world.job.key) is None


async def test_an_event_said_again_is_counted(world: KubernetesWorld) -> None:
    for _ in range(3):
        await world.cluster.record_event(world.job, "Warning", "AttemptFailed", "m-0 failed: boom")
    (event,) = json.loads(
        await world.kubectl("get", "events", "--field-selector=reason=AttemptFailed", "--output=json")
    )["items"]
    assert (event["count"], event["type"], event["message"]) == (3, "Warning", "m-0 failed: boom")
    assert "m-0 failed: boom" in await world.kubectl("describe", "mrj", world.job.key.name)


async def test_a_secret_that_lacks_keys_is_named_with_what_it_lacks(world: KubernetesWorld) -> None:
    await world.kubectl("delete", "secret", "podreduce-storage")
    with pytest.raises(ActionError, match=f"{world.namespace}/podreduce-storage") as missing:
        await world.cluster.read_storage(world.job)
    assert missing.value.reason == "StorageSecretNotFound"
    await world.apply(storage_secret(accessKey="", workUri=""))
    with pytest.raises(ActionError, match="lacks accessKey, workUri") as lacking:
        await world.cluster.read_storage(world.job)
    assert lacking.value.reason == "StorageSecretInvalid"


async def test_certificates_of_the_secret_reach_the_operator_and_the_pod(world: KubernetesWorld) -> None:
    await world.apply(storage_secret(caCert="-----BEGIN CERTIFICATE-----\n"))
    storage = await world.cluster.read_storage(world.job)
    assert storage.settings.ca_cert is not None
    assert storage.work_uri == "s3://work/"
    pod = await world.running(world.request())
    found = await world.kubectl(
        "exec", pod.name, "--", "python", "-c", "print(open('/etc/podreduce/storage/ca.crt').read())"
    )
    assert found.startswith("-----BEGIN CERTIFICATE-----")


async def test_an_installation_is_known_by_its_cluster_and_release(world: KubernetesWorld) -> None:
    uid = await world.kubectl("get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}")
    assert (await world.cluster.read_storage(world.job)).installation == f"{uid}-podreduce"


async def test_what_a_watch_missed_is_made_up_for_when_its_version_has_expired(world: KubernetesWorld) -> None:
    """The first watch dies after the listing; the second starts from a version that the API server has forgotten."""
    index, watches = PodIndex(), 0
    path = core_path("pods", world.namespace)
    doomed, kept = await world.running(world.request("m-0")), world.request("m-1")

    async def watch(query: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
        nonlocal watches
        watches += 1
        if watches == 1:
            await world.kubectl("delete", "pod", doomed.name, "--force", "--grace-period=0")
            await world.cluster.create_pod(kept)
            raise ApiError(0, "Unreachable", "the connection broke")
        version = "1" if watches == 2 else query["resourceVersion"]
        async for event in world.cluster.api.watch(path, {**query, "resourceVersion": version}):
            yield event

    reflector = Reflector(
        ObjectCache(parse_pod, index.update),
        name="pods",
        list_page=partial(world.cluster.api.get, path),
        watch=watch,
        selector=managed_selector(),
    )
    following = asyncio.create_task(reflector.run())

    async def caught_up() -> bool:
        return {pod.name for pod in index.of_owner(world.namespace, world.job.uid)} == {kept.name}

    await eventually(caught_up)
    assert watches >= 2
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_a_listing_of_many_pages_is_whole(world: KubernetesWorld) -> None:
    requests = [world.request(f"m-{index}", image="localhost/none:1") for index in range(7)]
    await asyncio.gather(*(world.cluster.create_pod(request) for request in requests))
    path, pages = core_path("pods", world.namespace), 0

    async def list_page(query: dict[str, str]) -> dict[str, Any]:
        nonlocal pages
        pages += 1
        return await world.cluster.api.get(path, {**query, "limit": "3"})

    index = PodIndex()
    reflector = Reflector(
        ObjectCache(parse_pod, index.update),
        name="pods",
        list_page=list_page,
        watch=partial(world.cluster.api.watch, path),
        selector=managed_selector(),
    )
    await reflector.take_listing()
    assert len(index.of_owner(world.namespace, world.job.uid)) == 7
    assert pages == 3


async def test_a_pod_that_cannot_start_says_why(world: KubernetesWorld) -> None:
    await world.cluster.create_pod(world.request(image="localhost/no-such-image:1"))
    await world.until_pods(lambda pods: any(pod.reason in {"ErrImagePull", "ImagePullBackOff"} for pod in pods))
    (pod,) = await world.cluster.list_pods(world.job)
    assert "no-such-image" in pod.message


async def test_the_cluster_speaks_for_a_pod_that_says_nothing(world: KubernetesWorld) -> None:
    await world.cluster.create_pod(world.request(podTemplate=MISSING_VOLUME))

    async def warned() -> PodWarning | None:
        (pod,) = await world.cluster.list_pods(world.job)
        assert pod.phase is PodPhase.PENDING
        world.cluster._pod_events._known.clear()  # noqa: SLF001 - a test does not wait for what is fresh to age
        return await world.cluster.last_warning(world.job, pod)

    found = await eventually(warned)
    assert found.reason == "FailedMount"
    assert 'secret "nowhere" not found' in found.message


async def test_jobs_of_other_names_are_found_by_asking(world: KubernetesWorld) -> None:
    await world.apply(make_manifest("later"))
    found = await world.cluster.find_job(JobKey(namespace=world.namespace, name="later"))
    assert found is not None
    assert found.uid in (await world.cluster.jobs.list_uids()).uids


async def test_jobs_are_known_before_any_watch_has_shown_them(world: KubernetesWorld) -> None:
    async def is_synced() -> bool:
        return world.cluster.is_synced

    await eventually(is_synced)
    assert set(world.cluster.jobs.known()) == {world.job.key}
    assert world.cluster.seconds_since_contact() < 60
