"""What jobs that are gone left in the store: removed by whoever sees the deletion, else by the sweep."""

import asyncio
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
import structlog

from podreduce.contract.environment import StorageSettings
from podreduce.contract.layout import CLAIM_KEY, PLAN_KEY, run_prefix
from podreduce.contract.plan import JobIdentity
from podreduce.contract.wire import encode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.api.storage_secret import SecretError
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.cluster.kubernetes.resource_store import ListedResources
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.model.pods import PodView
from podreduce_operator.process.sweeper import sweep, sweep_forever
from podreduce_operator.runs import remove_run as discard
from podreduce_operator.runs.output_claim import Claim
from podreduce_operator.runs.remove_run import discard_job
from podreduce_operator.runs.run import RunCache
from tests.support.builders.jobs import make_job
from tests.support.builders.plans import make_plan
from tests.support.builders.pods import make_pod
from tests.support.fake_s3 import fake_s3
from tests.support.quiet_cluster import QuietCluster

OLD, NEW = (f"00000000-0000-4000-8000-00000000000{digit}" for digit in "12")


def identity(uid: str, run_id: str = "1", name: str = "wordcount") -> JobIdentity:
    return JobIdentity(namespace="default", name=name, uid=uid, run_id=run_id)


@dataclass
class Installation:
    """A store with runs in it, and the jobs that there are."""

    living: set[str] = field(default_factory=set)
    places: frozenset[str | None] = frozenset({None})
    has_storage: bool = True
    failures: list[Exception] = field(default_factory=list)
    bucket: str = field(default_factory=lambda: uuid4().hex)

    def own_storage(self) -> JobStorage | None:
        if self.failures:
            raise self.failures.pop(0)
        return self.storage() if self.has_storage else None

    def storage(self, installation: str = "here") -> JobStorage:
        return JobStorage(
            work_uri=f"memory://{self.bucket}/work/", installation=installation, settings=StorageSettings()
        )

    async def list_job_uids(self) -> ListedResources:
        return ListedResources(uids=frozenset(self.living), places=self.places)

    @property
    def work(self) -> ObjectStore:
        return open_store(f"memory://{self.bucket}/work/")

    def output(self, run: JobIdentity) -> ObjectStore:
        return open_store(f"memory://{self.bucket}/out-{run.uid}-{run.run_id}/")

    def leave(self, run: JobIdentity, *, installation: str = "here", plan: bytes | None = None) -> str:
        """Put there what a run leaves that was cut off amid its reduces; return its prefix."""
        prefix = run_prefix(installation, run.namespace, run.name, run.uid, run.run_id)
        output = self.output(run)
        written = plan or encode(make_plan(output_uri=output.uri_of(""), job=run))
        self.work.put(prefix + PLAN_KEY, written)
        self.work.put(f"{prefix}data/map/0/a", b"blob")
        output.put(f"_podreduce-{run.uid}-{run.run_id}/r-0-a", b"staged")
        output.put(CLAIM_KEY, encode(Claim(installation=installation, job=run)))
        output.put("part-r-00000.txt", b"of an earlier run")
        return prefix

    def left(self, prefix: str = "") -> list[str]:
        return sorted(found.key for found in self.work.list(prefix))


@pytest.fixture
def here() -> Installation:
    return Installation()


async def test_what_a_job_that_is_gone_has_left_is_swept_but_its_output(here: Installation) -> None:
    here.leave(identity(OLD))
    await sweep(here.own_storage(), here.list_job_uids)
    assert here.left() == []
    assert [found.key for found in here.output(identity(OLD)).list("")] == ["part-r-00000.txt"]


async def test_a_job_that_lives_keeps_everything(here: Installation) -> None:
    here.living = {OLD}
    kept = [here.leave(identity(OLD, run_id)) for run_id in ("1", "2")]
    before = here.left()
    gone = here.leave(identity(NEW))
    await sweep(here.own_storage(), here.list_job_uids)
    assert here.left() == before
    assert here.left(gone) == []
    assert all(here.left(prefix) for prefix in kept)


@pytest.mark.parametrize(
    ("places", "is_swept"),
    [({None}, True), ({"default"}, True), ({"default", "other"}, True), ({"other"}, False), (set(), False)],
    ids=["all are listed", "its own", "its own and others", "no longer served", "none could be listed"],
)
async def test_only_runs_of_listed_namespaces_are_swept(
    here: Installation, places: set[str | None], is_swept: bool
) -> None:
    here.places = frozenset(places)
    prefix = here.leave(identity(OLD))
    await sweep(here.own_storage(), here.list_job_uids)
    assert (here.left(prefix) == []) is is_swept


async def test_another_installations_runs_are_none_of_ours(here: Installation) -> None:
    prefix = here.leave(identity(OLD), installation="there")
    await sweep(here.own_storage(), here.list_job_uids)
    assert here.left(prefix) == [f"{prefix}data/map/0/a", prefix + PLAN_KEY]


async def test_without_a_storage_of_its_own_nothing_is_swept(here: Installation) -> None:
    here.has_storage = False
    here.leave(identity(OLD))
    await sweep(here.own_storage(), here.list_job_uids)
    assert len(here.left()) == 2


@pytest.mark.parametrize("plan", [b"{}", b"no plan", b"\xff"], ids=["another release's", "no JSON", "no text"])
async def test_a_plan_that_cannot_be_read_holds_up_no_other_run(here: Installation, plan: bytes) -> None:
    bad = here.leave(identity(OLD, name="a"), plan=plan)
    good = here.leave(identity(OLD, name="b"))
    await sweep(here.own_storage(), here.list_job_uids)
    assert here.left(good) == []
    assert here.left(bad) != [], "what led to its output is not thrown away"


async def test_an_output_that_cannot_be_reached_holds_up_no_other_run(here: Installation) -> None:
    run = identity(OLD, name="a")
    here.leave(run, plan=encode(make_plan(output_uri="file://no-such-host/out/", job=run)))
    good = here.leave(identity(OLD, name="b"))
    await sweep(here.own_storage(), here.list_job_uids)
    assert here.left(good) == []


@pytest.mark.parametrize(
    "error",
    [
        SecretError("no accessKey"),
        ActionError("StorageDenied", "no", permanent=True),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"),
    ],
    ids=["Secret", "refusal", "anything"],
)
async def test_whatever_goes_wrong_the_next_sweep_comes_an_hour_later(here: Installation, error: Exception) -> None:
    here.leave(identity(OLD))
    here.failures.append(error)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await sweep_forever(here.own_storage, here.list_job_uids, sleep=sleep)
    assert slept == [3600.0, 3600.0]
    assert here.left() == []


class LeavingCluster(QuietCluster):
    """Its pods go one by one, as they are listed; `seen` is how many there were, and whether the run's data was."""

    def __init__(self, here: Installation, prefix: str) -> None:
        super().__init__(pods=(make_pod(), make_pod()))
        self.here, self.prefix = here, prefix
        self.seen: list[tuple[int, bool]] = []

    async def read_storage(self, job: JobView) -> JobStorage:  # noqa: ARG002 - there is but one
        return self.here.storage()

    async def list_pods(self, job: JobView) -> tuple[PodView, ...]:  # noqa: ARG002 - likewise
        told, self.pods = self.pods, self.pods[1:]
        self.seen.append((len(told), bool(self.here.left(self.prefix))))
        return told


async def test_a_deleted_jobs_data_go_once_its_pods_have_gone_and_its_successors_stay(
    here: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discard, "POLL_SECONDS", 0.001)
    gone = [here.leave(identity(OLD, run_id)) for run_id in ("1", "2")]
    stays = here.leave(identity(NEW))
    other = here.leave(identity(OLD, name="wordcount-2"))
    cluster = LeavingCluster(here, gone[0])
    await discard_job(make_job(uid=OLD), cluster, RunCache())
    assert cluster.seen == [(2, True), (1, True), (0, True)], "nothing goes while a pod may still write"
    assert [here.left(prefix) for prefix in gone] == [[], []]
    assert here.left(stays)
    assert here.left(other)


async def test_a_bucket_that_is_not_there_yet_is_no_warning() -> None:
    with fake_s3() as server:
        server.answer(404, "NoSuchBucket")
        settings = StorageSettings(endpoint=server.endpoint, region="r", access_key="key", secret_key="hush")  # noqa: S106
        new = NewInstallation(settings=settings)
        with structlog.testing.capture_logs() as lines:
            await sweep(new.own_storage(), new.list_job_uids)
    assert [line["log_level"] for line in lines] == ["info"]
    assert "the bucket does not exist" in lines[0]["error"]


@dataclass
class NewInstallation(Installation):
    """An installation whose bucket is not made yet."""

    settings: StorageSettings = field(default_factory=StorageSettings)

    def storage(self, installation: str = "here") -> JobStorage:
        return JobStorage(work_uri="s3://work/", installation=installation, settings=self.settings)
