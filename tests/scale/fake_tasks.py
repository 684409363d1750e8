"""What fake pods leave undone: each task's commit record, written while its pod seems to run; and when each came and
went.

Rule: times are taken when the watch shows a change, all by one clock; the operator sees the same changes as late. A
task commits shortly before its end, for the operator deletes a pod that does not exit within half a minute of its
commit.
"""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

from podreduce.contract.environment import POD_NAME, POD_UID, TaskEnvironment
from podreduce.contract.layout import blob_key, commit_key, staged_part_key
from podreduce.contract.task import BlobRef, CommitRecord, PartRef, TaskType
from podreduce.contract.wire import digest_bytes, encode
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, core_path
from podreduce_operator.pods.pod_names import JOB_LABEL
from tests.scale.fake_nodes import running_time

__all__ = ["TASK_LABEL", "FakeTasks", "Times"]

TASK_LABEL = "scale.podreduce.dev/task"
"""On pods of the peers that are to do the same work as ours."""

BUCKETS = 16
CONCURRENT_WRITES = 16
LEAD_SECONDS = 15.0
"""How long before its end a task commits: later than that, a busy machine might be too late."""

RUN_ID = "1"


@dataclass(slots=True)
class Times:
    """When pods of a namespace were created and ended, in monotonic seconds, by their UIDs."""

    created: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)


class FakeTasks:
    """Watches the pods of one namespace.

    Args:
        work: the store at the work URI.
        output: the store at the outputs, a prefix for each namespace and job.
    """

    def __init__(self, api: ApiServer, namespace: str, work: S3Store, output: S3Store, work_uri: str) -> None:
        self.times = Times()
        self._api = api
        self._namespace = namespace
        self._path = core_path("pods", namespace)
        self._work = work
        self._output = output
        self._work_uri = work_uri
        self._committed: set[str] = set()
        self._gate = asyncio.Semaphore(CONCURRENT_WRITES)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as writes:
            version = (await self._api.get(self._path, {"limit": "1"}))["metadata"]["resourceVersion"]
            while True:
                with suppress(ApiError):
                    async for event in self._api.watch(self._path, {"resourceVersion": version}):
                        version = event["object"]["metadata"]["resourceVersion"]
                        self._take(event["object"], writes)

    def _take(self, pod: Mapping[str, Any], writes: asyncio.TaskGroup) -> None:
        now, uid, phase = time.monotonic(), pod["metadata"]["uid"], pod["status"].get("phase")
        self.times.created.setdefault(uid, now)
        if phase == "Succeeded":
            self.times.ended.setdefault(uid, now)
        works = not {JOB_LABEL, TASK_LABEL}.isdisjoint(pod["metadata"].get("labels") or {})
        if phase == "Running" and uid not in self._committed and works:
            self._committed.add(uid)
            writes.create_task(self._commit(pod))

    async def _commit(self, pod: Mapping[str, Any]) -> None:
        """Commit as the pod's task would have; what a peer's pod commits nobody reads."""
        variables = {one["name"]: one.get("value", "") for one in pod["spec"]["containers"][0]["env"]}
        ours = {POD_UID: pod["metadata"]["uid"], POD_NAME: pod["metadata"]["name"]}
        environment = TaskEnvironment.from_environ(variables | ours)
        prefix = environment.run_uri.removeprefix(self._work_uri)
        is_ours = JOB_LABEL in pod["metadata"]["labels"]
        key = f"{prefix}{commit_key(environment.task, environment.generation) if is_ours else environment.attempt_id}"
        await asyncio.sleep(max(0.0, running_time(pod) - LEAD_SECONDS))
        async with self._gate:
            record = await self._work_done(environment, pod)
            with suppress(AlreadyExistsError):
                await obstore.put_async(self._work, key, encode(record), mode="create")

    async def _work_done(self, environment: TaskEnvironment, pod: Mapping[str, Any]) -> CommitRecord:
        """Return the record of a map that wrote a blob, or of a reduce, whose part is staged: it is published."""
        task, attempt_id, now = environment.task, environment.attempt_id, time.time()
        results: dict[str, Any] = {}
        if task.type is TaskType.MAP:
            blob = BlobRef(key=blob_key(task.index, attempt_id), bytes=160, footer_offset=0, footer_crc32=0)
            results = {"blob": blob, "bucket_bytes": (10,) * BUCKETS}
        else:
            owner = pod["metadata"]["ownerReferences"][0]
            data, key = b"fake\t1\n", staged_part_key(owner["uid"], RUN_ID, task, attempt_id)
            await obstore.put_async(self._output, f"{self._namespace}/{owner['name']}/{key}", data)
            results = {"part": PartRef(key=key, bytes=len(data), records=1, sha256=digest_bytes(data))}
        return CommitRecord(
            task=task,
            generation=environment.generation,
            attempt_id=attempt_id,
            pod_name=environment.pod_name,
            started_at=now,
            finished_at=now,
            records_in=1,
            bytes_in=100,
            records_out=1,
            bytes_out=100,
            **results,
        )
