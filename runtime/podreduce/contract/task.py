"""A task's records: what it leaves behind (commit, outcome), and what the operator stores about it.

A task has succeeded if its `CommitRecord` is in the store, and only then. A failing attempt writes its reason as a
`TaskOutcome` into its termination message; the operator makes the durable `FailureRecord` from it.
"""

from enum import StrEnum
from typing import Annotated, Self, TypeAlias

from msgspec import Meta

from podreduce.contract.numbers import MOST_INDEX, Amount, Index, Name, Number, Seconds, Share, Total
from podreduce.contract.output_files import FileRef, OutputFile
from podreduce.contract.plan import Owner
from podreduce.contract.wire import SCHEMA_VERSION, Wire

__all__ = [
    "TERMINATION_MESSAGE_BYTES",
    "BadRecord",
    "BlobRef",
    "CommitIntent",
    "CommitRecord",
    "ExitStatus",
    "FailureRecord",
    "HeavyKey",
    "IntentPart",
    "KeySample",
    "LostOutput",
    "OffsetPage",
    "OutputManifest",
    "OutputPart",
    "PartRef",
    "QuarantineRef",
    "RunTotals",
    "ShuffleManifest",
    "SlotSeconds",
    "TaskOutcome",
    "TaskRef",
    "TaskType",
]

TERMINATION_MESSAGE_BYTES = 4096
"""How much of /dev/termination-log a kubelet keeps."""

PodName: TypeAlias = Annotated[str, Meta(max_length=253)]
Reason: TypeAlias = Annotated[str, Meta(max_length=253)]
Checksum: TypeAlias = Annotated[int, Meta(ge=0, le=(1 << 32) - 1)]
ExitStatus: TypeAlias = Annotated[int, Meta(ge=-(1 << 31), le=(1 << 31) - 1)]


class TaskType(StrEnum):
    """The two kinds of task."""

    MAP = "map"
    REDUCE = "reduce"

    @property
    def letter(self) -> str:
        """`m` or `r`, as in object keys and pod names."""
        return "m" if self is TaskType.MAP else "r"


class TaskRef(Wire, frozen=True, kw_only=True, order=True, gc=False):
    """One task of a run; prints as `m-3` or `r-0`."""

    type: TaskType
    index: Index

    def __str__(self) -> str:
        """Return `m-3` or `r-0`."""
        return f"{self.type.letter}-{self.index}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `str` wrote.

        Raises:
            ValueError: `text` does not name a task.
        """
        letter, _, index = text.partition("-")
        types = {task_type.letter: task_type for task_type in TaskType}
        if letter not in types or not index.isdecimal() or int(index[:11]) > MOST_INDEX:
            raise ValueError(f"{text!r} is not a task: expected m-<index> or r-<index>")
        return cls(type=types[letter], index=int(index))


class BlobRef(Wire, frozen=True, kw_only=True):
    """A map attempt's output: its key below the run's prefix, its size, and where its footer starts.

    A `carried` one is of an earlier run, and its key is below the prefix that the plan names in `carried_from`.
    """

    key: Name
    bytes: Amount
    footer_offset: Amount
    footer_crc32: Checksum
    carried: bool = False


class PartRef(Wire, frozen=True, kw_only=True):
    """A staged output part: its key below the output prefix, and what it holds."""

    key: Name
    bytes: Amount
    records: Amount
    sha256: Name


class KeySample(Wire, frozen=True, array_like=True):
    """A place in a blob in total order: an encoded key or its first bytes, and the bytes stored up to the next sample.

    On the wire it is a pair, the key in base64.
    """

    key: bytes
    size_bytes: Amount


class HeavyKey(Wire, frozen=True, kw_only=True):
    """One of the keys with the most bytes in a blob.

    Attributes:
        key: as text, for people; cut if it is long.
        encoded: the encoded key, or its first bytes; it identifies the key.
        bucket: its virtual bucket.
        size_bytes: the size of key and values before compression.
    """

    key: Annotated[str, Meta(max_length=128)]
    encoded: bytes
    bucket: Number
    size_bytes: Amount
    values: Amount


class QuarantineRef(Wire, frozen=True, kw_only=True):
    """A map attempt's bad records: how many it skipped, and the object that holds the first `kept` of them.

    `key` is below the run's prefix; each line of the object is a `BadRecord`.
    """

    key: Name
    records: Amount
    kept: Amount


class BadRecord(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """A record that was skipped: where it is, what it is, and why it is bad.

    Attributes:
        task: `m-3`.
        uri: the input object; `key` is the record's place in it, in `unit`, or the record's key as text.
        text: the record, or else its repr; None for bytes that are not UTF-8, which are in `base64`.
        is_cut: the record is longer than the text here.
        reason: `InputError`: the format cannot decode it. `ProgramError`: the program raised, or yielded something
            invalid. `error` has the details.
        traceback: the user's frames only; may be empty.
    """

    task: str
    uri: str
    unit: str
    key: int | str
    text: str | None = None
    base64: bytes | None = None
    is_cut: bool = False
    reason: str
    error: str
    traceback: str = ""


class CommitRecord(Wire, frozen=True, kw_only=True):
    """A committed task. A map leaves `blob` and `bucket_bytes`; a map of a map-only job and a reduce leave `part`.

    Attributes:
        bucket_bytes: stored bytes of each virtual bucket in the blob, in bucket order, encoded by `bucket_sizes`;
            records of an earlier release have plain numbers.
        user_partitioned: the program's `partition_func` chose the buckets, so bucket = partition and nothing is packed.
        partitioning: the plan's, as this task applied it; tasks of earlier releases know only `Balanced`.
        key_samples: for a blob in total order: keys at about equal distances, ascending.
        heavy_keys: the blob's heaviest keys; `encoded_bytes` is the size of all its groups before compression.
        quarantine: the bad records that were skipped; None if there are none.
        files: what the program wrote beside its part.
        started_at: seconds since the epoch, by the task's clock; `finished_at` likewise.
        counters: group → name → value.
    """

    schema: int = SCHEMA_VERSION
    task: TaskRef
    generation: Index
    attempt_id: Name
    pod_name: PodName
    started_at: Seconds
    finished_at: Seconds
    records_in: Amount
    bytes_in: Amount
    records_out: Amount
    bytes_out: Amount
    spills: Amount = 0
    counters: dict[str, dict[str, int]] = {}
    blob: BlobRef | None = None
    bucket_bytes: bytes | tuple[Amount, ...] = ()
    user_partitioned: bool = False
    partitioning: str = "Balanced"
    key_samples: tuple[KeySample, ...] = ()
    heavy_keys: tuple[HeavyKey, ...] = ()
    encoded_bytes: Amount = 0
    part: PartRef | None = None
    quarantine: QuarantineRef | None = None
    files: tuple[FileRef, ...] = ()

    @property
    def is_carried(self) -> bool:
        """Whether an attempt of an earlier run did the work. All other fields are of that attempt."""
        return self.blob is not None and self.blob.carried


class LostOutput(Wire, frozen=True, kw_only=True):
    """A committed output that no longer exists: a map's blob, or a part that waited for publishing."""

    task: TaskRef
    generation: Index


class TaskOutcome(Wire, frozen=True, kw_only=True):
    """Why an attempt failed, as it reports it itself: the termination message.

    Attributes:
        reason: CamelCase, e.g. `ProgramError`; becomes the failure's reason.
        record: the record that raised, with its object and offset, as text.
        bad_records: how many bad records there were, if they were too many.
        lost: the missing map output, if that is the reason.
    """

    reason: Reason
    message: str
    traceback: str = ""
    record: str = ""
    bad_records: Amount = 0
    lost: LostOutput | None = None


class FailureRecord(Wire, frozen=True, kw_only=True):
    """A failed attempt as the operator recorded it, before it removed the pod.

    `counted` failures use up `backoffLimitPerTask`; no attempt follows one that `ends_job`. The backoff starts at
    `finished_at` (seconds since the epoch).
    """

    schema: int = SCHEMA_VERSION
    task: TaskRef
    generation: Index
    attempt_id: Name
    pod_name: PodName
    ordinal: Index
    counted: bool
    ends_job: bool = False
    reason: Reason
    message: str
    finished_at: Seconds
    exit_code: ExitStatus | None = None
    traceback: str = ""
    record: str = ""
    bad_records: Amount = 0
    lost: LostOutput | None = None


class OffsetPage(Wire, frozen=True, kw_only=True):
    """Where the partitions lie in the blobs of some maps: an object below the run's prefix (see `offsets`).

    Attributes:
        first_map: the index of the first of its `maps`.
        width: how many bytes each number takes.
    """

    key: Name
    first_map: Number
    maps: Number
    width: Index


class ShuffleManifest(Wire, frozen=True, kw_only=True):
    """The frozen decision on which map outputs the reduce tasks read, and which keys each of them reduces.

    Attributes:
        maps: by map index, the generation and blob that count.
        partitions: by partition, its virtual buckets in ascending order. In total order there is only one bucket, and
            each partition reads its range of it.
        ranges: in total order, the encoded keys (or their first bytes) at which a partition ends and the next begins:
            partition r takes the keys from `ranges[r - 1]` to `ranges[r]`, exclusive. None: `partitions` says it all.
        partition_bytes: stored bytes of each partition; in total order an estimate.
        imbalance_bytes: sum over partitions of |D_i - mean D|. `hash_imbalance_bytes` is the same for hash mod R; in
            total order both are equal.
        offset_pages: where each partition is in the blobs, for all maps in their order. If empty, read the blobs'
            footers.
    """

    schema: int = SCHEMA_VERSION
    generation: Index
    map_generations: tuple[Index, ...]
    maps: tuple[BlobRef, ...]
    partitions: tuple[tuple[Number, ...], ...]
    ranges: tuple[bytes, ...] | None = None
    partition_bytes: tuple[Total, ...]
    imbalance_bytes: Share
    hash_imbalance_bytes: Share
    offset_pages: tuple[OffsetPage, ...] = ()


class IntentPart(Wire, frozen=True, kw_only=True):
    """One part or file to publish: what is staged, and its final name. A file has no records."""

    name: Name
    task: TaskRef
    attempt_id: Name
    part: PartRef


class SlotSeconds(Wire, frozen=True, kw_only=True):
    """How long the committed attempts of each type took, added up."""

    map: Share
    reduce: Share


class RunTotals(Wire, frozen=True, kw_only=True):
    """What the commit records of a run add up to, each task counted once.

    Attributes:
        counters: group → name → value.
        omitted_counters: how many of the program's names are left out, because there are too many.
        bytes_in: bytes of input that the maps read, as stored.
    """

    counters: dict[str, dict[str, int]]
    omitted_counters: Amount = 0
    bytes_in: Total
    slot_seconds: SlotSeconds


class CommitIntent(Wire, frozen=True, kw_only=True):
    """The point of no return: exactly these parts and files become the output, whichever operator publishes them.

    `totals` is None in intents of earlier releases.
    """

    schema: int = SCHEMA_VERSION
    output_uri: str
    if_exists: str
    totals: RunTotals | None = None
    parts: tuple[IntentPart, ...]
    files: tuple[IntentPart, ...] = ()


class OutputPart(Wire, frozen=True, kw_only=True):
    """One published part."""

    name: Name
    records: Amount
    bytes: Amount
    sha256: Name


class OutputManifest(Wire, frozen=True, kw_only=True):
    """`_MANIFEST.json`: which parts and files the output has, which run made it, of what, and for whom.

    Attributes:
        owner: the resource that the run was made for.
        input_digest, spec_digest: as in the plan.
        counters, omitted_counters, bytes_in, slot_seconds: see `RunTotals`. None in manifests of earlier releases, as
            are `owner` and the digests.
    """

    schema: int = SCHEMA_VERSION
    job: str
    namespace: str
    uid: str
    run_id: str
    owner: Owner | None = None
    plan_digest: str
    input_digest: str | None = None
    spec_digest: str | None = None
    format: str
    records: Total
    bytes: Total
    bytes_in: Total | None = None
    slot_seconds: SlotSeconds | None = None
    counters: dict[str, dict[str, int]] | None = None
    omitted_counters: Amount = 0
    parts: tuple[OutputPart, ...]
    files: tuple[OutputFile, ...] = ()
