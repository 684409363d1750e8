"""Reads what one run left in the store: its plan, commits, failures, shuffle manifests and intent.

Rule: every record is immutable, so each is read once and kept. Losing them only costs reads. Between listings, only
expected commits are read (`expected_commits`), and the process knows its own writes. What the maps report about keys
(bucket sizes, samples, heaviest keys) is added up at once, so memory grows with tasks and not with tasks x buckets.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import zip_longest
from operator import add
from typing import TYPE_CHECKING, TypeVar

import msgspec

from podreduce.contract.bucket_sizes import decode_sizes
from podreduce.contract.errors import ObjectNotFoundError
from podreduce.contract.layout import (
    COMMIT_INTENT_KEY,
    COMMITS_PREFIX,
    FAILURES_PREFIX,
    PLAN_KEY,
    POST_MORTEM_KEY,
    SHUFFLE_PREFIX,
    commit_key,
    failure_key,
    parse_shuffle_key,
    shuffle_key,
)
from podreduce.contract.plan import Plan
from podreduce.contract.task import CommitIntent, CommitRecord, FailureRecord, ShuffleManifest, TaskRef, TaskType
from podreduce.contract.texts import cut_middle
from podreduce.contract.wire import Wire, digest_bytes, encode
from podreduce.storage import ObjectStore
from podreduce_operator.api.crd import known_spec
from podreduce_operator.api.spec import pinned_fields
from podreduce_operator.concurrency import gather_bounded
from podreduce_operator.model.errors import ActionError
from podreduce_operator.read_budget import ReadingPace
from podreduce_operator.runs.expected_commits import Expectation, Sighting
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
from podreduce_operator.shuffle.heavy_keys import Skew
from podreduce_operator.shuffle.key_spread import KeySpread

if TYPE_CHECKING:
    from podreduce_operator.model.pods import PodView, Stage

__all__ = ["OnAttemptEnd", "RunRecords", "listing_pace"]

LISTING_SHARE = 0.05
"""The share of the time that listing a run's records may take."""

CONCURRENT_READS = 32
MOST_KEPT_BYTES = 1 << 20
"""How many bytes of bucket sizes are kept for a run: about 2,000 maps of a small job, or 100 of the largest."""
CHEAPER_TO_LIST = 500
"""If more commits are expected, a listing is used. It returns a thousand keys and costs as much as a few reads."""

MOST_OBJECTS = 500_000
"""How many commits or failures of a run are listed: some for each task of the largest job."""
MOST_UNREADABLE = 100
MOST_TEXT = 8192
"""How many characters of a failure's texts are kept, each. The status and the post-mortem show less."""

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
        commits: the commit of the newest generation, by task, without the added-up fields. The bucket sizes of the
            first maps stay, up to a limit, so that a small job need not read them again.
        outdated: the attempts whose commits are of older generations.
        bucket_bytes: stored bytes of each virtual bucket, over the first generation of all committed maps.
        key_spread: the samples of the maps' keys, in total order.
        skew: the heaviest keys of the maps.
        manifests: the shuffle manifests by generation.
        intent: None until it is written.
        unreadable: by key, why an object is not the record that belongs there. All other records count.
        kept: the stage of each attempt when this process last kept it.
        has_post_mortem: whether the post-mortem is written.
    """

    def __init__(
        self, store: ObjectStore, pace: ReadingPace | None = None, on_attempt_end: OnAttemptEnd = lambda _record: None
    ) -> None:
        self.store = store
        self.plan: Plan | None = None
        self.plan_digest = ""
        self.started_over = 0
        self.written_plan = ""
        self.commits: dict[TaskRef, CommitRecord] = {}
        self.outdated: set[str] = set()
        self.bucket_bytes: list[int] = []
        self.key_spread = KeySpread()
        self.skew = Skew()
        self.manifests: dict[int, ShuffleManifest] = {}
        self.intent: CommitIntent | None = None
        self.unreadable: dict[str, ActionError] = {}
        self.kept: dict[str, Stage] = {}
        self.has_post_mortem = False
        self._failures: dict[str, FailureRecord] = {}
        self._failed: set[str] = set()
        self._read_commits: set[str] = set()
        self._kept_bytes = 0
        self._pace = pace or listing_pace()
        self._expectation = Expectation()
        self._on_attempt_end = on_attempt_end
        self._has_listed = False

    @property
    def failures(self) -> Mapping[TaskRef, tuple[FailureRecord, ...]]:
        """All failure records by task, ordered by their end."""
        by_task: dict[TaskRef, list[FailureRecord]] = {}
        for failure in sorted(self._failures.values(), key=lambda failure: failure.finished_at):
            by_task.setdefault(failure.task, []).append(failure)
        return {task: tuple(failures) for task, failures in by_task.items()}

    @property
    def manifest(self) -> ShuffleManifest | None:
        """The shuffle manifest of the newest generation."""
        return self.manifests[max(self.manifests)] if self.manifests else None

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
        expected = self._expectation.look_for(pods, self.commits, self._failed)
        if expected is None or len(expected) > CHEAPER_TO_LIST or self._pace.is_due():
            self.unreadable.clear()
            with self._pace.measured():
                await asyncio.gather(self._list_commits(), self._list_failures(), self._read_manifests_and_intent())
            self._has_listed = True
        else:
            await asyncio.gather(self._read_expected(expected), self._read_manifests_and_intent())
        self._expectation.settle(pods, self.commits, self._failed)

    async def refresh_ended(self) -> None:
        """Read of an ended run only what its removal needs: the plan, and whether the post-mortem is written.

        Raises:
            PodreduceError: the store cannot be read.
        """
        if self.plan is None:
            await self._read_plan()
        if self.plan is not None:
            self.has_post_mortem = await self.store.exists_async(POST_MORTEM_KEY)

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
        except ObjectNotFoundError:
            return

    def forget_plan(self) -> None:
        """Drop a plan that is not this run's. It may be large, and is read again if it is needed."""
        self.plan, self.plan_digest = None, ""

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

    async def _list_commits(self) -> None:
        keys = await self._new_keys(COMMITS_PREFIX, self._read_commits)
        await self._read_all(keys, CommitRecord, self._take_commit)

    async def _read_expected(self, expected: Iterable[Sighting]) -> None:
        keys = [commit_key(task, generation) for task, generation in expected]
        await self._read_all(keys, CommitRecord, self._take_commit)

    def _take_commit(self, key: str, commit: CommitRecord) -> None:
        if self.plan is None:
            return
        with self._noting(key):
            check_commit(key, commit, self.plan, self.store.uri_of(key))
            if key not in self._read_commits and (self._has_listed or self.plan_digest == self.written_plan):
                self._on_attempt_end(commit)
            self._read_commits.add(key)
            self._fold(commit.generation, commit)

    def _fold(self, generation: int, commit: CommitRecord) -> None:
        if generation == 0 and commit.task.type is TaskType.MAP:
            self.bucket_bytes = add_columns(self.bucket_bytes, decode_sizes(commit.bucket_bytes))
            self.key_spread.add(commit.key_samples)
            self.skew.add(commit)
        known = self.commits.get(commit.task)
        if known is None or known.generation < commit.generation:
            sizes = self._keep_sizes(commit)
            self.commits[commit.task] = msgspec.structs.replace(
                commit, bucket_bytes=sizes, key_samples=(), heavy_keys=()
            )
            self.outdated.update(() if known is None else (known.attempt_id,))
        else:
            self.outdated.add(commit.attempt_id)

    def _keep_sizes(self, commit: CommitRecord) -> bytes:
        """Return a commit's bucket sizes if they are kept, or empty bytes."""
        sizes = commit.bucket_bytes
        if not isinstance(sizes, bytes) or self._kept_bytes + len(sizes) > MOST_KEPT_BYTES:
            return b""
        self._kept_bytes += len(sizes)
        return sizes

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

    async def _list_failures(self) -> None:
        keys = await self._new_keys(FAILURES_PREFIX, self._failures)
        await self._read_all(keys, FailureRecord, self._check_failure)

    def _check_failure(self, key: str, failure: FailureRecord) -> None:
        with self._noting(key):
            check_failure(key, failure, self.store.uri_of(key))
            self._take_failure(key, failure)

    def _take_failure(self, key: str, failure: FailureRecord) -> None:
        self._failures[key] = shorten(failure)
        self._failed.add(failure.attempt_id)

    async def _read_manifests_and_intent(self) -> None:
        keys = [key async for key in self._keys("", recursive=False)]
        self.has_post_mortem = POST_MORTEM_KEY in keys
        if self.plan is None:
            return
        newest = self._newest_manifest(keys)
        if newest is not None and newest not in self.manifests:
            await self._read_all([shuffle_key(newest)], ShuffleManifest, partial(self._take_manifest, self.plan))
        if COMMIT_INTENT_KEY in keys and self.intent is None:
            await self._read_all([COMMIT_INTENT_KEY], CommitIntent, partial(self._take_intent, self.plan))

    def _take_manifest(self, plan: Plan, key: str, manifest: ShuffleManifest) -> None:
        with self._noting(key):
            check_manifest(key, manifest, plan, self.store.uri_of(key))
            self.manifests[manifest.generation] = manifest

    def _take_intent(self, plan: Plan, key: str, intent: CommitIntent) -> None:
        with self._noting(key):
            check_intent(intent, plan, self.store.uri_of(key))
            self.intent = intent

    def _newest_manifest(self, keys: Iterable[str]) -> int | None:
        """Return the newest generation of the manifests at these keys."""
        generations = []
        for key in keys:
            if key.startswith(SHUFFLE_PREFIX):
                try:
                    generations.append(parse_shuffle_key(key))
                except ValueError as error:
                    self.unreadable[key] = unreadable(self.store.uri_of(key), error)
        return max(generations, default=None)

    async def _keys(self, prefix: str, *, recursive: bool = True) -> AsyncIterator[str]:
        async for found in self.store.list_async(prefix, recursive=recursive):
            yield found.key

    async def _new_keys(self, prefix: str, known: Container[str]) -> list[str]:
        """Return the keys below `prefix` that are not known; of too many objects, only the first."""
        keys: list[str] = []
        listed = 0
        async for key in self._keys(prefix):
            listed += 1
            if listed > MOST_OBJECTS:
                what = f"there are more than {MOST_OBJECTS} objects"
                self.unreadable[prefix] = unreadable(self.store.uri_of(prefix), what)
                break
            if key not in known:
                keys.append(key)
        return keys

    async def _read_all(self, keys: Iterable[str], record_type: type[T], take: Callable[[str, T], None]) -> None:
        """Take the record at each of these keys as soon as it is read. Missing and unreadable ones are left out."""

        async def read(key: str) -> None:
            self.unreadable.pop(key, None)
            if len(self.unreadable) == MOST_UNREADABLE:
                return
            with suppress(ObjectNotFoundError), self._noting(key):
                take(key, await read_record(self.store, key, record_type))

        await gather_bounded([partial(read, key) for key in keys], limit=CONCURRENT_READS)


def shorten(failure: FailureRecord) -> FailureRecord:
    """Return the failure with texts of limited length: there may be many of them."""
    texts = {name: getattr(failure, name) for name in ("message", "traceback", "record")}
    long = {name: cut_middle(text, MOST_TEXT) for name, text in texts.items() if len(text) > MOST_TEXT}
    return msgspec.structs.replace(failure, **long) if long else failure


def add_columns(sums: Sequence[int], more: Sequence[int]) -> list[int]:
    """Add `more` to `sums`, element by element. The shorter one is extended with zeros."""
    if len(sums) == len(more):
        return list(map(add, sums, more))
    return [left + right for left, right in zip_longest(sums, more, fillvalue=0)]
