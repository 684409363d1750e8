"""Reads what one run left in the store: its plan, commits, failures, shuffle manifests and intent.

Rule: every record is immutable, so each is read once. Losing them only costs reads. Between listings, only expected
commits are read (`expected_commits`), and the process knows its own writes. What is kept grows with the number of tasks
(`kept_commits`, `kept_failures`), and a budget limits it (`record_budget`). No listing is held as a whole.
"""

import asyncio
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from podreduce.contract.errors import ObjectNotFoundError
from podreduce.contract.layout import (
    COMMIT_INTENT_KEY,
    COMMITS_PREFIX,
    FAILURES_PREFIX,
    PLAN_KEY,
    POST_MORTEM_KEY,
    commit_key,
    failure_key,
    shuffle_key,
)
from podreduce.contract.plan import Plan
from podreduce.contract.task import CommitIntent, CommitRecord, FailureRecord, ShuffleManifest, TaskRef
from podreduce.contract.wire import Wire, digest_bytes, encode
from podreduce.storage import ObjectStore, in_batches
from podreduce_operator.api.crd import known_spec
from podreduce_operator.api.spec import pinned_fields
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.jobs import JobKey
from podreduce_operator.read_budget import ReadingPace
from podreduce_operator.runs.expected_commits import Expectation, Sighting
from podreduce_operator.runs.kept_commits import KeptCommits
from podreduce_operator.runs.kept_failures import KeptFailures
from podreduce_operator.runs.record_budget import RecordBudget, RunShare
from podreduce_operator.runs.stored_records import (
    check_commit,
    check_failure,
    check_intent,
    check_manifest,
    decode_record,
    read_bytes,
    read_record,
    unreadable,
)

if TYPE_CHECKING:
    from podreduce_operator.model.pods import PodView, Stage

__all__ = ["OnAttemptEnd", "RunRecords", "listing_pace"]

LISTING_SHARE = 0.05
"""The share of the time that listing a run's records may take."""

CONCURRENT_READS = 32
CHEAPER_TO_LIST = 500
"""If more commits are expected, a listing is used. It returns a thousand keys and costs as much as a few reads."""

MOST_OBJECTS = 500_000
"""How many commits or failures of a run are listed: some for each task of the largest job."""
MOST_UNREADABLE = 100
MOST_GENERATIONS = 100
"""How many shuffle manifests a pass looks for. There is one more each time that map output was lost."""
OBJECT_FACTOR = 3
"""How many times the bytes of its JSON a plan, a manifest or an intent takes in memory, at most, if it is ours.

These are counted and never refused: there is one of each, and what follows an intent must go on.
"""

T = TypeVar("T", bound=Wire)

OnAttemptEnd = Callable[[CommitRecord | FailureRecord], None]


def listing_pace() -> ReadingPace:
    """Return the pace at which the records of one run are listed."""
    return ReadingPace(LISTING_SHARE)


class RunRecords:
    """The records of one run.

    `on_attempt_end` is called with each failure that this process records, and with each commit that it finds. The
    first look at a run that another process has planned finds old commits, which that process has counted: they are
    left out.

    Attributes:
        store: the store at the run's prefix.
        plan: None until it is written; `plan_digest` is the SHA-256 of its bytes. Another release may have written it:
            its spec has this release's fields and defaults, as the job's has.
        started_over: the generation of the job with which this process let the run start over; 0 if it did not.
        written_plan: the SHA-256 of the plan that this process made, empty if it made none.
        manifest: the shuffle manifest of the newest generation.
        intent: None until it is written.
        unreadable: by key, why an object is not the record that belongs there. All other records count.
        kept: the stage of each attempt when this process last kept it.
        has_post_mortem: whether the post-mortem is written.
    """

    def __init__(
        self,
        store: ObjectStore,
        pace: ReadingPace | None = None,
        on_attempt_end: OnAttemptEnd = lambda _record: None,
        share: RunShare | None = None,
    ) -> None:
        self.store = store
        self.plan: Plan | None = None
        self.plan_digest = ""
        self.started_over = 0
        self.written_plan = ""
        self.manifest: ShuffleManifest | None = None
        self.intent: CommitIntent | None = None
        self.unreadable: dict[str, ActionError] = {}
        self.kept: dict[str, Stage] = {}
        self.has_post_mortem = False
        self._share = share or RecordBudget().share(store.uri, JobKey(namespace="", name=""))
        self._commits = KeptCommits(self._share)
        self._failures = KeptFailures(self._share)
        self._plan_bytes = 0
        self._pace = pace or listing_pace()
        self._expectation = Expectation()
        self._on_attempt_end = on_attempt_end
        self._has_listed = False
        self._is_over = False
        self._was_forgotten = False

    @property
    def commits(self) -> Mapping[TaskRef, CommitRecord]:
        """The commit of the newest generation, by task, without the fields that are added up."""
        return self._commits.newest

    @property
    def sums(self) -> KeptCommits:
        """The commits with what is added up over them."""
        return self._commits

    @property
    def take_too_much(self) -> bool:
        """Whether they take more memory than they may. The run fails for it, and no more records are kept."""
        return self._share.must_end

    @property
    def outdated(self) -> AbstractSet[str]:
        """The attempts whose commits are of older generations."""
        return self._commits.outdated

    @property
    def bucket_bytes(self) -> Sequence[int]:
        """The stored bytes of each virtual bucket, over the first generation of all committed maps."""
        return self._commits.bucket_bytes

    @property
    def failures(self) -> Mapping[TaskRef, tuple[FailureRecord, ...]]:
        """All failure records by task, ordered by their end."""
        return self._failures.by_task

    async def refresh(self, pods: "Sequence[PodView]" = ()) -> None:
        """Read the records that are new since the last call.

        Args:
            pods: the run's pods, listed before this call. Their commits are read; now and then everything is listed.

        Raises:
            PodreduceError: the store cannot be read.
        """
        if self.plan is None:
            await self._read_plan()
        if self.plan is None:
            return
        expected = self._expectation.look_for(pods, self.commits, self._failures.attempts)
        if expected is None or len(expected) > CHEAPER_TO_LIST or self._pace.is_due():
            self.unreadable.clear()
            with self._pace.measured():
                await asyncio.gather(
                    self._list(COMMITS_PREFIX, self._commits, CommitRecord, self._take_commit),
                    self._list(FAILURES_PREFIX, self._failures, FailureRecord, self._check_failure),
                    self._read_manifest_and_intent(self.plan),
                )
            self._has_listed = True
        else:
            await asyncio.gather(self._read_expected(expected), self._read_manifest_and_intent(self.plan))
        await self._subtract_superseded()
        if self.take_too_much:
            self.unreadable[""] = self._share.too_large()
        self._expectation.settle(pods, self.commits, self._failures.attempts)

    async def refresh_ended(self) -> None:
        """Read of an ended run only what its removal needs: the plan, and whether the post-mortem is written.

        Raises:
            PodreduceError: the store cannot be read.
        """
        self._is_over = True
        if self.plan is None:
            await self._read_plan()
        if self.plan is not None:
            self.has_post_mortem = await self.store.exists_async(POST_MORTEM_KEY)

    def forget_tasks(self) -> None:
        """Drop the records of the tasks of an ended run. They are read again if they are needed."""
        self._commits, self._failures = KeptCommits(self._share), KeptFailures(self._share)
        self.manifest, self.intent = None, None
        self._was_forgotten = True
        self._share.release()
        self._share.change(self._plan_bytes)
        self._pace.demand()

    async def relist(self) -> None:
        """List and read all records, expected or not."""
        self._pace.demand()
        await self.refresh()

    async def create_failure(self, record: FailureRecord, *, suffix: str = "") -> None:
        """Write a failure record, unless it exists already.

        Args:
            record: the failure record of an attempt.
            suffix: distinguishes it from another record of the same attempt.
        """
        key = failure_key(record.task, f"{record.attempt_id}{suffix}")
        if await self.store.create_async(key, encode(record)):
            with self._noting(key):
                self._take_failure(key, record)
            self._on_attempt_end(record)
        else:
            self._pace.demand()

    async def _read_plan(self) -> None:
        self.unreadable.pop(PLAN_KEY, None)
        try:
            with self._noting(PLAN_KEY):
                data = await read_bytes(self.store, PLAN_KEY, Plan)
                plan = decode_record(data, Plan, self.store.uri_of(PLAN_KEY))
                spec = pinned_fields(known_spec(plan.spec))
                self.plan, self.plan_digest = msgspec.structs.replace(plan, spec=spec), digest_bytes(data)
                self._plan_bytes = OBJECT_FACTOR * len(data)
                self._share.change(self._plan_bytes)
        except ObjectNotFoundError:
            return

    def forget_plan(self) -> None:
        """Drop a plan that is not this run's. It may be large, and is read again if it is needed."""
        self.plan, self.plan_digest = None, ""
        self._share.change(-self._plan_bytes)
        self._plan_bytes = 0

    @contextmanager
    def _noting(self, key: str) -> Iterator[None]:
        """Note that the object at `key` is not the record that belongs there, if the block finds that.

        Of many such objects only the first are noted: one is enough to fail the run.
        """
        try:
            yield
        except ActionError as error:
            if len(self.unreadable) < MOST_UNREADABLE:
                self.unreadable[key] = error

    async def _read_expected(self, expected: Iterable[Sighting]) -> None:
        keys = [commit_key(task, generation) for task, generation in expected]
        await self._read_all(keys, CommitRecord, self._take_commit)

    def _take_commit(self, key: str, commit: CommitRecord) -> None:
        if self.plan is None:
            return
        if key in self._commits:
            return
        with self._noting(key):
            check_commit(key, commit, self.plan, self.store.uri_of(key))
            self._commits.add(key, commit)
            is_own = self._has_listed or self.plan_digest == self.written_plan
            if is_own and not self._was_forgotten and not commit.is_carried:
                self._on_attempt_end(commit)

    async def _subtract_superseded(self) -> None:
        """Subtract the counters of commits that were added and do not count any more. Their records are read again."""

        async def subtract(key: str) -> None:
            with self._noting(key):
                try:
                    commit = await read_record(self.store, key, CommitRecord)
                except ObjectNotFoundError as error:
                    raise unreadable(self.store.uri_of(key), "it is gone") from error
                self._commits.counters.subtract(commit.counters)
                self._commits.superseded.remove(key)

        await gather_bounded([partial(subtract, key) for key in self._commits.superseded], limit=CONCURRENT_READS)

    async def read_sizes(self, tasks: Iterable[TaskRef]) -> list[bytes | tuple[int, ...]]:
        """Return the bucket sizes of committed maps, as their records have them.

        Raises:
            ActionError: a record has been overwritten with something else.
            PodreduceError: the store cannot be read.
        """

        async def read(task: TaskRef) -> bytes | tuple[int, ...]:
            commit = self.commits[task]
            if commit.bucket_bytes:
                return commit.bucket_bytes
            key = commit_key(task, commit.generation)
            return (await read_record(self.store, key, CommitRecord)).bucket_bytes

        return await gather_bounded([partial(read, task) for task in tasks], limit=CONCURRENT_READS)

    def _check_failure(self, key: str, failure: FailureRecord) -> None:
        with self._noting(key):
            check_failure(key, failure, self.store.uri_of(key))
            self._take_failure(key, failure)

    def _take_failure(self, key: str, failure: FailureRecord) -> None:
        if key in self._failures:
            return
        self._failures.add(key, failure)

    async def _read_manifest_and_intent(self, plan: Plan) -> None:
        """Read the newest manifest and the intent. Their keys are known: anybody may have put others beside them."""
        await asyncio.gather(self._read_manifest(plan), self._read_intent(plan))

    async def _read_manifest(self, plan: Plan) -> None:
        newest, first = None, 0 if self.manifest is None else self.manifest.generation + 1
        for generation in range(first, first + MOST_GENERATIONS):
            if not await self.store.exists_async(shuffle_key(generation)):
                break
            newest = generation
        if newest is not None:
            await self._read_all([shuffle_key(newest)], ShuffleManifest, partial(self._take_manifest, plan))

    def _take_manifest(self, plan: Plan, key: str, manifest: ShuffleManifest) -> None:
        with self._noting(key):
            check_manifest(key, manifest, plan, self.store.uri_of(key))
            replaced = 0 if self.manifest is None else len(encode(self.manifest))
            self._share.change(OBJECT_FACTOR * (len(encode(manifest)) - replaced))
            self.manifest = manifest

    async def _read_intent(self, plan: Plan) -> None:
        if self.intent is None and not self._is_over:  # of a run that ended it changes nothing
            await self._read_all([COMMIT_INTENT_KEY], CommitIntent, partial(self._take_intent, plan))

    def _take_intent(self, plan: Plan, key: str, intent: CommitIntent) -> None:
        with self._noting(key):
            check_intent(intent, plan, self.store.uri_of(key))
            self._share.change(OBJECT_FACTOR * len(encode(intent)))
            self.intent = intent

    async def _list(
        self, prefix: str, known: Container[str], record_type: type[T], take: Callable[[str, T], None]
    ) -> None:
        """Take the records below `prefix` that are not known, as they are listed; of too many, only the first."""
        listed = 0
        async for batch in in_batches(self.store.list_async(prefix)):
            listed += len(batch)
            if listed > MOST_OBJECTS:
                what = f"there are more than {MOST_OBJECTS} objects"
                self.unreadable[prefix] = unreadable(self.store.uri_of(prefix), what)
                break
            await self._read_all([found.key for found in batch if found.key not in known], record_type, take)

    async def _read_all(self, keys: Iterable[str], record_type: type[T], take: Callable[[str, T], None]) -> None:
        """Take the record at each of these keys as soon as it is read. Missing and unreadable ones are left out."""

        async def read(key: str) -> None:
            self.unreadable.pop(key, None)
            if len(self.unreadable) == MOST_UNREADABLE:
                return
            with suppress(ObjectNotFoundError), self._noting(key):
                take(key, await read_record(self.store, key, record_type))

        await gather_bounded([partial(read, key) for key in keys], limit=CONCURRENT_READS)
