"""The numbers that the pages, the CRD and the chart's values state are those of the code.

Each claim is a sentence's part, made with the constant. Whoever changes a constant finds the sentence here; whoever
changes a sentence gives it its new words here.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from podreduce.contract import output_files
from podreduce.contract.plan import Plan
from podreduce.contract.task import CommitIntent, CommitRecord, FailureRecord, ShuffleManifest
from podreduce.encoding import codec, frames, keys, pair_frames
from podreduce.inputs import json_inference, reading
from podreduce.outputs import pairs_output, parquet_output
from podreduce.storage import retries, writer
from podreduce.task import quarantine
from podreduce.watching import chaos, memory, printed, reporting
from podreduce_operator.api.crd import job_schema
from podreduce_operator.api.spec import LIVE_FIELDS
from podreduce_operator.balance import partition_count
from podreduce_operator.cli import report, watcher
from podreduce_operator.cluster.kubernetes import api, creation_rate, storage_gates
from podreduce_operator.history import post_mortem, write_post_mortem
from podreduce_operator.planning import input_sample, shard_count, side_inputs
from podreduce_operator.pods.pod_manifest import TASK_USER
from podreduce_operator.policy import (
    attempt_record,
    failure_classes,
    gangs,
    pod_deletion,
    pod_packing,
    retry_delays,
    run_cleanup,
    run_conditions,
    single_pod_jobs,
    status,
    stuck_pods,
)
from podreduce_operator.process import memory_share
from podreduce_operator.process.settings import Settings
from podreduce_operator.process.sweeper import SWEEP_SECONDS
from podreduce_operator.process.threads import THREADS
from podreduce_operator.runs import kept_failures, run_records, run_totals, stored_records
from podreduce_operator.runs.remove_run import PODS_GONE_SECONDS
from podreduce_operator.shuffle import heavy_keys

ROOT = Path(__file__).parents[3]
VALUES = "charts/podreduce/values.yaml"
CRD = "crds/podreduce.dev_mapreducejobs.yaml"
JOBS, FORMATS, PROGRAMS, PERFORMANCE = "docs/jobs.md", "docs/formats.md", "docs/programs.md", "docs/performance.md"
OPERATIONS, STORAGE, TROUBLE = "docs/operations.md", "docs/storage.md", "docs/troubleshooting.md"
SECURITY = "docs/security.md"
WORDS = {5: "five", 10: "ten", 50: "50"}
SPOKEN = {5.0: "five seconds", 120: "two minutes", 300.0: "five minutes", 600.0: "ten minutes", 3600.0: "hour"} | {
    60.0: "a minute",
    86400.0: "a day",
}
SAMPLED_OBJECTS = input_sample.WINDOWS * input_sample.OBJECTS_PER_WINDOW
RETRIES = failure_classes.DISRUPTION.limit


def mib(size: int) -> str:
    """Return whole MiB, or GiB."""
    return f"{size >> 30} GiB" if size % (1 << 30) == 0 else f"{size >> 20} MiB"


def default(name: str) -> Any:
    """Return a value of the chart by its path."""
    value: Any = yaml.safe_load((ROOT / VALUES).read_text(encoding="utf-8"))
    for part in name.split("."):
        value = value[part]
    return value


CLAIMS = [
    # what frames of pairs and the manifest hold
    (
        FORMATS,
        f"A frame holds up to {pairs_output.FRAME_RECORDS:,} pairs or {pairs_output.FRAME_BYTES >> 10} KiB",
    ),
    (FORMATS, f"is compressed with lz4 if it is larger than {frames.LEAST_COMPRESSED >> 10} KiB"),
    (FORMATS, f"nested up to {codec.MAX_VALUE_DEPTH} deep"),
    (FORMATS, f"u8 version {pair_frames.VERSION};"),
    (JOBS, f"up to {run_totals.MOST_COUNTERS:,} of the program's, where the status shows {status.MAX_COUNTERS}"),
    # side inputs and files beside the parts
    (CRD, f"At most {mib(side_inputs.MOST_SIDE_BYTES)} and {side_inputs.MOST_SIDE_OBJECTS:,} objects together"),
    (JOBS, f"at most {mib(side_inputs.MOST_SIDE_BYTES)}, as stored, and {side_inputs.MOST_SIDE_OBJECTS:,} objects"),
    (TROUBLE, f"more than {mib(side_inputs.MOST_SIDE_BYTES)} or {side_inputs.MOST_SIDE_OBJECTS:,} objects together"),
    (
        JOBS,
        f"at most {output_files.MOST_FILES_OF_TASK} files with {mib(output_files.MOST_FILE_BYTES_OF_TASK)} together",
    ),
    (JOBS, f"together, a job at most {output_files.MOST_FILES_OF_RUN:,}."),
    (JOBS, f"with at most {output_files.MOST_NAME_CHARACTERS} characters"),
    (TROUBLE, f"more than {output_files.MOST_FILES_OF_RUN:,} files with `context.output_file`"),
    # what the status holds
    (CRD, f"Cut at {status.MAX_INDEXES} characters; then it ends in an ellipsis"),
    (CRD, f"The last {WORDS[status.MAX_FAILURES]} failed attempts, the newest first"),
    (CRD, f"up to {status.MAX_LAST_MESSAGE:,} bytes of its message, the others {status.MAX_FAILURE_MESSAGE}."),
    (CRD, f"Cut at {status.MAX_RECORD} bytes; at {status.MAX_OLD_RECORD} where a later attempt failed without one"),
    (CRD, f"At most {status.MAX_COUNTERS} names"),
    (
        CRD,
        f"Up to {WORDS[heavy_keys.MAX_SHOWN]} keys that have more than {heavy_keys.LEAST_SHARE:.0%}".replace("%", " %"),
    ),
    (CRD, f"and more than {mib(heavy_keys.LEAST_BYTES)}, the heaviest first"),
    (CRD, f"at most {quarantine.MAX_LINES:,} of each map task"),
    (TROUBLE, f"`status.failures` lists the last {WORDS[status.MAX_FAILURES]} failed attempts"),
    (TROUBLE, f"up to {status.MAX_LAST_MESSAGE:,} bytes, older ones up to {status.MAX_FAILURE_MESSAGE}."),
    (TROUBLE, f"its traceback ({status.MAX_WORDS:,} bytes together with the newest message)"),
    (TROUBLE, f"its record ({status.MAX_RECORD} bytes; {status.MAX_OLD_RECORD} if a later attempt failed otherwise)"),
    (TROUBLE, f"the status shows [{status.MAX_COUNTERS} names at most]"),
    (PROGRAMS, f"[shows at most {status.MAX_COUNTERS} names]"),
    (PROGRAMS, f"nested up to {codec.MAX_VALUE_DEPTH} deep; the tuples of a key up to {keys.MAX_KEY_DEPTH}."),
    # sizes and numbers of tasks
    (CRD, f"one for about {mib(shard_count.DEFAULT_SHARD_BYTES)} of input"),
    (JOBS, f"a map task reads about {mib(shard_count.DEFAULT_SHARD_BYTES)}"),
    (JOBS, f"but not below {mib(shard_count.MIN_SHARD_BYTES)}"),
    (CRD, f"one for each {mib(partition_count.PARTITION_BYTES)} of map output"),
    (
        CRD,
        f"up to {partition_count.MOST_SMALL_PARTITIONS} of at least {mib(partition_count.LEAST_PARTITION_BYTES)} each",
    ),
    (PROGRAMS, f"one for each {mib(partition_count.PARTITION_BYTES)} of their output"),
    (
        PROGRAMS,
        f"up to {partition_count.MOST_SMALL_PARTITIONS} of at least {mib(partition_count.LEAST_PARTITION_BYTES)}",
    ),
    (CRD, f"up to {mib(single_pod_jobs.SMALL_JOB_BYTES)} of input in one pod"),
    (JOBS, f"up to {mib(single_pod_jobs.SMALL_JOB_BYTES)} of input in one pod"),
    (JOBS, f"up to {mib(pod_packing.AUTO_BYTES)} of input and {pod_packing.MOST_TASKS} tasks. The default is 1"),
    (JOBS, f"first {quarantine.MAX_LINES:,} bad records, {mib(quarantine.MAX_BYTES)} at most"),
    (FORMATS, f"up to {mib(reading.MAX_WHOLE_BYTES)}"),
    (FORMATS, f"(some 16,000, or {mib(parquet_output.BATCH_BYTES)})"),
    (FORMATS, f"Row groups are cut at {mib(parquet_output.GROUP_BYTES)}"),
    (FORMATS, f"{input_sample.WINDOWS} windows of {input_sample.WINDOW_BYTES >> 10} KiB"),
    (
        FORMATS,
        f"up to {mib(input_sample.SAMPLE_BYTES)} in up to {SAMPLED_OBJECTS} objects",
    ),
    (FORMATS, f"an object of more than {json_inference.MOST_FIELDS} names"),
    (FORMATS, f"There are {json_inference.MOST_COLUMNS:,} columns at most"),
    (PERFORMANCE, f"Buffers may use {memory.BUDGET_SHARE * 100:.0f} % of the limit"),
    (PERFORMANCE, f"and at least {mib(memory.LEAST_BUDGET)}"),
    (TROUBLE, f"An output part over {mib(writer.PART_BYTES)} waits in S3"),
    # failures
    (CRD, f"Ignore retries at no cost, up to {RETRIES - 1} times a task"),
    (JOBS, f"retried at no cost, up to {RETRIES - 1} times a task"),
    (JOBS, f"A budget of {RETRIES} means that the {RETRIES}th failure ends the job"),
    (TROUBLE, f"what a task committed was lost {failure_classes.LOSS.limit} times"),
    (TROUBLE, f"a task's pods were deleted or evicted {failure_classes.DISRUPTION.limit} times"),
    (TROUBLE, f"the task tries again for {retries.RETRY_SECONDS:.0f} seconds"),
    (TROUBLE, f"times the memory within {SPOKEN[stuck_pods.RAISED_MEMORY_SECONDS]}"),
    (TROUBLE, f"waited {SPOKEN[single_pod_jobs.SHUFFLE_WAIT_SECONDS]} for the operator"),
    (STORAGE, f"at least once an {SPOKEN[run_cleanup.MAX_CLEANUP_RETRY_SECONDS]}, until"),
    (STORAGE, f"the end is {SPOKEN[run_cleanup.LEAST_CLEANUP_SECONDS]} ago"),
    (STORAGE, f"again after {retry_delays.FAULT_RETRY_SECONDS:.0f} seconds, and then the later"),
    (STORAGE, f"at least once {SPOKEN[retry_delays.MAX_FAULT_RETRY_SECONDS]}"),
    (STORAGE, f"at most {storage_gates.NAMESPACE_THREADS} of the operator's {THREADS}"),
    (STORAGE, f"{storage_gates.NAMESPACE_REQUESTS} requests at a time"),
    # times and waiting
    (JOBS, f"a pod has not started after {SPOKEN[stuck_pods.TOLD_AFTER_SECONDS]}"),
    (JOBS, f"Every {SPOKEN[reporting.REPORT_SECONDS]} a task reports its progress"),
    (JOBS, f"{default('pending.absentSeconds')} s for an image, Secret or ConfigMap that does not exist"),
    (JOBS, f"{SPOKEN[float(default('pending.imageSeconds'))]} for a registry"),
    (JOBS, f"started elsewhere {default('tasks.nodeLostSeconds')} s after the node becomes NotReady"),
    (JOBS, f"no pod has been preempted for {SPOKEN[gangs.SETTLE_SECONDS]}"),
    (JOBS, f"from {SPOKEN[run_cleanup.SETTLING_SECONDS]} after its end until the ttl is over"),
    (OPERATIONS, f"they start elsewhere {default('tasks.nodeLostSeconds')} s after it becomes NotReady"),
    (OPERATIONS, f"a watch that hangs is replaced after {api.WATCH_SILENCE_SECONDS:.0f} s"),
    (OPERATIONS, f"removes their data, up to {SPOKEN[PODS_GONE_SECONDS]} later"),
    (OPERATIONS, f"at most {memory_share.SHARE:.0%} of its container's memory limit".replace("%", " %")),
    (OPERATIONS, f"(without one, of {memory_share.USUAL_LIMIT_BYTES >> 30} GiB)"),
    (SECURITY, f"at most {memory_share.SHARE:.0%} of the operator's memory limit".replace("%", " %")),
    (SECURITY, f"Only the newest {kept_failures.MOST_IN_FULL} failures keep their texts"),
    (SECURITY, f"{mib(stored_records.LIMITS[CommitRecord].bytes)} for a commit, "),
    (SECURITY, f"{mib(stored_records.LIMITS[FailureRecord].bytes)} for a failure, "),
    (SECURITY, f"{mib(stored_records.LIMITS[Plan].bytes)} for a plan, "),
    (SECURITY, f"{mib(stored_records.LIMITS[ShuffleManifest].bytes)} for a shuffle manifest, "),
    (SECURITY, f"{mib(stored_records.LIMITS[CommitIntent].bytes)} for a commit intent"),
    (SECURITY, f"a run with more than {run_records.MOST_OBJECTS:,} commits or failures"),
    (OPERATIONS, f"else the {SPOKEN[SWEEP_SECONDS]}ly sweep does"),
    (STORAGE, f"removes what it stored, up to {SPOKEN[PODS_GONE_SECONDS]} later"),
    # logs and the post-mortem
    (JOBS, f"the last {WORDS[pod_deletion.KEPT_FAILED_PODS]} failed pods are kept"),
    (CRD, f"last {WORDS[pod_deletion.KEPT_FAILED_PODS]} failed pods are kept"),
    (TROUBLE, f"whose index is below {pod_deletion.LOGGED_TASKS} are an exception"),
    (TROUBLE, f"the operator mostly gets their last {write_post_mortem.LOG_TAIL_LINES} lines in time"),
    (TROUBLE, f"whole lines of {printed.KEPT_BYTES // 1024} KiB at most"),
    (TROUBLE, f"log of the {WORDS[attempt_record.STOPPED_TOLD]} attempts that had run longest"),
    (
        TROUBLE,
        f"{write_post_mortem.LOG_TAIL_LINES} lines of the last {WORDS[post_mortem.MAX_FAILURES]} failed attempts",
    ),
    (PROGRAMS, f"`podreduce run` shows the first {watcher.MAX_WORDS_LINES} lines"),
    (TROUBLE, f"if it has more than {report.SKEWED_SHARE * 100:.0f} %"),
    # the chart
    (JOBS, f"The chart's `parallelismLimit` ({default('parallelismLimit')}) limits every job"),
    (JOBS, "a job runs at most min(`parallelism`, limit) pods. Where the limit is the smaller one"),
    (VALUES, "The most pods that any job may have at a time. A larger spec.parallelism is lowered to it"),
    (VALUES, f"It begins with {creation_rate.FIRST_RATE:.0f}, goes faster"),
    (CRD, "How many pods the job may have at a time, never more than the chart's parallelismLimit"),
    (VALUES, f"Otherwise all run as user and group {TASK_USER}"),
    (OPERATIONS, f"By default all pods run as user and group {TASK_USER}"),
    (PROGRAMS, f"the user is {TASK_USER}; on OpenShift, one that the cluster assigns"),
]


def read_words(page: str) -> str:
    """Return a file's words on one line, without the signs of comments."""
    return re.sub(r"\s+(# )?", " ", (ROOT / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize(("page", "claim"), CLAIMS, ids=[f"{Path(page).stem}: {claim}" for page, claim in CLAIMS])
def test_a_page_states_what_the_code_does(page: str, claim: str) -> None:
    assert claim in read_words(page)


def test_the_crd_names_the_fields_that_a_running_job_still_reads() -> None:
    *names, last = sorted(LIVE_FIELDS)
    text = " ".join(job_schema()["properties"]["spec"]["description"].split())
    assert f"Changes to {', '.join(names)} and {last} take effect at once." in text


def test_the_crd_names_the_conditions_that_a_status_may_have() -> None:
    source = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in (status, run_conditions))
    named = vars(status) | vars(run_conditions)
    constants = {name: value for name, value in named.items() if isinstance(value, str)}
    usual = re.findall(r'^ {8}"(\w+)": \(', source, re.MULTILINE)
    further = re.findall(r'wanted\[(?:"(\w+)"|([A-Z_]+))\] =', source)
    kinds = {*usual, *(text or constants[name] for text, name in further)}
    conditions = job_schema()["properties"]["status"]["properties"]["conditions"]
    assert len(usual) == 6, "three of kstatus, three of batch/v1"
    assert kinds == set(re.findall(r"[A-Z]\w+", conditions["description"]))


def test_slow_attempts_are_as_slow_as_the_crd_says() -> None:
    text = job_schema()["properties"]["spec"]["properties"]["chaos"]["properties"]["slowFactor"]["description"]
    assert f"The default is {chaos.ChaosOptions().slow_factor:g}." in text


def test_the_charts_values_are_the_operators_own_defaults() -> None:
    settings = Settings.from_environ({"PODREDUCE_OPERATOR_RUNTIME_IMAGE": "runtime:1"})
    pending, pods = settings.limits.pending, settings.cluster.pod_defaults
    assert {
        "parallelismLimit": settings.limits.parallelism,
        "podsPerSecond": settings.cluster.pods_per_second,
        "chaos.enabled": settings.limits.chaos,
        "pending.absentSeconds": pending.absent_seconds or 0,
        "pending.imageSeconds": pending.image_seconds or 0,
        "pending.unschedulableSeconds": pending.unschedulable_seconds or 0,
        "tasks.nodeLostSeconds": pods.node_lost_seconds,
        "tasks.imagePullPolicy": pods.pull_policy,
        "tasks.podTemplate": pods.pod_template,
    } == {
        name: default(name)
        for name in (
            "parallelismLimit",
            "podsPerSecond",
            "chaos.enabled",
            "pending.absentSeconds",
            "pending.imageSeconds",
            "pending.unschedulableSeconds",
            "tasks.nodeLostSeconds",
            "tasks.imagePullPolicy",
            "tasks.podTemplate",
        )
    }
