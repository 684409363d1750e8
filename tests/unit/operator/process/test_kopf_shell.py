"""What kopf is given to do, and what becomes of its end."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import kopf
import pytest
from kopf._core.intents.causes import Activity

from podreduce_operator.cluster.kubernetes.api import ApiServer, connect
from podreduce_operator.cluster.kubernetes.resource_kinds import JOB_KIND, SCHEDULE_KIND
from podreduce_operator.cluster.kubernetes.settings import ClusterSettings
from podreduce_operator.pods.pod_manifest import PodDefaults
from podreduce_operator.process.kopf_shell import (
    EndlessBackoffs,
    build_kopf_settings,
    build_registry,
    serve,
)
from podreduce_operator.process.settings import Settings
from tests.support.builders.schedules import make_schedule_manifest
from tests.support.kubeconfig import make_kubeconfig
from tests.unit.operator.process.test_served_kinds import Operator


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiServer]:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(json.dumps(make_kubeconfig("http://127.0.0.1:1")))
    async with connect(kubeconfig) as api:
        yield api


async def nothing_to_stop() -> None:
    """Stop nothing."""


def test_kopf_gets_no_handler_that_would_patch_a_resource(api: ApiServer) -> None:
    registry = build_registry(api, Operator(JOB_KIND, SCHEDULE_KIND).kinds, nothing_to_stop)
    assert isinstance(registry, kopf.OperatorRegistry)
    assert not registry._changing.get_all_handlers()  # noqa: SLF001 - kopf has no public way to ask
    assert not registry._spawning.get_all_handlers()  # noqa: SLF001 - likewise
    assert len(registry._watching.get_all_handlers()) == 2  # noqa: SLF001 - likewise


async def test_each_kind_is_watched_by_a_handler_of_its_own(api: ApiServer) -> None:
    operator = Operator(JOB_KIND, SCHEDULE_KIND)
    operator.kinds.begin_leading()
    registry = build_registry(api, operator.kinds, nothing_to_stop)
    handlers = registry._watching.get_all_handlers()  # noqa: SLF001 - kopf has no public way to ask
    assert [str(handler.selector) for handler in handlers] == [
        "Selector(group='podreduce.dev', version='v1beta1', any_name='mapreducejobs')",
        "Selector(group='podreduce.dev', version='v1beta1', any_name='mapreduceschedules')",
    ]
    await handlers[1].fn(event={"type": "ADDED", "object": make_schedule_manifest()})
    assert operator.take_woken() == [("schedule", "nightly")]


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
    api: ApiServer, monkeypatch: pytest.MonkeyPatch, is_stopped: bool
) -> None:
    stopped: list[str] = []

    async def stop() -> None:
        stopped.append("stopped")

    monkeypatch.setattr(kopf, "operator", KopfThatBreaks(is_stopped=is_stopped).operator)
    settings = Settings(cluster=ClusterSettings(pod_defaults=PodDefaults(image="runtime:1")))
    expected = contextlib.nullcontext() if is_stopped else pytest.raises(RuntimeError, match="Session is closed")
    with expected:
        await serve(api, Operator(JOB_KIND).kinds, settings, stop)
    assert stopped == (["stopped"] if is_stopped else [])
