"""Where everything lies: one function per object key.

Keys are relative to the run's prefix `<workUri>/<installation>/<namespace>/<name>/<uid>-<runId>/`. Keys of the output's
own objects are relative to the output prefix. A prefix is flat if one list request must name everything below it.
"""

from podreduce.contract.output_files import OUTPUT_FILES_PREFIX
from podreduce.contract.task import TaskRef

__all__ = [
    "ATTEMPTS_PREFIX",
    "ATTEMPTS_TABLE_KEY",
    "CLAIM_KEY",
    "COMMITS_PREFIX",
    "COMMIT_INTENT_KEY",
    "DATA_PREFIX",
    "FAILURES_PREFIX",
    "LOGS_PREFIX",
    "MAP_DATA_PREFIX",
    "OUTPUT_MANIFEST_KEY",
    "PLAN_KEY",
    "POST_MORTEM_KEY",
    "QUARANTINE_PREFIX",
    "SHUFFLE_PREFIX",
    "SUCCESS_KEY",
    "attempts_key",
    "blob_key",
    "commit_key",
    "failure_key",
    "file_key",
    "installation_prefix",
    "job_prefix",
    "log_key",
    "offsets_key",
    "parse_attempt_name",
    "parse_commit_key",
    "parse_shuffle_key",
    "part_name",
    "quarantine_key",
    "run_prefix",
    "shard_page_key",
    "shuffle_key",
    "staged_file_key",
    "staged_part_key",
    "staging_prefix",
]

PLAN_KEY = "plan/plan.json"
COMMITS_PREFIX = "commits/"
FAILURES_PREFIX = "failures/"
DATA_PREFIX = "data/"
MAP_DATA_PREFIX = f"{DATA_PREFIX}map/"
LOGS_PREFIX = "logs/"
QUARANTINE_PREFIX = "quarantine/"
ATTEMPTS_PREFIX = "attempts/"
SHUFFLE_PREFIX = "shuffle-"
COMMIT_INTENT_KEY = "commit-intent.json"
POST_MORTEM_KEY = "post-mortem.json"
ATTEMPTS_TABLE_KEY = "attempts.parquet"

CLAIM_KEY = "_podreduce-claim"
SUCCESS_KEY = "_SUCCESS"
OUTPUT_MANIFEST_KEY = "_MANIFEST.json"

FORMAT_ENDINGS = {
    "Text": ".txt",
    "JSONLines": ".jsonl",
    "CSV": ".csv",
    "Parquet": ".parquet",
    "FixedLength": ".bin",
    "Pairs": ".pairs",
}
COMPRESSION_ENDINGS = {"None": "", "Gzip": ".gz", "Bzip2": ".bz2", "Zstd": ".zst"}


def installation_prefix(installation: str) -> str:
    """Return the prefix, below `workUri`, of everything that one installation stores there."""
    return f"{installation}/"


def job_prefix(installation: str, namespace: str, name: str) -> str:
    """Return the prefix, below `workUri`, of all runs of the jobs with that name."""
    return f"{installation_prefix(installation)}{namespace}/{name}/"


def run_prefix(installation: str, namespace: str, name: str, uid: str, run_id: str) -> str:
    """Return the prefix, below `workUri`, of one run."""
    return f"{job_prefix(installation, namespace, name)}{uid}-{run_id}/"


def shard_page_key(number: int) -> str:
    """Return the key of a page of shards."""
    return f"plan/shards-{number:05}.json"


def blob_key(index: int, attempt_id: str) -> str:
    """Return the key of a map attempt's blob."""
    return f"{MAP_DATA_PREFIX}{index}/{attempt_id}"


def commit_key(task: TaskRef, generation: int) -> str:
    """Return the key of a task's commit record."""
    return f"{COMMITS_PREFIX}{task}-{generation}.json"


def parse_commit_key(key: str) -> tuple[TaskRef, int]:
    """Read the task and the generation back from `commit_key`.

    Raises:
        ValueError: `key` is no such key.
    """
    task, _, generation = key.removeprefix(COMMITS_PREFIX).removesuffix(".json").rpartition("-")
    parsed = TaskRef.parse(task), int(generation)
    if key != commit_key(*parsed):
        raise ValueError(f"{key!r} is not the key of a commit record")
    return parsed


def failure_key(task: TaskRef, attempt_id: str) -> str:
    """Return the key of an attempt's failure record."""
    return f"{FAILURES_PREFIX}{task}-{attempt_id}.json"


def shuffle_key(generation: int) -> str:
    """Return the key of a generation of the shuffle manifest."""
    return f"{SHUFFLE_PREFIX}{generation}.json"


def offsets_key(generation: int, page: int, digest: str) -> str:
    """Return the key of a page of offsets. It names its content, so two operators each read back their own page."""
    return f"{DATA_PREFIX}offsets/{generation}-{page:05}-{digest[:16]}"


def parse_shuffle_key(key: str) -> int:
    """Read the generation back from `shuffle_key`."""
    return int(key.removeprefix(SHUFFLE_PREFIX).removesuffix(".json"))


def log_key(task: TaskRef, attempt_id: str) -> str:
    """Return the key of an attempt's last log lines."""
    return f"{LOGS_PREFIX}{task}-{attempt_id}.log"


def parse_attempt_name(name: str) -> tuple[TaskRef, str]:
    """Return the task and the attempt id in the name of an attempt's object, such as `m-3-<attempt id>`."""
    letter, index, attempt_id = name.split("-", 2)
    return TaskRef.parse(f"{letter}-{index}"), attempt_id


def quarantine_key(task: TaskRef, attempt_id: str) -> str:
    """Return the key of a map attempt's bad records."""
    return f"{QUARANTINE_PREFIX}{task}-{attempt_id}.jsonl"


def attempts_key(kept_at: float, digest: str) -> str:
    """Return the key of a batch of attempts: keys sort by time, and the same batch is stored once."""
    return f"{ATTEMPTS_PREFIX}{round(kept_at * 1000):013}-{digest[:16]}.json"


def part_name(task: TaskRef, output_format: str, compression: str = "None") -> str:
    """Return a part's final name: `part-r-00003.txt`; `part-m-…` for a map-only job; with `.gz` if compressed."""
    ending = FORMAT_ENDINGS[output_format] + COMPRESSION_ENDINGS[compression]
    return f"part-{task.type.letter}-{task.index:05}{ending}"


def staging_prefix(uid: str, run_id: str) -> str:
    """Return the prefix, below the output prefix, of a run's unpublished parts."""
    return f"_podreduce-{uid}-{run_id}/"


def staged_part_key(uid: str, run_id: str, task: TaskRef, attempt_id: str) -> str:
    """Return the key, below the output prefix, of an attempt's unpublished part."""
    return f"{staging_prefix(uid, run_id)}{task}-{attempt_id}"


def staged_file_key(uid: str, run_id: str, task: TaskRef, attempt_id: str, number: int) -> str:
    """Return the key, below the output prefix, of the `number`-th unpublished file of an attempt."""
    return f"{staging_prefix(uid, run_id)}{task}-{attempt_id}-file-{number}"


def file_key(name: str) -> str:
    """Return the key, below the output prefix, of a published file."""
    return f"{OUTPUT_FILES_PREFIX}{name}"
