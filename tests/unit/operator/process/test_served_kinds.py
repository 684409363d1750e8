"""Which loops an event wakes: of the resource, and of the one that made it; by real caches and standbys."""

from typing import Any

import pytest

from podreduce.contract.plan import Owner
from podreduce_operator.api.crd import JOBS, PIPELINES, SCHEDULES, ResourceNames
from podreduce_operator.cluster.kubernetes.resource_cache import ResourceCache
from podreduce_operator.cluster.kubernetes.resource_kinds import JOB_KIND, PIPELINE_KIND, SCHEDULE_KIND, ResourceKind
from podreduce_operator.leadership.standby import Standby
from podreduce_operator.loop.passes import Passes, Worker
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.process.served_kinds import ServedKind, ServedKinds, WakeController
from tests.support.builders.jobs import make_raw_spec
from tests.support.builders.pipelines import PAGERANK
from tests.support.builders.schedules import make_schedule_manifest

NIGHTLY = {"kind": "MapReduceSchedule", "name": "nightly", "uid": "uid-nightly", "controller": True}


def make_job_manifest(**metadata: Any) -> dict[str, Any]:
    fixed = {"namespace": "team", "name": "nightly-1", "uid": "uid-1", "resourceVersion": "7"}
    return {"metadata": {**fixed, **metadata}, "spec": make_raw_spec()}


def make_pipeline_manifest(**metadata: Any) -> dict[str, Any]:
    return {**make_job_manifest(**metadata), "spec": PAGERANK}


class Operator:
    """The kinds of an operator, and which loops were woken."""

    def __init__(self, *kinds: ResourceKind[Any]) -> None:
        self.woken: list[tuple[str, str]] = []
        self.running: list[WakeController] = []
        self.caches = {kind.names: ResourceCache(kind.parse) for kind in kinds}
        self.kinds = ServedKinds([self.serve(kind) for kind in kinds])

    def serve(self, kind: ResourceKind[Any]) -> ServedKind:
        cache = self.caches[kind.names]

        def forget(manifest: dict[str, Any]) -> None:
            metadata = manifest["metadata"]
            cache.remove(JobKey(namespace=metadata["namespace"], name=metadata["name"]), metadata["uid"])

        async def make_pass(_key: JobKey, _worker: Worker) -> None:
            """Have nothing to do."""

        async def run(wake_controller: WakeController) -> None:
            self.running.append(wake_controller)

        return ServedKind(
            names=kind.names,
            observe=cache.put,
            observe_deletion=forget,
            run=run,
            standby=Standby(wake=lambda key: self.woken.append((kind.noun, key.name)), known=cache.keys),
            passes=Passes(kind.noun, Worker, make_pass),
        )

    def event(self, names: ResourceNames, kind: str | None, manifest: dict[str, Any]) -> None:
        served = next(each for each in self.kinds if each.names is names)
        self.kinds.handle_event(served, {"type": kind, "object": manifest})

    def take_woken(self) -> list[tuple[str, str]]:
        woken, self.woken = self.woken, []
        return woken


@pytest.fixture
def operator() -> Operator:
    found = Operator(JOB_KIND, PIPELINE_KIND, SCHEDULE_KIND)
    found.kinds.begin_leading()
    return found


@pytest.mark.parametrize("kind", [None, "ADDED", "MODIFIED"], ids=["listed", "added", "modified"])
def test_a_resource_of_each_kind_is_known_and_woken(operator: Operator, kind: str | None) -> None:
    operator.event(JOBS, kind, make_job_manifest())
    operator.event(PIPELINES, kind, make_pipeline_manifest())
    operator.event(SCHEDULES, kind, make_schedule_manifest())
    assert operator.take_woken() == [("job", "nightly-1"), ("pipeline", "nightly-1"), ("schedule", "nightly")]
    assert [len(cache.keys()) for cache in operator.caches.values()] == [1, 1, 1]


@pytest.mark.parametrize("kind", ["ADDED", "MODIFIED", "DELETED"])
def test_what_happens_to_a_job_wakes_the_schedule_that_made_it(operator: Operator, kind: str) -> None:
    operator.event(JOBS, kind, make_job_manifest(ownerReferences=[NIGHTLY]))
    assert ("schedule", "nightly") in operator.take_woken()
    operator.event(PIPELINES, kind, make_pipeline_manifest(ownerReferences=[NIGHTLY]))
    assert ("schedule", "nightly") in operator.take_woken()


def test_a_job_that_is_not_understood_wakes_its_schedule_as_well(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = make_job_manifest(ownerReferences=[NIGHTLY])
    operator.event(JOBS, "ADDED", manifest | {"spec": {"backoff": "often"}})
    assert operator.take_woken() == [("job", "nightly-1"), ("schedule", "nightly")]
    assert "spec not understood" in capsys.readouterr().out


@pytest.mark.parametrize(
    "owner",
    [
        {**NIGHTLY, "controller": False},
        {**NIGHTLY, "kind": "Workflow"},
    ],
    ids=["an owner that is no controller", "a kind that is not served"],
)
def test_other_owners_are_not_woken(operator: Operator, owner: dict[str, Any]) -> None:
    operator.event(JOBS, "ADDED", make_job_manifest(ownerReferences=[owner]))
    assert operator.take_woken() == [("job", "nightly-1")]


def test_an_operator_without_schedules_serves_jobs() -> None:
    operator = Operator(JOB_KIND)
    operator.kinds.begin_leading()
    operator.event(JOBS, "ADDED", make_job_manifest(ownerReferences=[NIGHTLY]))
    assert operator.take_woken() == [("job", "nightly-1")]


def test_a_standby_wakes_nothing_until_it_leads_and_then_all() -> None:
    operator = Operator(JOB_KIND, SCHEDULE_KIND)
    operator.event(JOBS, "ADDED", make_job_manifest(ownerReferences=[NIGHTLY]))
    operator.event(SCHEDULES, "ADDED", make_schedule_manifest())
    assert operator.take_woken() == []
    operator.kinds.begin_leading()
    assert operator.take_woken() == [("job", "nightly-1"), ("schedule", "nightly")]


async def test_what_looks_for_lost_deletions_can_wake_the_schedule_of_a_job(operator: Operator) -> None:
    await operator.kinds.run()
    operator.running[0]("team", Owner(kind="MapReduceSchedule", name="nightly", uid="uid-nightly"))
    operator.running[0]("team", None)
    assert operator.take_woken() == [("schedule", "nightly")]
