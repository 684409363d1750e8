import asyncio
import base64
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import pytest

from podreduce_operator.api.storage_endpoints import parse_endpoint
from podreduce_operator.cluster.kubernetes.api import ApiError, ApiServer
from podreduce_operator.cluster.kubernetes.storage_reader import KEPT_SECONDS, StorageReader, read_storage_directory
from podreduce_operator.model.errors import ActionError
from podreduce_operator.process.threads import THREADS

VALUES = {"endpoint": "http://s3:9000", "region": "r", "accessKey": "a", "secretKey": "s", "workUri": "s3://work/x"}
PEM = "-----BEGIN CERTIFICATE-----"


class Secrets:
    """An API server that has one Secret, or an error in its place."""

    def __init__(self, answer: dict[str, str] | ApiError) -> None:
        self.answer, self.requests = answer, 0

    async def get(self, path: str) -> dict[str, Any]:
        assert path.startswith("/api/v1/namespaces/team")
        self.requests += 1
        await asyncio.sleep(0)
        if isinstance(self.answer, ApiError):
            raise self.answer
        return {"data": {key: base64.b64encode(value.encode()).decode() for key, value in self.answer.items()}}


class World:
    def __init__(self, directory: Path, answer: dict[str, str] | ApiError = VALUES) -> None:
        self.secrets, self.now = Secrets(answer), 0.0
        self.reader = StorageReader(cast("ApiServer", self.secrets), "here", directory, clock=lambda: self.now)


async def test_a_secret_is_read_again_only_when_it_may_have_changed(tmp_path: Path) -> None:
    world = World(tmp_path)
    for _ in range(3):
        storage = await world.reader.read("team", "mine")
    assert (storage.work_uri, storage.installation, world.secrets.requests) == ("s3://work/x/", "here", 1)
    world.now += 11
    world.secrets.answer = VALUES | {"endpoint": "http://corrected"}
    assert (await world.reader.read("team", "mine")).settings.endpoint == "http://corrected"


async def test_many_jobs_that_want_a_secret_have_it_read_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    storages = await asyncio.gather(*(world.reader.read("team", "mine") for _ in range(10)))
    assert world.secrets.requests == 1
    assert all(storage is storages[0] for storage in storages)


async def test_a_secret_that_is_gone_is_an_error_and_its_last_values_can_be_had(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.reader.read("team", "mine")
    world.now += 11
    world.secrets.answer = ApiError(404, "NotFound", "no")
    with pytest.raises(ActionError, match="team/mine"):
        await world.reader.read("team", "mine")
    known = world.reader.last_known("team", "mine")
    assert known is not None
    assert known.work_uri == "s3://work/x/"


async def test_a_rotated_key_is_used_within_ten_seconds(tmp_path: Path) -> None:
    world, keys = World(tmp_path), []
    for seconds in (0.0, 9.0, 1.0):
        world.now += seconds
        keys.append((await world.reader.read("team", "mine")).settings.access_key)
        world.secrets.answer = VALUES | {"accessKey": "new"}
    assert keys == ["a", "a", "new"]


FAILURES: dict[str, tuple[dict[str, str] | ApiError, str, bool]] = {
    "gone": (ApiError(404, "NotFound", "no"), "StorageSecretNotFound", True),
    "without a key": (VALUES | {"region": ""}, "StorageSecretInvalid", True),
    "with a work URI that is none": (VALUES | {"workUri": "work"}, "StorageSecretInvalid", True),
    "server down": (ApiError(0, "Unreachable", "no"), "StorageSecretUnreadable", False),
}


@pytest.mark.parametrize(("answer", "reason", "permanent"), FAILURES.values(), ids=FAILURES.keys())
async def test_a_secret_of_no_use_is_named(
    tmp_path: Path, answer: dict[str, str] | ApiError, reason: str, permanent: bool
) -> None:
    with pytest.raises(ActionError, match="team/mine") as refused:
        await World(tmp_path, answer).reader.read("team", "mine")
    assert (refused.value.reason, refused.value.permanent) == (reason, permanent)


async def test_certificates_become_a_file_that_is_written_once(tmp_path: Path) -> None:
    world = World(tmp_path, VALUES | {"caCert": PEM})
    paths = set()
    for _ in range(2):
        paths.add((await world.reader.read("team", "mine")).settings.ca_cert)
        world.now += 11
    assert {path: read_text(path) for path in paths} == dict.fromkeys(paths, f"{PEM}\n")
    assert len(paths) == 1


def test_the_installations_own_secret_is_read_from_its_files(tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    (mounted / "..data").mkdir(parents=True)
    for key, value in VALUES.items():
        (mounted / key).write_text(f"{value}\n")
    (mounted / "keystore.jks").write_bytes(b"\xfe\xed\xff")
    storage = read_storage_directory(mounted, "here", tmp_path)
    assert (storage.work_uri, storage.settings.access_key, storage.only_s3) == ("s3://work/x/", "a", True)


def read_text(path: str | None) -> str:
    assert path is not None
    return Path(path).read_text()


async def test_all_that_is_opened_with_one_secret_shares_one_gate(tmp_path: Path) -> None:
    world = World(tmp_path)
    before = (await world.reader.read("team", "mine")).open("s3://work/a/")
    world.now += 11
    after = (await world.reader.read("team", "mine")).open("s3://output/b/")
    assert before.gate is after.gate


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [((), True), (("http://s3:9000",), True), (("https://s3:9000", "http://s3"), False)],
    ids=["any", "listed", "others listed"],
)
async def test_only_a_listed_endpoint_is_used(tmp_path: Path, rules: tuple[str, ...], allowed: bool) -> None:
    secrets = cast("ApiServer", Secrets(VALUES))
    reader = StorageReader(secrets, "here", tmp_path, endpoints=tuple(map(parse_endpoint, rules)))
    if allowed:
        assert (await reader.read("team", "mine")).settings.endpoint == "http://s3:9000"
        return
    with pytest.raises(ActionError, match="storageEndpoints") as refused:
        await reader.read("team", "mine")
    assert (refused.value.reason, refused.value.permanent) == ("StorageEndpointNotAllowed", True)
    assert reader.last_known("team", "mine") is None


@pytest.mark.parametrize("answer", [VALUES, ApiError(404, "NotFound", "no")], ids=["there", "gone"])
async def test_secrets_that_no_job_asks_for_are_dropped(tmp_path: Path, answer: dict[str, str] | ApiError) -> None:
    """A namespace for each run of some pipeline: what is kept is bounded by the namespaces of the last minutes."""
    world, step = World(tmp_path, answer), 60.0
    most = 0
    for number in range(500):
        for namespace in (f"team-{number}", "team"):
            with suppress(ActionError):
                await world.reader.read(namespace, "mine")
        most = max(most, len(world.reader))
        world.now += step
    assert most <= KEPT_SECONDS / step + 3
    assert (world.reader.last_known("team", "mine") is not None) is isinstance(answer, dict)
    assert world.reader.last_known("team-0", "mine") is None


async def test_eight_secrets_of_one_namespace_leave_most_threads_to_others(tmp_path: Path) -> None:
    world, held = World(tmp_path), 0

    async def hold(name: str) -> None:
        nonlocal held
        async with (await world.reader.read("team-greedy", name)).threads:
            held += 1
            await asyncio.Event().wait()

    waiting = [asyncio.create_task(hold(f"dead-{number}")) for number in range(8) for _ in range(4)]
    async with asyncio.timeout(5), (await world.reader.read("team-other", "mine")).threads:
        for _ in range(100):
            await asyncio.sleep(0)
        assert held <= THREADS / 4
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
