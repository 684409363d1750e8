"""The local half of the cluster suite: a `ProcessCluster` whose tasks are small scripts."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from podreduce_operator.cluster.local.notices import LineWritten, Notice
from podreduce_operator.cluster.local.processes import ProcessCluster
from podreduce_operator.model.pods import PodRequest, PodView
from tests.support.builders.jobs import make_job
from tests.support.builders.pods import make_pod_request

SCRIPT = (sys.executable, "-S", "-E", "-c")
UNTIL_STOPPED = "import time; print('ready', flush=True); time.sleep(60)"


class ProcessWorld:
    """A cluster of processes for one job, and hands to meddle with it."""

    def __init__(self, work_directory: Path, script: str = UNTIL_STOPPED, **options: float) -> None:
        self.notices: list[Notice] = []
        self.job = make_job(uid=str(uuid4()))
        self.config_maps = {"programs": {"job.py": "class Job: ..."}}
        self.cluster = ProcessCluster(
            job=self.job,
            config_maps=self.config_maps,
            work_directory=work_directory,
            parallelism=2,
            tell=self.notices.append,
            command=(*SCRIPT, script),
            **options,
        )

    def request(self, task: str = "m-0", *, ordinal: int = 1, run_hash: str = "0123456789") -> PodRequest:
        return make_pod_request(self.job, task, ordinal=ordinal, run_hash=run_hash, run_uri="file:///nowhere/")

    async def running(self, request: PodRequest) -> PodView:
        """Create the pod and wait until its container runs."""
        await self.cluster.create_pod(request)
        attempt_id = (await self.pod(request.name)).attempt_id
        await self.until(lambda: any(n.attempt_id == attempt_id for n in self.lines()))
        return await self.pod(request.name)

    async def kill(self, pod: PodView) -> None:
        """Kill the pod's container with signal 9, as the kernel would."""
        os.kill(self.cluster.attempts[pod.uid].process.process.pid, signal.SIGKILL)
        await self.until(lambda: self.cluster.pods[pod.name].is_finished)

    async def gone(self, name: str) -> None:
        """Wait until the pod is gone."""
        await self.until(lambda: name not in self.cluster.pods)

    async def pod(self, name: str) -> PodView:
        return next(pod for pod in await self.cluster.list_pods(self.job) if pod.name == name)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - the world changes without telling us
                await asyncio.sleep(0.01)

    def lines(self) -> list[LineWritten]:
        return [notice for notice in self.notices if isinstance(notice, LineWritten)]

    async def close(self) -> None:
        await self.cluster.close()
