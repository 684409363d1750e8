"""The runs in a store are found, however many objects they have, and one after another."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podreduce.contract.environment import StorageSettings
from podreduce.contract.layout import installation_prefix, run_prefix
from podreduce.contract.plan import JobIdentity
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.resource_store import ListedResources
from podreduce_operator.process import sweeper
from podreduce_operator.runs import remove_run
from podreduce_operator.runs.remove_run import find_runs
from tests.support.fake_s3 import fake_s3
from tests.support.searching import tries
from tests.unit.operator.process.test_sweeper import OLD, Installation, identity

UIDS = st.sampled_from([f"00000000-0000-4000-8000-00000000000{digit}" for digit in "19"])
RUNS = st.builds(
    JobIdentity,
    namespace=st.sampled_from(["a", "a-b", "b"]),
    name=st.sampled_from(["n", "n0", "n-1"]),
    uid=UIDS,
    run_id=st.sampled_from(["1", "10", "1-2", "1.5", "2"]),
)
KEYS = st.lists(st.sampled_from(["plan/plan.json", "data/map/0/a", "a", "z", "0", "commits/m-0-0.json"]), min_size=1)
JUNK = st.lists(st.sampled_from(["x", "a/x", "a/n/x", "a/n/x/y", "a/n/x/y/z", "z/z/z/z"]))


async def collect(storage: JobStorage, prefix: str) -> list[JobIdentity]:
    return [run async for run in find_runs(storage, prefix)]


@settings(max_examples=tries(60), deadline=None)
@given(stored=st.lists(st.tuples(RUNS, KEYS), max_size=8), junk=JUNK, most=st.integers(1, 3))
def test_every_run_is_found_once_whatever_is_beside_it(
    stored: list[tuple[JobIdentity, list[str]]], junk: list[str], most: int
) -> None:
    here = Installation()
    for run, keys in stored:
        for key in keys:
            here.work.put(run_prefix("here", run.namespace, run.name, run.uid, run.run_id) + key, b"x")
    for key in junk:
        here.work.put(installation_prefix("here") + key, b"x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remove_run, "MOST_LISTED", most)
        found = asyncio.run(collect(here.storage(), installation_prefix("here")))
    assert len(found) == len(set(found))
    assert set(found) == {run for run, _ in stored}


async def test_of_a_run_with_many_objects_only_the_first_are_listed() -> None:
    runs = [identity(OLD, name=name) for name in "abc"]
    with fake_s3() as server:
        server.page_keys = 500
        for run in runs:
            prefix = "work/" + run_prefix("here", run.namespace, run.name, run.uid, run.run_id)
            server.objects |= {f"{prefix}data/map/{number}": b"x" for number in range(4000)}
        access = StorageSettings(endpoint=server.endpoint, region="r", access_key="key", secret_key="hush")  # noqa: S106
        storage = JobStorage(work_uri="s3://bucket/work/", installation="here", settings=access)
        assert await collect(storage, installation_prefix("here")) == runs
    assert server.listed <= len(runs) * (remove_run.MOST_LISTED + 2 * server.page_keys)


async def test_a_sweep_holds_a_batch_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "BATCH_RUNS", 10)
    here = AskedInstallation()
    for number in range(25):
        here.leave(identity(OLD, run_id=str(number)))
    await sweeper.sweep(here.own_storage(), here.list_job_uids)
    assert here.left_at == [50, 30, 10]
    assert here.left() == []


@dataclass
class AskedInstallation(Installation):
    """Notes how many objects there are when its jobs are listed."""

    left_at: list[int] = field(default_factory=list)

    async def list_job_uids(self) -> ListedResources:
        self.left_at.append(len(self.left()))
        return await super().list_job_uids()
