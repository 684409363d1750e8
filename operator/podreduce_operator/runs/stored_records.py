"""Decodes what lies at a run's keys, and checks that it belongs there.

Rule: what lies in a bucket is input. Others may write there, and so may other releases. A record that cannot be used is
an `ActionError` that names its object, and never another exception.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from podreduce.contract.attempts import AttemptBatch
from podreduce.contract.bucket_sizes import decode_sizes
from podreduce.contract.errors import ObjectTooLargeError
from podreduce.contract.layout import commit_key, failure_key, part_name, shuffle_key, staging_prefix
from podreduce.contract.numbers import MOST_AMOUNT, MOST_TASKS
from podreduce.contract.output_files import MOST_FILES_OF_TASK, is_file_key
from podreduce.contract.plan import JobIdentity, Plan
from podreduce.contract.task import (
    CommitIntent,
    CommitRecord,
    FailureRecord,
    OutputManifest,
    ShuffleManifest,
    TaskType,
)
from podreduce.contract.texts import cut_middle, render_count
from podreduce.contract.wire import NewerRecordError, Wire, decode
from podreduce.encoding.key_range import MAX_CUT_BYTES
from podreduce.storage import ObjectStore
from podreduce_operator.model.errors import ActionError
from podreduce_operator.model.pipeline_records import PinnedPipeline, StepRecord

__all__ = [
    "UNREADABLE_REASON",
    "check_commit",
    "check_failure",
    "check_intent",
    "check_manifest",
    "check_plan",
    "decode_record",
    "limit_of",
    "read_bytes",
    "read_record",
    "unreadable",
]

UNREADABLE_REASON = "RecordUnreadable"
NEWER_REASON = "NewerRecord"

KIB, MIB = 1 << 10, 1 << 20
MOST_COUNTERS = 2100
"""Names of counters and of their groups. A program has at most 1,000 counters, and podreduce a few of its own."""
MOST_COUNTER_NAME = 200
MOST_DETAIL = 500
"""How many characters are told of what is wrong with a record: it may have words of any length."""
MOST_KEY_BYTES = 2 * MAX_CUT_BYTES
"""How many bytes of a key samples and heaviest keys have, each; some of them are kept for all maps together."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How large a record may be: its bytes, and the values, lists and objects in it, each of which takes memory."""

    bytes: int
    values: int


LIMITS: Mapping[type[Wire], Limit] = {
    Plan: Limit(16 * MIB, 1_000_000),  # the spec and the program have at most 3 MiB, the rest are references to pages
    CommitRecord: Limit(2 * MIB, 200_000),  # bucket sizes, samples, counters
    FailureRecord: Limit(MIB, 10_000),
    ShuffleManifest: Limit(32 * MIB, 3_000_000),  # a blob for each of 100,000 maps
    CommitIntent: Limit(64 * MIB, 3_000_000),  # a part for each of 100,000 tasks
    OutputManifest: Limit(32 * MIB, 3_000_000),
    AttemptBatch: Limit(4 * MIB, 200_000),  # 1,000 attempts
    PinnedPipeline: Limit(16 * MIB, 1_000_000),  # 64 steps, each with 12 inputs, and programs of 128 KiB
    StepRecord: Limit(2 * MIB, 20_000),  # 1,000 counters
}
"""By type, some times what the largest job writes. Reading more could take all memory of the operator."""
OTHER_LIMIT = Limit(64 * KIB, 1000)

T = TypeVar("T", bound=Wire)


def unreadable(uri: str, what: object) -> ActionError:
    """Return the error about an object that cannot be used as a record."""
    detail = cut_middle(str(what), MOST_DETAIL)
    message = (
        f"{uri} is not what podreduce wrote there ({detail}): find out who writes to this place, "
        "and set a new spec.runId to start over"
    )
    return ActionError(UNREADABLE_REASON, message, permanent=True)


def limit_of(record_type: type[Wire]) -> Limit:
    """Return how large such a record may be."""
    return LIMITS.get(record_type, OTHER_LIMIT)


def decode_record(data: bytes, record_type: type[T], uri: str) -> T:
    """Decode the record that lies at `uri`.

    Raises:
        ActionError: it is no such record, or of a later release, which is not permanent.
    """
    values, most = sum(data.count(sign) for sign in b",[{"), limit_of(record_type).values
    if values > most:
        raise unreadable(uri, f"it has {render_count(values, 'value')}, and {most} is the limit")
    try:
        return decode(data, record_type)
    except NewerRecordError as error:
        message = f"{uri} was written by a later release: upgrade the operator again; {error}"
        raise ActionError(NEWER_REASON, message, permanent=False) from error
    except msgspec.DecodeError as error:
        raise unreadable(uri, error) from error


async def read_record(store: ObjectStore, key: str, record_type: type[T]) -> T:
    """Read and decode a record.

    Raises:
        ActionError: it is no such record.
        PodreduceError: it cannot be read, or is not there.
    """
    return decode_record(await read_bytes(store, key, record_type), record_type, store.uri_of(key))


async def read_bytes(store: ObjectStore, key: str, record_type: type[Wire]) -> bytes:
    """Read what lies where a record belongs, if it is not larger than such a record may be.

    Raises:
        ActionError: it is larger.
        PodreduceError: it cannot be read, or is not there.
    """
    try:
        return await store.get_small_async(key, limit_of(record_type).bytes)
    except ObjectTooLargeError as error:
        raise unreadable(store.uri_of(key), error) from error


def check_plan(plan: Plan, job: JobIdentity, uri: str) -> None:
    """Make sure that a plan is of this run.

    Raises:
        ActionError: it is of another.
    """
    if plan.job != job:
        other = plan.job
        raise unreadable(uri, f"it is the plan of {other.namespace}/{other.name}, run {other.run_id}")


def has_output(commit: CommitRecord, plan: Plan) -> bool:
    """Tell whether a commit names the output of its task: a blob of a map, a part of a reduce or a map-only job.

    A job turns out to be map-only when its program is loaded, whatever number of partitions the plan has.
    """
    may_have_blob = commit.task.type is TaskType.MAP and plan.partitions != 0
    return commit.part is not None or (may_have_blob and commit.blob is not None)


def check_commit(key: str, commit: CommitRecord, plan: Plan, uri: str) -> None:
    """Make sure that a commit record is of the task in its key, and that its numbers can be added up.

    Raises:
        ActionError: it is not.
    """
    if key != commit_key(commit.task, commit.generation):
        raise unreadable(uri, f"it is the commit of {commit.task}, generation {commit.generation}")
    is_map = commit.task.type is TaskType.MAP
    if is_map and commit.task.index >= plan.shards:
        raise unreadable(uri, f"the plan has {render_count(plan.shards, 'map task')}")
    if not is_map and commit.task.index >= most_reduces(plan):
        raise unreadable(uri, f"the plan has at most {render_count(most_reduces(plan), 'reduce task')}")
    check_counters(commit.counters, uri)
    keys = (*(sample.key for sample in commit.key_samples), *(heavy.encoded for heavy in commit.heavy_keys))
    if max(map(len, keys), default=0) > MOST_KEY_BYTES:
        raise unreadable(uri, f"it shows more than {MOST_KEY_BYTES} bytes of a key")
    if len(commit.files) > MOST_FILES_OF_TASK:
        raise unreadable(uri, f"it has {render_count(len(commit.files), 'file')}")
    if not has_output(commit, plan):
        raise unreadable(uri, "it names no output")
    if commit.is_carried and plan.carried_from is None:
        raise unreadable(uri, "it names the output of another run, and the plan names no other run")
    try:
        largest = max(decode_sizes(commit.bucket_bytes), default=0)
    except ValueError as error:
        raise unreadable(uri, error) from error
    if largest > MOST_AMOUNT:
        raise unreadable(uri, f"a bucket has {render_count(largest, 'byte')}")


def check_counters(counters: Mapping[str, Mapping[str, int]], uri: str) -> None:
    """Make sure that there are no more counters than there can be.

    Raises:
        ActionError: there are.
    """
    names = [name for group, members in counters.items() for name in (group, *members)]
    if len(names) > MOST_COUNTERS or max(map(len, names), default=0) > MOST_COUNTER_NAME:
        raise unreadable(uri, f"it has {len(names)} names of counters, or one that is too long")


def most_reduces(plan: Plan) -> int:
    """Return how many reduce tasks the plan may have."""
    return MOST_TASKS if plan.partitions is None else plan.partitions


def check_failure(key: str, failure: FailureRecord, uri: str) -> None:
    """Make sure that a failure record is of the attempt in its key.

    Raises:
        ActionError: it is of another.
    """
    own = failure_key(failure.task, failure.attempt_id).removesuffix(".json")
    if not key.startswith(own):
        raise unreadable(uri, f"it is the failure of {failure.task}, attempt {failure.attempt_id}")


def check_manifest(key: str, manifest: ShuffleManifest, plan: Plan, uri: str) -> None:
    """Make sure that a shuffle manifest is of the generation in its key, and of the plan's size.

    Raises:
        ActionError: it is not.
    """
    if key != shuffle_key(manifest.generation):
        raise unreadable(uri, f"it is of generation {manifest.generation}")
    maps = (len(manifest.map_generations), len(manifest.maps))
    if maps != (plan.shards, plan.shards):
        raise unreadable(uri, f"it has {render_count(maps[1], 'map')}, and the plan {plan.shards}")
    if not 0 < len(manifest.partitions) <= MOST_TASKS:
        raise unreadable(uri, f"it has {render_count(len(manifest.partitions), 'partition')}")
    if len(manifest.partition_bytes) != len(manifest.partitions):
        partitions, sizes = len(manifest.partitions), len(manifest.partition_bytes)
        raise unreadable(uri, f"it has {render_count(partitions, 'partition')}, {render_count(sizes, 'size')}")


def check_intent(intent: CommitIntent, plan: Plan, uri: str) -> None:
    """Make sure that a commit intent publishes what the plan says: the run's staged parts, each by its own name.

    Its files are staged by the run, too, and go to the place for files.

    Raises:
        ActionError: it does not.
    """
    if (intent.output_uri, intent.if_exists) != (plan.output_uri, plan.if_exists):
        raise unreadable(uri, f"it is for {intent.output_uri} ({intent.if_exists})")
    if intent.totals is not None:
        check_counters(intent.totals.counters, uri)
    tasks = {part.task for part in intent.parts}
    if len(tasks) != len(intent.parts):
        raise unreadable(uri, f"it has {render_count(len(intent.parts), 'part')} of {render_count(len(tasks), 'task')}")
    staged = staging_prefix(plan.job.uid, plan.job.run_id)
    for part in intent.parts:
        name = part_name(part.task, plan.output_format, plan.output_compression)
        if part.name != name or not part.part.key.startswith(staged):
            raise unreadable(uri, f"it makes {part.name} of {part.part.key}")
    for each in intent.files:
        if not is_file_key(each.name) or not each.part.key.startswith(staged):
            raise unreadable(uri, f"it makes {each.name} of {each.part.key}")
