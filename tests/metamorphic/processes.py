"""Runs the tasks of a job as processes: each started by itself, as a pod starts it, or forked by a server."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from podreduce.contract.environment import TaskEnvironment
from podreduce.contract.errors import PodreduceError
from podreduce.contract.layout import commit_key
from podreduce.contract.task import CommitRecord, TaskOutcome
from podreduce.contract.wire import decode
from podreduce.storage import open_store
from podreduce_operator.cluster.local.fork_server import ForkServer
from podreduce_operator.cluster.local.task_process import TASK_COMMAND, TaskProcess
from podreduce_operator.pods.pod_manifest import PodDefaults, build_pod
from tests.support.builders.jobs import make_job
from tests.support.builders.pods import make_pod_request

__all__ = ["TaskFailedError", "start_by_server", "start_cold"]

SECONDS = 120
OWN_PLACES = frozenset({"HOME", "TMPDIR"})
"""Variables of a pod that name a directory of its own."""


class TaskFailedError(PodreduceError):
    """A task's process has failed; the message begins with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdStart:
    """Starts each task's process anew, with what a pod has in its environment, and `variables` besides."""

    directory: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, environment: TaskEnvironment) -> CommitRecord:
        environment = placed(environment, self.directory)
        environ = {"PATH": os.environ["PATH"], **pod_variables(), **environment.to_environ(), **self.variables}
        subprocess.run(
            [sys.executable, "-m", "podreduce"], env=environ, capture_output=True, timeout=SECONDS, check=False
        )
        return read_commit(environment)


def start_cold(directory: Path, **variables: str) -> ColdStart:
    """Return what starts each task by itself."""
    return ColdStart(directory=directory, variables=variables)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkedStart:
    """Lets a fork server fork each task."""

    directory: Path

    def __call__(self, environment: TaskEnvironment) -> CommitRecord:
        environment = placed(environment, self.directory)
        asyncio.run(self.fork(environment))
        return read_commit(environment)

    async def fork(self, environment: TaskEnvironment) -> None:
        """Fork one task and wait for its end."""
        server = ForkServer.open()
        assert server is not None
        try:
            environ = {"PATH": os.environ["PATH"], **environment.to_environ()}
            log = self.directory / "log"
            process = await TaskProcess.start(TASK_COMMAND, environ, log, lambda _: None, server)
            await asyncio.wait_for(process.wait(), SECONDS)
        finally:
            server.close()


def start_by_server(directory: Path) -> ForkedStart:
    """Return what has each task forked."""
    return ForkedStart(directory=directory)


def placed(environment: TaskEnvironment, directory: Path) -> TaskEnvironment:
    """Return what a task is told, with places of its own to write to."""
    return msgspec.structs.replace(
        environment, scratch_directory=str(directory), termination_log=str(directory / "termination-log")
    )


def pod_variables() -> dict[str, str]:
    """Return the variables of a pod's container that do not say which task it is."""
    pod = build_pod(
        make_pod_request(make_job(), run_uri="s3://work/run/"), PodDefaults(image="image"), has_ca_cert=False
    )
    listed = pod["spec"]["containers"][0]["env"]
    return {
        each["name"]: each["value"]
        for each in listed
        if "value" in each and each["name"] not in OWN_PLACES and not each["name"].startswith("PODREDUCE_")
    }


def read_commit(environment: TaskEnvironment) -> CommitRecord:
    """Return the commit of a task whose process has ended.

    Raises:
        TaskFailedError: there is none.
    """
    run = open_store(environment.run_uri)
    key = commit_key(environment.task, environment.generation)
    if not run.exists(key):
        said = Path(environment.termination_log)
        outcome = decode(said.read_bytes(), TaskOutcome) if said.exists() else TaskOutcome(reason="Lost", message="")
        raise TaskFailedError(f"{outcome.reason}: {outcome.message}")
    return decode(run.get(key), CommitRecord)
