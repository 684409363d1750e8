"""Decodes what lies at a run's keys, and checks that it belongs there.

Rule: what lies in a bucket is input. Others may write there, and so may other releases. A record that cannot be used is
an `ActionError` that names its object, and never another exception.
"""

from typing import TypeVar

import msgspec

from podreduce.contract.bucket_sizes import decode_sizes
from podreduce.contract.layout import commit_key, failure_key, part_name, shuffle_key, staging_prefix
from podreduce.contract.plan import JobIdentity, Plan
from podreduce.contract.task import CommitIntent, CommitRecord, FailureRecord, ShuffleManifest, TaskType
from podreduce.contract.wire import NewerRecordError, Wire, decode
from podreduce.storage import ObjectStore
from podreduce_operator.model.errors import ActionError

__all__ = [
    "UNREADABLE_REASON",
    "check_commit",
    "check_failure",
    "check_intent",
    "check_manifest",
    "check_plan",
    "decode_record",
    "read_record",
    "unreadable",
]

UNREADABLE_REASON = "RecordUnreadable"
NEWER_REASON = "NewerRecord"
NOT_A_RECORD = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

T = TypeVar("T", bound=Wire)


def unreadable(uri: str, what: object) -> ActionError:
    """Return the error about an object that cannot be used as a record."""
    message = (
        f"{uri} is not what podreduce wrote there ({what}): find out who writes to this place, "
        "and set a new spec.runId to start over"
    )
    return ActionError(UNREADABLE_REASON, message, permanent=True)


def decode_record(data: bytes, record_type: type[T], uri: str) -> T:
    """Decode the record that lies at `uri`.

    Raises:
        ActionError: it is no such record, or of a later release, which is not permanent.
    """
    try:
        return decode(data, record_type)
    except NewerRecordError as error:
        message = f"{uri} was written by a later release: upgrade the operator again; {error}"
        raise ActionError(NEWER_REASON, message, permanent=False) from error
    except NOT_A_RECORD as error:
        raise unreadable(uri, error) from error


async def read_record(store: ObjectStore, key: str, record_type: type[T]) -> T:
    """Read and decode a record.

    Raises:
        ActionError: it is no such record.
        PodreduceError: it cannot be read, or is not there.
    """
    return decode_record(await store.get_async(key), record_type, store.uri_of(key))


def check_plan(plan: Plan, job: JobIdentity, uri: str) -> None:
    """Make sure that a plan is of this run.

    Raises:
        ActionError: it is of another.
    """
    if plan.job != job:
        other = plan.job
        raise unreadable(uri, f"it is the plan of {other.namespace}/{other.name}, run {other.run_id}")


def check_commit(key: str, commit: CommitRecord, plan: Plan, uri: str) -> None:
    """Make sure that a commit record is of the task in its key, and that its numbers can be added up.

    Raises:
        ActionError: it is not.
    """
    if key != commit_key(commit.task, commit.generation):
        raise unreadable(uri, f"it is the commit of {commit.task}, generation {commit.generation}")
    is_map = commit.task.type is TaskType.MAP
    if commit.task.index < 0 or (is_map and commit.task.index >= plan.shards):
        raise unreadable(uri, f"the plan has {plan.shards} map tasks")
    try:
        decode_sizes(commit.bucket_bytes)
    except ValueError as error:
        raise unreadable(uri, error) from error


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
        raise unreadable(uri, f"it has {maps[1]} maps, and the plan {plan.shards}")
    if len(manifest.partition_bytes) != len(manifest.partitions):
        raise unreadable(uri, f"it has {len(manifest.partitions)} partitions, {len(manifest.partition_bytes)} sizes")


def check_intent(intent: CommitIntent, plan: Plan, uri: str) -> None:
    """Make sure that a commit intent publishes what the plan says: the run's staged parts, each by its own name.

    Raises:
        ActionError: it does not.
    """
    if (intent.output_uri, intent.if_exists) != (plan.output_uri, plan.if_exists):
        raise unreadable(uri, f"it is for {intent.output_uri} ({intent.if_exists})")
    staged = staging_prefix(plan.job.uid, plan.job.run_id)
    for part in intent.parts:
        name = part_name(part.task, plan.output_format, plan.output_compression)
        if part.name != name or not part.part.key.startswith(staged):
            raise unreadable(uri, f"it makes {part.name} of {part.part.key}")
