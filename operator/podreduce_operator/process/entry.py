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

from podreduce_operator.cluster.kubernetes.api import connect
from podreduce_operator.cluster.kubernetes.cluster import KubernetesCluster, open_cluster
from podreduce_operator.cluster.local.machine import cgroup_limits_bytes
from podreduce_operator.leadership.elector import Elector
from podreduce_operator.leadership.fence import Fence
from podreduce_operator.leadership.lease_settings import LeaseSettings
from podreduce_operator.leadership.standby import Standby
from podreduce_operator.loop.reconcile import Reconciler
from podreduce_operator.model.errors import OperatorError
from podreduce_operator.process.crash_points import build_fault_hook
from podreduce_operator.process.job_removals import Removals
from podreduce_operator.process.kopf_shell import serve
from podreduce_operator.process.logging import configure_logs
from podreduce_operator.process.loop_lag import LoopLag
from podreduce_operator.process.memory_share import record_bytes
from podreduce_operator.process.metrics import Metrics
from podreduce_operator.process.probes import serve_probes
from podreduce_operator.process.read_health import HealthReader
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
    reconciler = Reconciler(
        cluster,
        limits=settings.limits,
        installation=cluster.installation,
        fault_point=build_fault_hook(settings.faults, settings.faults_state),
        telemetry=metrics.loop,
        record_bytes=record_bytes(cgroup_limits_bytes()),
    )
    signs.reconciler = reconciler
    removals = Removals(forget=reconciler.forget, wake=reconciler.wake, is_known=cluster.knows_job)
    standby = Standby(wake=reconciler.wake, remove=removals.add, known_jobs=cluster.known_jobs)
    threads = use_threads()
    watching = asyncio.create_task(watch(cluster, standby, elector))

    async def stop() -> None:
        watching.cancel()
        await asyncio.wait([watching])
        await removals.close()
        await reconciler.close()
        if elector is not None:
            await elector.stop(release=await drain_threads(threads, DRAIN_SECONDS))

    serving = asyncio.create_task(serve(cluster, standby.wake, settings, stop))
    watching.add_done_callback(lambda ended: None if ended.cancelled() else serving.cancel())
    try:
        await serving
    except asyncio.CancelledError:
        if watching.done() and not watching.cancelled():
            watching.result()
        raise
    finally:
        await stop()


async def watch(cluster: KubernetesCluster, standby: Standby, elector: Elector | None) -> None:
    """Watch the cluster until cancelled, and begin the leader's duties when this operator leads."""
    await asyncio.gather(cluster.run(standby.wake, standby.remove), lead(cluster, standby, elector))


async def lead(cluster: KubernetesCluster, standby: Standby, elector: Elector | None) -> None:
    """Wait for the lease, if there is an election, begin the duties, and sweep the store until cancelled."""
    if elector is not None:
        await elector.acquire()
    standby.begin()
    await sweep_forever(cluster)


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
