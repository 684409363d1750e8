"""Copies what one task needs of a run's records into a directory, with a plan that writes its output there.

Rule: only reads the run. Whoever kept or changed the records, each is checked before it is used.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import msgspec

from podreduce.contract.environment import StorageSettings, TaskEnvironment
from podreduce.contract.errors import ObjectNotFoundError
from podreduce.contract.layout import (
    DATA_PREFIX,
    FAILURES_PREFIX,
    PLAN_KEY,
    SHUFFLE_PREFIX,
    parse_shuffle_key,
    shard_page_key,
    shuffle_key,
)
from podreduce.contract.plan import Plan
from podreduce.contract.task import BlobRef, FailureRecord, ShuffleManifest, TaskRef, TaskType
from podreduce.contract.texts import render_count
from podreduce.contract.wire import digest_bytes, encode
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.model.errors import ActionError
from podreduce_operator.runs.stored_records import decode_record

__all__ = ["Recorded", "RunCopy", "copy_run", "find_failures"]

RUN = "run"
OUTPUT = "output"
SCRATCH = "scratch"
ATTEMPT = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A run whose tasks are run again.

    Attributes:
        run: the run's prefix.
        plan_digest: as the job's status has it; None if it is not known.
    """

    run: ObjectStore
    settings: StorageSettings
    plan_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCopy:
    """The directory in which tasks are run again.

    Attributes:
        plan: as it was pinned, but for the place of the output, and without injected faults; `digest` is its SHA-256.
        shuffle: which blobs a reduce reads; None for a map.
        blobs_uri: where these are.
    """

    directory: Path
    plan: Plan
    digest: str
    shuffle: ShuffleManifest | None
    blobs_uri: str

    @property
    def store(self) -> ObjectStore:
        """The run's prefix in the directory."""
        return open_store(uri_of(self.directory / RUN))

    def environment_of(self, task: TaskRef) -> TaskEnvironment:
        """Return the settings of a task, with a scratch directory of its own."""
        scratch = self.directory / SCRATCH / str(task)
        scratch.mkdir(parents=True)
        return TaskEnvironment(
            run_uri=uri_of(self.directory / RUN),
            plan_digest=self.digest,
            task=task,
            generation=0,
            pod_uid=ATTEMPT,
            pod_name=ATTEMPT,
            shuffle_generation=None if self.shuffle is None else self.shuffle.generation,
            max_bad_records=self.plan.spec.get("maxBadRecords"),
            scratch_directory=str(scratch),
            side_directory=str(self.directory / "side-inputs"),
            program_directory=str(self.directory),
            termination_log=str(scratch / "termination-log"),
        )


def copy_run(recorded: Recorded, task: TaskRef, directory: Path, *, with_maps: bool) -> RunCopy:
    """Copy what a task needs, and for a reduce `with_maps` what all maps need.

    Raises:
        CommandError: the run has no such task, or what it needs is not there any more.
        PodreduceError: the store cannot be read.
    """
    plan = read_plan(recorded)
    check_task(plan, task)
    is_map = task.type is TaskType.MAP
    shuffle = None if is_map else read_shuffle(recorded.run, task)
    if shuffle is not None and not with_maps:
        check_blobs(recorded.run, task, tuple(blob for blob in shuffle.maps if not blob.carried))
    spec = {name: value for name, value in plan.spec.items() if name != "chaos"}
    plan = msgspec.structs.replace(plan, spec=spec, output_uri=uri_of(directory / OUTPUT))
    data = encode(plan)
    blobs_uri = uri_of(directory / RUN) if with_maps else recorded.run.uri
    copy = RunCopy(directory=directory, plan=plan, digest=digest_bytes(data), shuffle=shuffle, blobs_uri=blobs_uri)
    copy.store.put(PLAN_KEY, data)
    for key in page_keys(plan, task, with_maps=with_maps):
        copy.store.put(key, read(recorded.run, key))
    if shuffle is not None and not with_maps:
        copy.store.put(shuffle_key(shuffle.generation), encode(shuffle))
    return copy


def read_plan(recorded: Recorded) -> Plan:
    """Read the run's plan.

    Raises:
        CommandError: it is gone, is no plan, or is another than the job's status names.
    """
    data, uri = read(recorded.run, PLAN_KEY), recorded.run.uri_of(PLAN_KEY)
    found = digest_bytes(data)
    if recorded.plan_digest not in {None, found}:
        raise CommandError(
            f"{uri}: its SHA-256 is {found}, and the job's status says {recorded.plan_digest}: somebody has changed it",
            CommandExit.FAILED,
        )
    try:
        return decode_record(data, Plan, uri)
    except ActionError as error:
        raise CommandError(str(error), CommandExit.FAILED) from error


def read(run: ObjectStore, key: str) -> bytes:
    """Read one of the run's records.

    Raises:
        CommandError: it is gone.
    """
    try:
        return run.get(key)
    except ObjectNotFoundError:
        raise CommandError(
            f"{run.uri_of(key)} is not there: the run was not planned, or its records were removed "
            "ttlSecondsAfterFinished after its end; run the job again to replay its tasks",
            CommandExit.FAILED,
        ) from None


def check_task(plan: Plan, task: TaskRef) -> None:
    """Refuse a map that the plan does not have.

    Raises:
        CommandError: there are fewer.
    """
    if task.type is TaskType.MAP and task.index >= plan.shards:
        raise CommandError(f"there is no task {task}: the maps are m-0 to m-{plan.shards - 1}", CommandExit.INVALID)


def read_shuffle(run: ObjectStore, task: TaskRef) -> ShuffleManifest:
    """Read the newest shuffle manifest, which says what a reduce reads.

    Raises:
        CommandError: there is none, or it has no such reduce.
    """
    keys = sorted((found.key for found in run.list(SHUFFLE_PREFIX, recursive=False)), key=parse_shuffle_key)
    if not keys:
        raise CommandError(f"{task} has not started: the run had not committed all of its maps", CommandExit.FAILED)
    try:
        shuffle = decode_record(read(run, keys[-1]), ShuffleManifest, run.uri_of(keys[-1]))
    except ActionError as error:
        raise CommandError(str(error), CommandExit.FAILED) from error
    if task.index >= len(shuffle.partitions):
        last = len(shuffle.partitions) - 1
        raise CommandError(f"there is no task {task}: the reduces are r-0 to r-{last}", CommandExit.INVALID)
    return shuffle


def check_blobs(run: ObjectStore, task: TaskRef, maps: tuple[BlobRef, ...]) -> None:
    """Refuse a reduce whose input is gone.

    Raises:
        CommandError: it is; the message says what to do.
    """
    present = {found.key for found in run.list(DATA_PREFIX)}
    lost = sum(1 for blob in maps if blob.footer_offset and blob.key not in present)
    if lost:
        all_maps = render_count(len(maps), "map")
        raise CommandError(
            f"{task}: the intermediate data that it read is gone ({lost} of {all_maps}), as it is removed when a "
            f"run ends: --maps runs {all_maps} here first",
            CommandExit.FAILED,
        )


def page_keys(plan: Plan, task: TaskRef, *, with_maps: bool) -> list[str]:
    """Return the pages with the shards that are mapped."""
    if with_maps:
        return [shard_page_key(page.number) for page in plan.pages]
    if task.type is not TaskType.MAP:
        return []
    after = bisect_right(plan.pages, task.index, key=attrgetter("first_shard"))
    return [shard_page_key(plan.pages[after - 1].number)] if after else []


def find_failures(run: ObjectStore, task: TaskRef | None) -> list[FailureRecord]:
    """Return the recorded failures of a task, or of all, the oldest first. A record that cannot be read is left out."""
    prefix = FAILURES_PREFIX if task is None else f"{FAILURES_PREFIX}{task}-"
    return sorted(iter_failures(run, prefix), key=lambda failure: failure.finished_at)


def iter_failures(run: ObjectStore, prefix: str) -> Iterator[FailureRecord]:
    """Yield the failures at the keys with a prefix."""
    for found in run.list(prefix):
        try:
            yield decode_record(run.get(found.key), FailureRecord, run.uri_of(found.key))
        except ActionError:
            continue


def uri_of(directory: Path) -> str:
    """Return a directory's URI."""
    return f"{directory.absolute().as_uri()}/"
