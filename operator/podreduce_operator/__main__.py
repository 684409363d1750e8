"""`python -m podreduce_operator`: the operator in a cluster, or beside one with a KUBECONFIG."""

import asyncio
import contextlib
import os
import sys

import structlog

from podreduce_operator.cluster.kubernetes import KubernetesCluster, open_cluster
from podreduce_operator.errors import OperatorError
from podreduce_operator.faults import build_fault_hook
from podreduce_operator.handlers import serve
from podreduce_operator.logs import configure_logs
from podreduce_operator.reconcile import Reconciler
from podreduce_operator.removals import Removals, sweep_forever
from podreduce_operator.settings import Settings, SettingsError

__all__ = ["main"]

USAGE_ERROR = 2
log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Run the operator until it is told to stop, or until a part of it ends that should not."""
    async with open_cluster(settings) as cluster:
        reconciler = Reconciler(
            cluster,
            limits=settings.limits,
            fault_point=build_fault_hook(settings.faults, settings.faults_state),
        )
        removals = Removals(forget=reconciler.forget, wake=reconciler.wake, is_known=cluster.knows_job)
        watching = asyncio.create_task(watch(cluster, reconciler, removals))

        async def stop() -> None:
            watching.cancel()
            await asyncio.wait([watching])
            await removals.close()
            await reconciler.close()

        serving = asyncio.create_task(serve(cluster, reconciler, settings, stop))
        watching.add_done_callback(lambda ended: None if ended.cancelled() else serving.cancel())
        try:
            await serving
        except asyncio.CancelledError:
            if watching.done() and not watching.cancelled():
                watching.result()
            raise
        finally:
            await stop()


async def watch(cluster: KubernetesCluster, reconciler: Reconciler, removals: Removals) -> None:
    """Watch the cluster and sweep the store until cancelled."""
    await asyncio.gather(cluster.run(reconciler.wake, removals.add), sweep_forever(cluster))


def main() -> int:
    """Run the operator and return its exit code."""
    try:
        settings = Settings.from_environ(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201 - there is no log yet
        return USAGE_ERROR
    configure_logs(settings.log_format, settings.log_level)
    log.info("starting", namespaces=settings.namespaces or "all", image=settings.pod_defaults.image)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(run(settings))
    except OperatorError as error:
        log.critical("cannot run", error=str(error))
        return 1
    log.info("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
