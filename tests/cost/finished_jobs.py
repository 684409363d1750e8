"""Jobs that have just ended, and an operator whose waiting is a jump of its clock."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from uuid import UUID

import msgspec

from podreduce.contract.layout import COMMITS_PREFIX, PLAN_KEY, commit_key, run_prefix
from podreduce.contract.plan import JobIdentity
from podreduce.contract.wire import digest_bytes, encode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.api.crd import API_VERSION, KIND
from podreduce_operator.api.times import render_time
from podreduce_operator.cluster.kubernetes.api import ApiServer, Json, custom_path
from podreduce_operator.cluster.kubernetes.settings import ClusterSettings
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.model.limits import Limits
from podreduce_operator.pods.pod_manifest import PodDefaults
from tests.cost.counting import CountingApi, CountingCluster, CountingGate
from tests.support.builders.jobs import make_raw_output, make_raw_spec
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task

__all__ = ["ENDED_AT", "HOUR", "Operator", "add_job", "operating"]

HOUR = 3600.0
ENDED_AT = 1_000_000.0
TTL_SECONDS = 7 * 24 * 3600
INSTALLATION = "here"


def add_job(api: CountingApi, place: str, number: int, tasks: int) -> JobKey:
    """Add a job that has just ended, with the commits of its tasks; its post-mortem is not written yet."""
    key, uid = JobKey(namespace="default", name=f"job-{number}"), str(UUID(int=number + 1))
    identity = JobIdentity(namespace=key.namespace, name=key.name, uid=uid, run_id="1")
    output_uri = f"{place}out-{number}/"
    store = open_store(f"{place}work/" + run_prefix(INSTALLATION, key.namespace, key.name, uid, "1"))
    spec = make_raw_spec(output=make_raw_output(uri=output_uri), ttlSecondsAfterFinished=TTL_SECONDS)
    plan = encode(make_plan(shards=tasks, job=identity, output_uri=output_uri, spec=spec))
    store.put(PLAN_KEY, plan)
    put_commits(store, tasks, Path(place.removeprefix("file://")) / "commits" if place.startswith("file:") else None)
    metadata = {"namespace": key.namespace, "name": key.name, "uid": uid, "generation": 1, "resourceVersion": "1"}
    path = custom_path(API_VERSION, "mapreducejobs", key.namespace, key.name)
    status = ended_status(digest_bytes(plan))
    api.jobs[path] = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec, "status": status}
    return key


def put_commits(store: ObjectStore, tasks: int, shared: Path | None) -> None:
    """Write the commits. In directories, those of all jobs are links to the same files."""
    one = make_commit(map_task(0))
    linked = shared is not None and shared.exists()
    for index in range(0 if linked else tasks):
        commit = msgspec.structs.replace(one, task=map_task(index), attempt_id=f"{UUID(int=index)}-0")
        store.put(commit_key(commit.task, 0), encode(commit))
    if shared is None:
        return
    own = Path(store.uri_of(COMMITS_PREFIX).removeprefix("file://"))
    if not linked:
        shared.mkdir()
    source, target = (shared, own) if linked else (own, shared)
    target.mkdir(exist_ok=True)
    for file in source.iterdir():
        (target / file.name).hardlink_to(file)


def ended_status(plan_digest: str) -> Json:
    """Return the status of a job that has just ended."""
    complete = {
        "type": "Complete",
        "status": "True",
        "reason": "OutputCommitted",
        "message": "done",
        "lastTransitionTime": render_time(ENDED_AT),
    }
    return {
        "observedGeneration": 1,
        "installation": INSTALLATION,
        "runId": "1",
        "phase": "Complete",
        "planDigest": plan_digest,
        "startTime": render_time(ENDED_AT - 60),
        "completionTime": render_time(ENDED_AT),
        "conditions": [complete],
    }


@dataclass(slots=True)
class Operator:
    """A running operator; whoever waits beyond `until` waits for an event."""

    api: CountingApi
    gate: CountingGate
    cluster: CountingCluster
    reconciler: Reconciler
    clock: "Clock"

    @property
    def requests(self) -> dict[str, int]:
        """The requests so far, by what is asked."""
        return {"store": self.gate.requests, **self.api.requests}

    async def pass_hours(self, hours: float, keys: list[JobKey]) -> None:
        """Wake these jobs, and let so much time pass."""
        self.clock.until = self.clock.now + hours * HOUR
        for key in keys:
            self.reconciler.wake(key)
        await asyncio.sleep(0.01)
        while self.clock.waiting < len(self.reconciler.passes.workers):  # noqa: ASYNC110 - loops that end have no event
            await asyncio.sleep(0.01)
        self.clock.now = max(self.clock.now, self.clock.until)


@dataclass(slots=True)
class Clock:
    """The time, which jumps to when something is due."""

    now: float = ENDED_AT
    until: float = ENDED_AT
    waiting: int = field(default=0)

    async def wait(self, wake: asyncio.Event, seconds: float) -> None:
        """Wait for the event, or let the time pass."""
        due = self.now + seconds
        if wake.is_set():
            return
        if due <= self.until:
            self.now = max(self.now, due)
            return
        self.waiting += 1
        try:
            await wake.wait()
        finally:
            self.waiting -= 1


@asynccontextmanager
async def operating(api: CountingApi, place: str, directory: Path, now: float = ENDED_AT) -> AsyncIterator[Operator]:
    """Run an operator that knows nothing yet."""
    settings = ClusterSettings(pod_defaults=PodDefaults(image="runtime:1"), progress_port=0)
    cluster = CountingCluster(cast("ApiServer", api), settings, installation=INSTALLATION, directory=directory)
    cluster.place, cluster.gate = place, CountingGate()
    clock = Clock(now=now, until=now)
    reconciler = Reconciler(
        cluster,
        limits=Limits(),
        installation=INSTALLATION,
        status_interval_seconds=0.0,
        clock=lambda: clock.now,
        monotonic=lambda: 0.0,
        wait=clock.wait,
    )
    watching = asyncio.create_task(cluster.run(reconciler.wake, lambda _job: None))
    try:
        while not cluster.is_synced:  # noqa: ASYNC110 - two listings, without a common event
            await asyncio.sleep(0.01)
        yield Operator(api=api, gate=cluster.gate, cluster=cluster, reconciler=reconciler, clock=clock)
    finally:
        await reconciler.close()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
