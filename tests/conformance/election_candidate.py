"""`python -m tests.conformance.election_candidate JSON`: takes part in an election, and as the leader does nothing but
write: to the API server and to a directory store, as fast as they take it, each write passing the fence.

Its journal has a line per event, with the time by a clock that all processes of the machine share.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from podreduce.storage import open_store
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer, connect, core_path
from podreduce_operator.leadership.elector import Elector
from podreduce_operator.leadership.fence import Fence, read_clock
from podreduce_operator.leadership.lease_settings import LeaseSettings

LEASE_LOST = 3


class Candidate(msgspec.Struct, kw_only=True):
    """What a candidate is told; `config_map` is what it writes to in the Lease's namespace."""

    kubeconfig: str
    journal: str
    store_uri: str
    config_map: str
    lease: dict[str, Any]


class Journal:
    """Written line by line; what was written is in the file even if the process ends."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, event: str, text: str = "") -> None:
        os.write(self._file, msgspec.json.encode({"at": read_clock(), "event": event, "text": text}) + b"\n")


async def write_to_api(api: ApiServer, path: str) -> None:
    number = 0
    while True:
        number += 1
        with suppress(ApiError):
            await api.patch(path, {"data": {f"{os.getpid()}": f"{number}"}})
        await asyncio.sleep(0.01)


async def write_to_store(gate: Any, uri: str) -> None:
    store = open_store(uri, before_write=gate)
    while True:
        await store.put_async(f"{os.getpid()}", b"written")
        await asyncio.sleep(0.01)


async def run(told: Candidate) -> None:
    journal, lease = Journal(Path(told.journal)), LeaseSettings(**told.lease)

    def end(reason: str) -> None:
        journal.write("lost", reason)
        os._exit(LEASE_LOST)

    fence = Fence(end)

    def gate() -> None:
        fence.check()
        journal.write("write")

    is_told_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, is_told_to_stop.set)
    kubeconfig = Path(told.kubeconfig)
    async with connect(kubeconfig) as own, connect(kubeconfig, before_write=gate) as api:
        elector = Elector(own, lease, fence)
        journal.write("standing by", elector.identity)

        async def lead() -> None:
            await elector.acquire()
            journal.write("leading")
            path = core_path("configmaps", lease.namespace, told.config_map)
            await asyncio.gather(write_to_api(api, path), write_to_store(gate, told.store_uri))

        leading = asyncio.create_task(lead())
        await is_told_to_stop.wait()
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        await elector.stop(release=True)
    journal.write("stopped")


if __name__ == "__main__":
    asyncio.run(run(msgspec.json.decode(sys.argv[1], type=Candidate)))
