"""`podreduce verify`: compares a published output with its manifest, of a job on a cluster or at a path or URI."""

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from podreduce.contract.layout import OUTPUT_MANIFEST_KEY, SUCCESS_KEY
from podreduce.contract.texts import render_count
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.cli.cluster.errors import CommandExit
from podreduce_operator.cli.cluster.kinds import Reference
from podreduce_operator.cli.cluster.output_format import Format
from podreduce_operator.cli.cluster.printing import print_json
from podreduce_operator.cli.cluster.published_output import as_prefix, look_at_output
from podreduce_operator.cli.cluster.subjects import find_subject
from podreduce_operator.cli.terminal import complain, fit, say
from podreduce_operator.cli.wording import render_bytes
from podreduce_operator.runs.verify_output import Difference, Problem, Verification, verify_output

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["render_verification", "show_verification", "show_verification_at"]

MOST_SHOWN = 20
PROGRESS_SECONDS = 2.0
REMEDY = (
    "what to do: if it is a copy, copy it again; else find out who writes to this place, and run the job again with a "
    "new spec.runId and spec.output.ifExists: Replace"
)

MISSING = {
    SUCCESS_KEY: "missing, so the output is not complete: a run writes it last",
    OUTPUT_MANIFEST_KEY: "missing; every run writes it: is this the output of a job?",
}


class ReadBytes:
    """Says how many bytes were read, some seconds apart and only if it takes long. Threads may call it."""

    def __init__(self, interval_seconds: float = PROGRESS_SECONDS) -> None:
        self.total = 0
        self.interval_seconds = interval_seconds
        self.said_at = time.monotonic()
        self.lock = threading.Lock()

    def __call__(self, number: int) -> None:
        """Take bytes that were read."""
        with self.lock:
            self.total += number
            now = time.monotonic()
            if now - self.said_at >= self.interval_seconds:
                self.said_at = now
                complain(f"{render_bytes(self.total)} read")


async def show_verification(
    connection: "Connection", reference: Reference, output: Format | None, endpoint: str | None, step: str | None = None
) -> CommandExit:
    """Compare the output of a job's newest run, or of a pipeline's step, with its manifest."""
    subject = await find_subject(connection, reference, step)
    return await look_at_output(connection, subject, endpoint, lambda store: show(store, output))


def show_verification_at(uri: str, output: Format | None) -> CommandExit:
    """Compare the output at a URI with its manifest."""
    return show(open_store(as_prefix(uri)), output)


def show(store: ObjectStore, output: Format | None) -> CommandExit:
    """Compare an output with its manifest, and print what was found.

    Raises:
        PodreduceError: the store cannot be read.
    """
    found = verify_output(store, ReadBytes())
    if output in {Format.JSON, Format.YAML}:
        print_json(as_json(found), output)
    else:
        say(fit("\n".join(render_verification(found)), sys.stdout))
    return CommandExit.FAILED if found.differences else CommandExit.DONE


def as_json(found: Verification) -> dict[str, Any]:
    """Return what was found, as JSON."""
    manifest = found.manifest
    counts = {"parts": 0, "files": 0, "records": 0, "bytes": 0}
    if manifest is not None:
        counts = {"parts": len(manifest.parts), "files": len(manifest.files), "records": manifest.records}
        counts["bytes"] = manifest.bytes + sum(each.bytes for each in manifest.files)
    return {
        "uri": found.uri,
        "whole": not found.differences,
        "manifest": counts,
        "differences": [asdict(each) for each in found.differences],
        "unchecked": list(found.unchecked),
    }


def render_verification(found: Verification) -> Iterator[str]:
    """Yield the lines about an output."""
    manifest, differences = found.manifest, found.differences
    if manifest is None:
        yield f"{found.uri}: nothing to compare with"
    elif differences:
        yield f"{found.uri}: differs from its manifest in {render_count(len(differences), 'place')}"
    else:
        files = f" and {render_count(len(manifest.files), 'file')}" if manifest.files else ""
        yield (
            f"{found.uri}: whole: {render_count(len(manifest.parts), 'part')}{files}, "
            f"{render_count(manifest.records, 'record')}, {render_bytes(manifest.bytes)}; made by the run "
            f"{manifest.run_id} of {manifest.namespace}/{manifest.job}"
        )
    yield from map(render_difference, differences[:MOST_SHOWN])
    if len(differences) > MOST_SHOWN:
        yield f"and {len(differences) - MOST_SHOWN:,} more: -o json lists them all"
    if differences:
        yield REMEDY
    yield from (f"not checked: {each}" for each in found.unchecked)


def render_difference(difference: Difference) -> str:
    """Return the line about one object."""
    return f"{difference.name}: {explain(difference)}"


def explain(difference: Difference) -> str:
    """Return what is wrong with an object, in words."""
    name, expected, found = difference.name, difference.expected, difference.found
    words = {
        Problem.MISSING: MISSING.get(name, "missing"),
        Problem.SURPLUS: "it is not in the manifest",
        Problem.UNREADABLE: f"cannot be read: {found}",
        Problem.SIZE: f"{count_text(found, 'byte')}, and the manifest says {expected}",
        Problem.RECORDS: f"{count_text(found, 'record')}, and the manifest says {expected}",
        Problem.DIGEST: f"other bytes: its SHA-256 is {found}, and the manifest says {expected}",
    }
    return words[difference.problem]


def count_text(found: str, noun: str) -> str:
    """Return `7 records in its parts` for `7 in its parts`; nothing for what has no number, as another difference."""
    number, _, place = found.partition(" ")
    return f"{render_count(int(number), noun)} {place}".rstrip() if number.isdecimal() else ""
