"""Jobs of one installation that want one output, with a dead claim on it: their steps interleave in every order.

The steps are the operator's own: `take_output`, `commit_output`, `remove_intermediates`. Its requests and their answers
take any time, and it dies before or after any of them; the next operator goes on with what is stored.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from podreduce.contract.environment import StorageSettings
from podreduce.contract.layout import CLAIM_KEY, OUTPUT_MANIFEST_KEY, PLAN_KEY, SUCCESS_KEY, commit_key, staging_prefix
from podreduce.contract.plan import JobIdentity
from podreduce.contract.task import OutputManifest, PartRef
from podreduce.contract.wire import decode, encode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.cluster.interface import JobStorage
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobView
from podreduce_operator.planning.plan_run import take_output
from podreduce_operator.runs.commit_output import commit_output
from podreduce_operator.runs.output_claim import RESERVED_PREFIX, Claim
from podreduce_operator.runs.remove_run import remove_intermediates
from podreduce_operator.runs.run import Run, RunCache
from tests.support.builders.jobs import make_job, make_raw_output
from tests.support.builders.plans import make_plan
from tests.support.builders.records import make_commit
from tests.support.builders.tasks import map_task
from tests.support.quiet_cluster import QuietCluster
from tests.support.searching import seeds

ONE_WRITER = "two runs never publish to one output at a time"
WHOLE_OUTPUT = "what a run has published is its own, until the run is over"
NOTHING_STAYS = "when all runs are over, neither claim nor staged part is left"
JOBS = 4
TRIES = 20
DEATHS = 0.02
"""How likely the operator dies at a request, and once more at its answer."""
CHANGED: dict[str, Callable[[Sequence[str]], Sequence[str]]] = {
    "create_async": lambda arguments: arguments[:1],
    "put_async": lambda arguments: arguments[:1],
    "replace_async": lambda arguments: arguments[:1],
    "copy_async": lambda arguments: arguments[1:],
    "delete_async": lambda arguments: arguments,
}
"""Which objects a request changes, by its arguments."""


class OperatorDiedError(Exception):
    """The operator ends here; another one starts."""


class SlowStore:
    """A memory store whose requests and answers take any time. It tells the world what `owner` writes to the output.

    In between, a request is the blocking one, which takes no time: so a seed is one order of all requests.
    """

    def __init__(self, store: ObjectStore, world: "World", owner: str) -> None:
        self.store, self.world, self.owner = store, world, owner

    def __getattr__(self, name: str) -> Any:
        if name == "list_async":
            return self.listing
        if not name.endswith("_async"):
            return getattr(self.store, name)
        own = {"replace_async": self.replace, "get_small_async": lambda key, _most_bytes: self.store.get(key)}
        return self.slowly(name, own.get(name) or getattr(self.store, name.removesuffix("_async")))

    def replace(self, key: str, data: bytes, *, etag: str) -> bool:
        if self.store.head(key).etag != etag:
            return False
        self.store.put(key, data)
        return True

    def slowly(self, name: str, request: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        async def asked(*arguments: Any, **options: Any) -> Any:
            await self.world.pass_time()
            if name in CHANGED and self.store.uri == self.world.output.uri:
                self.world.note_write(self.owner, CHANGED[name](arguments))
            answer = request(*arguments, **options)
            await self.world.pass_time()
            return answer

        return asked

    async def listing(self, *arguments: Any, **options: Any) -> AsyncIterator[Any]:
        await self.world.pass_time()
        for found in list(self.store.list(*arguments, **options)):
            yield found


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowStorage(JobStorage):
    """Storage that opens slow stores."""

    world: "World"
    owner: str

    def open(self, uri: str) -> ObjectStore:
        return SlowStore(JobStorage.open(self, uri), self.world, self.owner)  # type: ignore[return-value]


@dataclass(kw_only=True)
class World:
    """An output that jobs want, and what they do to it.

    Attributes:
        loses_claims: whether a person deletes the claim of each run that is about to commit.
        publishing: whose output is being written.
        published: whose was complete, in order.
    """

    rng: random.Random
    loses_claims: bool
    place: str = field(default_factory=lambda: f"memory://{uuid4().hex}/")
    cluster: QuietCluster = field(default_factory=QuietCluster)
    publishing: str = ""
    published: list[str] = field(default_factory=list)

    @property
    def output(self) -> ObjectStore:
        return open_store(f"{self.place}out/")

    async def pass_time(self) -> None:
        """Let others act; or die."""
        if self.rng.random() < DEATHS:
            raise OperatorDiedError
        await asyncio.sleep(self.rng.choice((0, 0, 0, 1, 3, 30)))

    def note_write(self, owner: str, keys: Sequence[str]) -> None:
        if not all(key.startswith(RESERVED_PREFIX) for key in keys):
            assert self.publishing in ("", owner), ONE_WRITER
            self.publishing = owner

    def add_job(self, name: str) -> JobView:
        """Apply a job whose one map has committed its part: its name."""
        output = make_raw_output(uri=self.output.uri, ifExists=self.rng.choice(("Replace", "Replace", "Fail")))
        job = make_job(name=name, uid=f"uid-{name}", spec={"output": output}, status={"runId": "1"})
        self.cluster.jobs[job.key] = job
        storage = JobStorage(work_uri=f"{self.place}work/", installation="local", settings=StorageSettings())
        run = RunCache().open(job, "1", storage)
        plan = make_plan(
            job=run.identity, partitions=0, output_uri=self.output.uri, if_exists=output["ifExists"], spec=job.raw_spec
        )
        run.work.put(PLAN_KEY, encode(plan))
        part = PartRef(key=f"{staging_prefix(job.uid, '1')}m-0-a", bytes=len(name), records=1, sha256="0" * 64)
        self.output.put(part.key, name.encode())
        run.work.put(commit_key(map_task(0), 0), encode(make_commit(map_task(0), attempt_id="a", blob=None, part=part)))
        return job

    async def see(self, job: JobView) -> Run:
        """Return the run as an operator sees it that has just started."""
        storage = SlowStorage(
            work_uri=f"{self.place}work/",
            installation="local",
            settings=StorageSettings(),
            world=self,
            owner=job.key.name,
        )
        run = RunCache().open(job, "1", storage)
        await run.records.refresh()
        return run

    async def step(self, job: JobView, act: Callable[[Run], Awaitable[None]]) -> None:
        """Do this as often as the operator dies at it."""
        while True:
            try:
                return await act(await self.see(job))
            except OperatorDiedError:
                await asyncio.sleep(0)

    async def run(self, job: JobView) -> None:
        """One job from its start to its end."""
        try:
            await self.take(job)
            await self.commit(job)
        except ActionError:
            ended = "Failed"
        else:
            ended = "Complete"
        conditions = [{"type": ended, "status": "True"}]
        status = {"runId": "1", "conditions": conditions}
        self.cluster.jobs[job.key] = make_job(name=job.key.name, uid=job.uid, spec=job.raw_spec, status=status)
        await self.step(job, remove_intermediates)

    async def take(self, job: JobView) -> None:
        for tries_left in reversed(range(TRIES)):
            try:
                await self.step(job, lambda run: take_output(run, self.cluster))
            except ActionError as refused:
                if refused.reason != "OutputClaimed" or not tries_left:
                    raise
                await asyncio.sleep(10)
            else:
                return

    async def commit(self, job: JobView) -> None:
        name = job.key.name
        if self.loses_claims:
            self.output.delete(CLAIM_KEY)
            await asyncio.sleep(self.rng.random() * 100)
        while not self.is_published(job):
            await self.step(job, commit_output)
        await asyncio.sleep(self.rng.random() * 20)
        assert self.is_published(job), WHOLE_OUTPUT
        assert self.output.get("part-m-00000.txt") == name.encode(), WHOLE_OUTPUT
        self.publishing = ""
        self.published.append(name)

    def is_published(self, job: JobView) -> bool:
        """Tell whether the output is complete, and is the job's."""
        if not self.output.exists(SUCCESS_KEY):
            return False
        return decode(self.output.get(OUTPUT_MANIFEST_KEY), OutputManifest).uid == job.uid


@pytest.mark.virtual_time
@pytest.mark.parametrize("seed", list(seeds(150)))
async def test_one_run_at_a_time_publishes_and_no_claim_stays(seed: int) -> None:
    world = World(rng=random.Random(seed), loses_claims=seed % 4 == 3)  # noqa: S311 - a seeded world
    dead = JobIdentity(namespace="default", name="dead", uid="uid-dead", run_id="1")
    world.output.put(CLAIM_KEY, encode(Claim(installation="local", job=dead)))
    jobs = [world.add_job(f"job-{index}") for index in range(JOBS)]
    await asyncio.gather(*(world.run(job) for job in jobs))
    assert world.published, "one of them gets through"
    assert not [found.key for found in world.output.list(RESERVED_PREFIX)], NOTHING_STAYS
