"""`python -m podreduce_operator`: the operator in a cluster, or beside one with a KUBECONFIG."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence

import structlog

from podreduce_operator.cluster.kubernetes import open_cluster
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
            parallelism_limit=settings.parallelism_limit,
            fault_point=build_fault_hook(settings.faults, settings.faults_state),
        )
        removals = Removals(cluster, reconciler)
        parts = (
            cluster.run(reconciler.wake, removals.add),
            sweep_forever(cluster),
            serve(cluster, reconciler, settings),
        )
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            results = await stop(tasks)
            await removals.close()
            await reconciler.close()
    for result in results:
        if isinstance(result, Exception):
            raise result


async def stop(tasks: Sequence[asyncio.Task[None]]) -> Sequence[BaseException | None]:
    """Cancel all tasks, wait for them, and return what they raised."""
    for task in tasks:
        task.cancel()
    return await asyncio.gather(*tasks, return_exceptions=True)


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
