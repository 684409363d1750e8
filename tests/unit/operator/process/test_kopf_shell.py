"""What is handed on of a watch event, by a real cluster object that no server stands behind."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import kopf
import pytest
from kopf._core.intents.causes import Activity

from podreduce_operator.cluster.kubernetes.api import connect
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster
from podreduce_operator.cluster.kubernetes.settings import ClusterSettings
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.pods.pod_manifest import PodDefaults
from podreduce_operator.process.kopf_shell import (
    EndlessBackoffs,
    build_kopf_settings,
    build_registry,
    handle_event,
    serve,
)
from podreduce_operator.process.settings import Settings
from tests.support.builders.jobs import make_raw_spec
from tests.support.kubeconfig import make_kubeconfig

KEY = JobKey(namespace="team", name="wordcount")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[KubernetesCluster]:
    settings = Settings(cluster=ClusterSettings(pod_defaults=PodDefaults(image="runtime:1")))
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(make_kubeconfig("http://127.0.0.1:1")))
    async with connect(kubeconfig) as api:
        yield KubernetesCluster(api, settings.cluster, installation="here", directory=tmp_path)


@pytest.fixture
def woken() -> list[JobKey]:
    return []


def make_event(kind: str | None, version: int = 1, **spec: Any) -> dict[str, Any]:
    metadata = {"namespace": "team", "name": "wordcount", "uid": "uid-1", "resourceVersion": str(version)}
    return {"type": kind, "object": {"metadata": metadata, "spec": make_raw_spec(**spec)}}


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"], ids=["listed", "added", "modified"])
async def test_a_job_that_is_seen_is_known_and_woken(
    cluster: KubernetesCluster, woken: list[JobKey], kind: str | None
) -> None:
    handle_event(cluster, woken.append, make_event(kind))
    assert cluster.knows_job(KEY)
    assert woken == [KEY]


async def test_a_deleted_job_is_forgotten_and_not_woken(cluster: KubernetesCluster, woken: list[JobKey]) -> None:
    cluster.observe_job(make_event("ADDED")["object"])
    handle_event(cluster, woken.append, make_event("DELETED", version=2))
    assert not cluster.knows_job(KEY)
    assert woken == []


@pytest.mark.parametrize("is_known", [False, True], ids=["new", "edited"])
async def test_a_job_that_is_not_understood_is_woken_to_say_so(
    cluster: KubernetesCluster, woken: list[JobKey], *, is_known: bool
) -> None:
    if is_known:
        cluster.observe_job(make_event("ADDED")["object"])
    handle_event(cluster, woken.append, make_event("MODIFIED", version=2, backoff="often"))
    assert woken == [KEY]
    assert cluster.knows_job(KEY)
    assert KEY in cluster.known_jobs()
    handle_event(cluster, woken.append, make_event("DELETED", version=3, backoff="often"))
    assert not cluster.knows_job(KEY)


def test_kopf_gets_no_handler_that_would_patch_a_job(cluster: KubernetesCluster, woken: list[JobKey]) -> None:
    async def stop() -> None:
        """Have nothing to stop."""

    registry = build_registry(cluster, woken.append, stop)
    assert isinstance(registry, kopf.OperatorRegistry)
    assert not registry._changing.get_all_handlers()  # noqa: SLF001 - kopf has no public way to ask
    assert not registry._spawning.get_all_handlers()  # noqa: SLF001 - likewise
    assert len(registry._watching.get_all_handlers()) == 1  # noqa: SLF001 - likewise


def test_kopf_never_gives_up_on_the_api_server() -> None:
    delays = iter(EndlessBackoffs())
    assert [next(delays) for _ in range(6)] == [1, 2, 4, 8, 15, 15]
    settings = build_kopf_settings()
    assert settings.scanning.disabled
    assert not settings.posting.enabled


class KopfThatBreaks:
    """Stands where kopf's operator stands: is told to stop amid its first scan, or not, and breaks."""

    def __init__(self, *, is_stopped: bool) -> None:
        self.is_stopped = is_stopped

    async def operator(self, *, registry: kopf.OperatorRegistry, **_: Any) -> None:
        if self.is_stopped:
            (cleanup,) = registry._activities.get_handlers(activity=Activity.CLEANUP)  # noqa: SLF001 - no public way
            await cleanup.fn()
        raise RuntimeError("Session is closed")


@pytest.mark.parametrize("is_stopped", [True, False], ids=["while it stops", "while it should run"])
async def test_what_kopf_raises_is_an_error_unless_it_was_told_to_stop(
    cluster: KubernetesCluster, monkeypatch: pytest.MonkeyPatch, is_stopped: bool
) -> None:
    stopped: list[str] = []

    async def stop() -> None:
        stopped.append("stopped")

    monkeypatch.setattr(kopf, "operator", KopfThatBreaks(is_stopped=is_stopped).operator)
    settings = Settings(cluster=ClusterSettings(pod_defaults=PodDefaults(image="runtime:1")))
    expected = contextlib.nullcontext() if is_stopped else pytest.raises(RuntimeError, match="Session is closed")
    with expected:
        await serve(cluster, lambda _: None, settings, stop)
    assert stopped == (["stopped"] if is_stopped else [])
