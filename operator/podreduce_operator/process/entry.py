"""Starts the parts of the operator, and stops them in order.

Exit codes: 0 stopped by a signal, 1 cannot run, 2 a setting is wrong, 3 the lease was lost.
"""

import asyncio
import contextlib
import math
import os
import sys
from collections.abc import AsyncIterator
from functools import partial

import structlog

from podreduce_operator.api.crd import JOBS, PIPELINES, SCHEDULES
from podreduce_operator.cluster.kubernetes.api import connect
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster, open_cluster
from podreduce_operator.cluster.kubernetes.pipelines import KubernetesPipelines, open_pipelines
from podreduce_operator.cluster.kubernetes.schedules import KubernetesSchedules, open_schedules
from podreduce_operator.cluster.kubernetes.served_api import list_served, when_served
from podreduce_operator.cluster.local.machine import cgroup_limits_bytes
from podreduce_operator.leadership.elector import Elector
from podreduce_operator.leadership.fence import Fence
from podreduce_operator.leadership.lease_settings import LeaseSettings
from podreduce_operator.leadership.standby import Standby
from podreduce_operator.loop.pipeline_loop import PipelineLoop
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.loop.schedule_loop import ScheduleLoop
from podreduce_operator.model.errors import OperatorError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pipelines import PipelineView
from podreduce_operator.process.crash_points import build_fault_hook
from podreduce_operator.process.kopf_shell import serve
from podreduce_operator.process.logging import configure_logs
from podreduce_operator.process.loop_lag import LoopLag
from podreduce_operator.process.memory_share import record_bytes
from podreduce_operator.process.metrics import Metrics
from podreduce_operator.process.probes import serve_probes
from podreduce_operator.process.read_health import HealthReader
from podreduce_operator.process.removals import Removals
from podreduce_operator.process.served_kinds import ServedKind, ServedKinds, WakeController
from podreduce_operator.process.settings import Settings, SettingsError
from podreduce_operator.process.sweeper import sweep_forever
from podreduce_operator.process.threads import drain_threads, use_threads

__all__ = ["main"]

USAGE_ERROR = 2
LEASE_LOST = 3
DRAIN_SECONDS = 10.0
log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Run the operator until a signal stops it, or until one of its parts fails."""
    fence = Fence(partial(end_without_lease, settings.lease))
    lag = LoopLag()
    signs = HealthReader(lag=lag)
    metrics = Metrics(signs)
    async with (
        lag.measured(),
        serve_probes(settings.health_port, signs.read, metrics.render),
        open_cluster(settings.cluster, before_write=fence.check, telemetry=metrics.cluster) as cluster,
        open_election(settings.lease, fence) as elector,
    ):
        signs.cluster, signs.elector = cluster, elector
        await run_parts(settings, cluster, elector, signs, metrics)


async def run_parts(
    settings: Settings, cluster: KubernetesCluster, elector: Elector | None, signs: HealthReader, metrics: Metrics
) -> None:
    """Run the operator's parts. The cluster is connected."""
    reconciler = signs.reconciler = open_reconciler(settings, cluster, metrics)
    jobs = serve_jobs(cluster, reconciler)
    kinds = ServedKinds([jobs, *await open_other_kinds(settings, cluster, signs, metrics)])
    signs.passes = [kind.passes for kind in kinds]
    threads = use_threads()
    watching = asyncio.create_task(watch(cluster, kinds, elector))

    async def stop() -> None:
        watching.cancel()
        await asyncio.wait([watching])
        await kinds.close()
        if elector is not None:
            await elector.stop(release=await drain_threads(threads, DRAIN_SECONDS))

    serving = asyncio.create_task(serve(cluster.api, kinds, settings, stop))
    watching.add_done_callback(lambda ended: None if ended.cancelled() else serving.cancel())
    try:
        await serving
    except asyncio.CancelledError:
        if watching.done() and not watching.cancelled():
            watching.result()
        raise
    finally:
        await stop()


def open_reconciler(settings: Settings, cluster: KubernetesCluster, metrics: Metrics) -> Reconciler:
    """Return the loop of the jobs."""
    return Reconciler(
        cluster,
        limits=settings.limits,
        installation=cluster.installation,
        fault_point=build_fault_hook(settings.faults, settings.faults_state),
        telemetry=metrics.loop,
        record_bytes=record_bytes(cgroup_limits_bytes()),
    )


def serve_jobs(cluster: KubernetesCluster, reconciler: Reconciler) -> ServedKind:
    """Return how jobs are served."""
    removals = Removals(remove_data=reconciler.remove_data, wake=reconciler.wake, is_known=cluster.jobs.knows)
    standby = Standby(wake=reconciler.wake, known=cluster.jobs.known, remove=removals.add)

    async def run(wake_controller: WakeController) -> None:
        def handle_gone(job: JobView) -> None:
            standby.remove(job)
            wake_controller(job.key.namespace, job.controller)

        await cluster.run(standby.wake, handle_gone)

    return ServedKind(
        names=JOBS,
        observe=cluster.jobs.observe,
        observe_deletion=cluster.jobs.observe_deletion,
        list_uids=cluster.jobs.list_uids,
        run=run,
        standby=standby,
        passes=reconciler.passes,
        close=removals.close,
    )


async def open_other_kinds(
    settings: Settings, cluster: KubernetesCluster, signs: HealthReader, metrics: Metrics
) -> list[ServedKind]:
    """Return how the kinds are served that make jobs. One whose CRD is missing is left out: jobs run without it."""
    served = await when_served(partial(list_served, cluster.api))
    for names in (PIPELINES, SCHEDULES):
        if names.plural not in served:
            remedy = "apply the files in crds/ and restart the operator"
            log.warning("not served, because the API server has no such kind", kind=names.kind, remedy=remedy)
    found = list[ServedKind]()
    if PIPELINES.plural in served:
        signs.pipeline_cluster = open_pipelines(cluster, settings.cluster.namespaces)
        found.append(serve_pipelines(settings, cluster, signs.pipeline_cluster, metrics))
    if SCHEDULES.plural in served:
        pipelines = None if signs.pipeline_cluster is None else signs.pipeline_cluster.watched.store
        places = settings.cluster.namespaces
        signs.schedule_cluster = open_schedules(
            cluster.api,
            cluster.jobs.store,
            pipelines,
            places,
            cluster.installation,
            read_storage=partial(cluster.read_secret, lives=False),
        )
        found.append(serve_schedules(settings, cluster, signs.schedule_cluster, metrics))
    return found


def serve_pipelines(
    settings: Settings, cluster: KubernetesCluster, pipelines: KubernetesPipelines, metrics: Metrics
) -> ServedKind:
    """Return how pipelines are served."""
    loop = PipelineLoop(
        pipelines,
        parallelism=settings.limits.parallelism,
        installation=cluster.installation,
        fault_point=build_fault_hook(settings.faults, settings.faults_state),
        telemetry=metrics.pipelines,
    )
    removals = Removals(remove_data=loop.remove_data, wake=loop.wake, is_known=pipelines.watched.knows)
    standby = Standby(wake=loop.wake, known=pipelines.watched.known, remove=removals.add)

    async def run(wake_controller: WakeController) -> None:
        def handle_gone(pipeline: PipelineView) -> None:
            standby.remove(pipeline)
            wake_controller(pipeline.key.namespace, pipeline.controller)

        await pipelines.watched.run(handle_gone)

    return ServedKind(
        names=PIPELINES,
        observe=pipelines.watched.observe,
        observe_deletion=pipelines.watched.observe_deletion,
        list_uids=pipelines.watched.list_uids,
        run=run,
        standby=standby,
        passes=loop.passes,
        close=removals.close,
    )


def serve_schedules(
    settings: Settings, cluster: KubernetesCluster, schedules: KubernetesSchedules, metrics: Metrics
) -> ServedKind:
    """Return how schedules are served."""
    loop = ScheduleLoop(
        schedules,
        installation=cluster.installation,
        fault_point=build_fault_hook(settings.faults, settings.faults_state),
        telemetry=metrics.schedules,
    )
    removals = Removals(remove_data=loop.remove_data, wake=loop.wake, is_known=schedules.watched.knows)
    standby = Standby(wake=loop.wake, known=schedules.watched.known, remove=removals.add)
    return ServedKind(
        names=SCHEDULES,
        observe=schedules.watched.observe,
        observe_deletion=schedules.watched.observe_deletion,
        list_uids=schedules.watched.list_uids,
        run=lambda _: schedules.watched.run(standby.remove),
        standby=standby,
        passes=loop.passes,
        close=removals.close,
    )


async def watch(cluster: KubernetesCluster, kinds: ServedKinds, elector: Elector | None) -> None:
    """Watch the cluster until cancelled, and act on it as soon as this operator leads."""
    await asyncio.gather(kinds.run(), lead(cluster, kinds, elector))


async def lead(cluster: KubernetesCluster, kinds: ServedKinds, elector: Elector | None) -> None:
    """Wait for the lease, if there is an election; then start the loops, and sweep the store until cancelled."""
    if elector is not None:
        await elector.acquire()
    kinds.begin_leading()
    await sweep_forever(cluster.own_storage, kinds.list_uids)


@contextlib.asynccontextmanager
async def open_election(settings: LeaseSettings | None, fence: Fence) -> AsyncIterator[Elector | None]:
    """Open a separate connection for the election. Without an election this operator may always write."""
    if settings is None:
        fence.open_until(math.inf)
        yield None
        return
    async with connect() as api:
        yield Elector(api, settings, fence)


def end_without_lease(settings: LeaseSettings | None, reason: str) -> None:
    """End the process at once. Another operator may now act, so pending work must not continue."""
    log.critical(
        "the lease is lost: ending at once, to restart as a standby",
        lease=None if settings is None else settings.place,
        reason=reason,
        exit_code=LEASE_LOST,
    )
    os._exit(LEASE_LOST)


def main() -> int:
    """Run the operator and return its exit code."""
    try:
        settings = Settings.from_environ(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
        return USAGE_ERROR
    configure_logs(settings.log_format, settings.log_level)
    log.info("starting", namespaces=settings.cluster.namespaces or "all", image=settings.cluster.pod_defaults.image)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run(settings))
    except OperatorError as error:
        log.critical("cannot run", error=str(error))
        return 1
    log.info("stopped")
    return 0
