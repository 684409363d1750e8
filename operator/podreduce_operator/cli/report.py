"""The final report on a run: where the output is, or what failed, on which record, and what to do. Rule: pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podreduce.contract.layout import ATTEMPTS_TABLE_KEY, POST_MORTEM_KEY
from podreduce.contract.task import TaskType
from podreduce.contract.texts import render_count
from podreduce_operator.cli.program_source import ProgramSource
from podreduce_operator.cli.wording import render_output, render_seconds
from podreduce_operator.policy.empty_output import describe_empty_output
from podreduce_operator.policy.run_state import read_conditions

__all__ = [
    "PYTHON_REMEDIES",
    "REMEDIES",
    "STEP_REMEDIES",
    "Kept",
    "find_verdict",
    "render_failed",
    "render_success",
    "show_uri",
]

SKEWED_SHARE = 0.2

REMEDIES = {
    "BackoffLimitExceeded": "fix the cause of the last failure; --retries N tries a failed task N more times",
    "ProgramError": "fix the program, and try it on a small input first: --input PATH",
    "ProgramInvalid": "correct the program as the message says; install a module that is missing here with pip",
    "SetupFailed": "correct what the program does before the first record: its imports, its constructor, its setup",
    "InputError": "fix the object; --set spec.badRecords=Skip leaves out the records that cannot be read, --set "
    "spec.input.encodingErrors=Replace accepts bytes that are not UTF-8",
    "TooManyBadRecords": "fix the input or the program, or allow more: --set spec.maxBadRecords=N",
    "InputNotFound": "check the path; it is relative to the current directory, and a prefix ends in /",
    "OutputExists": "choose another --output, or replace the old one: --set spec.output.ifExists=Replace "
    "(podreduce rerun: --replace)",
    "OutputClaimed": "wait for the other run, or choose another --output",
    "OutOfMemory": "give each task more memory: lower --parallelism; or less to do: --set spec.map.shards=N for a map "
    "(m-…), --set spec.reduce.partitions=N for a reduce (r-…)",
    "Killed": "somebody or the system killed the process; if memory was the reason, lower --parallelism",
    "ScratchFull": "free disk space for temporary files, or choose another directory with --work-dir",
    "StorageDenied": "do what the message says; for S3, check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and "
    "the bucket's name",
    "StorageUnavailable": "check AWS_ENDPOINT_URL, and check that the store is up",
    "DeadlineExceeded": "raise it: --set spec.activeDeadlineSeconds=N",
    "ProgramNotFound": "put the ConfigMap into the job's file, after a line ---; a file, where its uri says",
}
"""What to do, by the reason of the failure or of the condition."""

STEP_REMEDIES = REMEDIES | {
    "ProgramError": "fix the program, and try it on a small input first: -p NAME=VALUE sets a parameter",
    "InputError": "fix the object; badRecords: Skip in the step leaves out the records that cannot be read, "
    "encodingErrors: Replace in its input accepts bytes that are not UTF-8",
    "TooManyBadRecords": "fix the input or the program, or allow more: maxBadRecords: N in the step",
    "OutputExists": "choose another place with -o STEP=URI, or replace the old one: ifExists: Replace in its output",
    "OutputClaimed": "wait for the other run, or choose another place with -o STEP=URI",
    "OutOfMemory": "give each task more memory: lower --parallelism; or less to do: map.shards in the step for a map "
    "(m-…), reduce.partitions for a reduce (r-…)",
    "DeadlineExceeded": "raise activeDeadlineSeconds, of the pipeline or of the step",
    "ProgramNotFound": "put the ConfigMap into the pipeline's file, after a line ---; a file, where its uri says",
}
"""The same for a step of a pipeline, which other options change."""

PYTHON_REMEDIES = REMEDIES | {
    "BackoffLimitExceeded": "fix the cause of the last failure; settings=['spec.backoffLimitPerTask=N'] tries a failed "
    "task N more times",
    "ProgramError": "fix the program, and try it on a small input first: inputs=[PATH]",
    "InputError": "fix the object; settings=['spec.badRecords=Skip'] leaves out the records that cannot be read, "
    "settings=['spec.input.encodingErrors=Replace'] accepts bytes that are not UTF-8",
    "TooManyBadRecords": "fix the input or the program, or allow more: settings=['spec.maxBadRecords=N']",
    "OutputExists": "choose another output, or replace the old one: settings=['spec.output.ifExists=Replace']",
    "OutputClaimed": "wait for the other run, or choose another output",
    "OutOfMemory": "give each task more memory: lower parallelism; or less to do: settings=['spec.map.shards=N'] for a "
    "map (m-…), settings=['spec.reduce.partitions=N'] for a reduce (r-…)",
    "Killed": "somebody or the system killed the process; if memory was the reason, lower parallelism",
    "ScratchFull": "free disk space for temporary files, or set TMPDIR to another directory",
    "DeadlineExceeded": "raise it: settings=['spec.activeDeadlineSeconds=N']",
}
"""The same for `podreduce.run`, whose arguments have other names."""


def find_verdict(status: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return `Complete` or `Failed` with the condition's reason and message; three empty texts if neither is true."""
    for condition in read_conditions(status):
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            return condition["type"], condition["reason"], condition["message"]
    return "", "", ""


def render_success(name: str, status: Mapping[str, Any], seconds: float) -> str:
    """Return the report on a complete run: what was written, and where."""
    output = status.get("output", {})
    lines = [
        f"{name}: complete in {render_seconds(seconds)}: {render_output(output)}",
        f"output: {show_uri(output.get('uri', ''))}",
    ]
    notes = (render_empty_output, render_bad_records, render_counters, render_skew)
    return "\n".join([*lines, *(line for render in notes for line in render(status))])


def render_empty_output(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning if records were read and none were written, or if there was nothing to read."""
    empty = describe_empty_output(status)
    if empty:
        yield f"warning: {empty}"
    elif status.get("plan", {}).get("bytes") == 0:
        yield "warning: the input is empty"


def render_bad_records(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line if records were skipped, or if an attempt had too many bad records."""
    if "badRecords" in status:
        count, uri = status["badRecords"]["count"], show_uri(status["badRecords"]["uri"])
        yield f"{render_count(count, 'bad record')} skipped, see {uri}" if count else f"bad records: {uri}"


def render_counters(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each of the program's counters."""
    for group, counters in status.get("counters", {}).items():
        if group != "podreduce":
            yield from (f"counter {group}/{name}: {value:,}" for name, value in counters.items())


def render_skew(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line if one key has so much of the shuffled data that its reduce task delays the run."""
    for heavy in status.get("skew", [])[:1]:
        if heavy["share"] > SKEWED_SHARE:
            yield (
                f"skew: the key {heavy['key']} has {heavy['share']:.0%} of the shuffled data, and one reduce task "
                "takes all of it: see Skew in docs/troubleshooting.md"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The directories that stay after a failed run; None for one that is empty."""

    logs: Path | None = None
    post_mortem: Path | None = None
    records: Path | None = None


def render_failed(
    name: str,
    status: Mapping[str, Any],
    kept: Kept,
    source: ProgramSource | None = None,
    known: Mapping[str, str] = REMEDIES,
) -> str:
    """Return the report on a failed run: the user's own error and its place, the record, what to do, then the rest.

    `source` is the program as its author knows it, so that lines are those of its file; `known`: what to do, by reason.
    """
    _, reason, message = find_verdict(status)
    failures = status.get("failures", [])
    last = failures[0] if failures and explains(failures[0], reason) else None
    remedy = known.get("" if last is None else last["reason"]) or known.get(reason)
    remedies = [] if remedy is None else [f"what to do: {remedy}"]
    if last is None:
        lines = [f"{name}: failed: {reason}: {message}", *remedies]
    else:
        lines = list(render_failure(name, reason, last, remedies, source))
    lines.extend(render_bad_records(status))
    return "\n".join([*lines, *render_kept(kept, last)])


def render_kept(kept: Kept, last: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield the lines about what stays, and how the failed task is run again."""
    if kept.logs is not None:
        yield f"logs of the failed attempts: {kept.logs}"
    if kept.post_mortem is not None:
        yield f"post-mortem: {kept.post_mortem / POST_MORTEM_KEY}, and all attempts beside it in {ATTEMPTS_TABLE_KEY}"
    if kept.records is not None and last is not None:
        maps = "--maps " if last["task"].startswith(TaskType.REDUCE.letter) else ""
        yield f"the same task again, in a debugger: podreduce replay {kept.records} {last['task']} {maps}--pdb"


def explains(failure: Mapping[str, Any], reason: str) -> bool:
    """Tell whether this failure ended the run. Too many bad records may also come from committed tasks together."""
    return reason != "TooManyBadRecords" or bool(failure["reason"] == reason)


def render_failure(
    name: str, reason: str, failure: Mapping[str, Any], remedies: Sequence[str], source: ProgramSource | None
) -> Iterator[str]:
    """Yield the lines about the failed attempt that ended the run."""
    traceback = failure.get("traceback", "").rstrip("\n")
    if source is not None:
        traceback = source.translate(traceback, name)
    place = "" if source is None else source.find_place(traceback)
    yield f"{place}: {failure['message']}" if place else failure["message"]
    if failure.get("record"):
        yield f"at the record: {failure['record']}"
    yield from remedies
    yield (
        f"{name}: failed: {reason}"
        + (f": {failure['reason']}" if failure["reason"] != reason else "")
        + (f" in the task {failure['task']}")
    )
    if traceback:
        yield traceback


def show_uri(uri: str) -> str:
    """Return a file URI as a path, and other URIs unchanged."""
    return uri.removeprefix("file://")
