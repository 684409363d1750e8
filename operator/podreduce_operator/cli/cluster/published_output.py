"""`podreduce output`: what a job or a step of a pipeline has published on a cluster, or what is at a path or URI."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from podreduce.contract.errors import ObjectNotFoundError, PodreduceError
from podreduce.contract.layout import FORMAT_ENDINGS, OUTPUT_MANIFEST_KEY, SUCCESS_KEY
from podreduce.contract.task import OutputManifest
from podreduce.contract.texts import render_count
from podreduce.contract.wire import decode
from podreduce.inputs.compression import decompressor_of, is_compressed
from podreduce.storage import ObjectStore, open_store
from podreduce_operator.cli.cluster.errors import CommandError, CommandExit
from podreduce_operator.cli.cluster.kinds import Reference
from podreduce_operator.cli.cluster.pipeline_outputs import choose_step, find_outputs, find_step_uri, render_outputs
from podreduce_operator.cli.cluster.run_facts import find_ending, spec_of, status_of
from podreduce_operator.cli.cluster.run_store import open_run_store
from podreduce_operator.cli.cluster.subjects import Subject, find_subject
from podreduce_operator.cli.terminal import complain, say
from podreduce_operator.cli.wording import render_bytes
from podreduce_operator.policy.pipeline_status import DONE

if TYPE_CHECKING:
    from podreduce_operator.cli.cluster.connection import Connection

__all__ = ["OutputOptions", "as_prefix", "look_at_output", "show_output", "show_output_at"]

PART = "part-"
PARQUET, PAIRS = FORMAT_ENDINGS["Parquet"], FORMAT_ENDINGS["Pairs"]
LINES = tuple(FORMAT_ENDINGS[name] for name in ("Text", "JSONLines", "CSV"))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """What is done with the records; without any of these they are all printed.

    Attributes:
        head: print this many.
        count: print how many there are.
        save: copy the parts into this directory.
        step: of a pipeline.
        endpoint: replaces the store's.
    """

    head: int | None = None
    count: bool = False
    save: Path | None = None
    step: str | None = None
    endpoint: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is said of what to do with the records."""
        return self.head is None and self.save is None and not self.count


async def show_output(connection: "Connection", reference: Reference, options: OutputOptions) -> CommandExit:
    """Show the output of a job's newest run or of a pipeline's step; of a pipeline list the steps that have one."""
    subject = await find_subject(connection, reference, options.step)
    if subject.steps is not None and options.step is None and options.is_whole:
        return list_outputs(connection, subject)
    return await look_at_output(connection, subject, options.endpoint, lambda store: show(store, options))


def list_outputs(connection: "Connection", subject: Subject) -> CommandExit:
    """List the outputs of a pipeline.

    Raises:
        CommandError: it has none.
    """
    uris = find_outputs(subject)
    if not uris:
        choose_step(subject)
    steps = subject.steps or ()
    say("\n".join(render_outputs([step.line for step in steps], uris)))
    for step in [step.name for step in steps if step.name in uris and step.state in DONE][-1:]:
        command = connection.place.command("output", str(subject.reference), "--step", step, "--head", "10")
        complain(f"the records of one: {command}")
    return CommandExit.DONE


async def look_at_output(
    connection: "Connection", subject: Subject, endpoint: str | None, look: Callable[[ObjectStore], CommandExit]
) -> CommandExit:
    """Show the output of a job's newest run, or of a pipeline's step, as `look` shows what is at its store.

    Raises:
        CommandError: it has published nothing, it is not clear which step is meant, or its store cannot be read.
    """
    step = None if subject.steps is None else choose_step(subject)
    output = status_of(subject.manifest).get("output")
    if step is None and output is None:
        raise CommandError(explain_absence(connection, subject.reference, subject.manifest), CommandExit.FAILED)
    async with open_run_store(connection, subject.manifest, endpoint) as opened:
        uri = find_step_uri(subject, step, opened) if step is not None else (output or {})["uri"]
        try:
            return look(opened.open(as_prefix(uri)))
        except PodreduceError as error:
            raise opened.explain(error) from error


def show_output_at(uri: str, options: OutputOptions) -> CommandExit:
    """Show the output at a URI."""
    return show(open_store(as_prefix(uri)), options)


def as_prefix(uri: str) -> str:
    """Return a URI that ends in `/`."""
    return uri if uri.endswith("/") else f"{uri}/"


def explain_absence(connection: "Connection", reference: Reference, manifest: dict[str, Any]) -> str:
    """Return why a job has no output, and what to do."""
    place = connection.place
    uri = (spec_of(manifest).get("output") or {}).get("uri", "")
    ending = find_ending(manifest)
    if ending is None:
        return f"{reference}: its run has not published yet; {place.command('wait', reference.name)} waits for its end"
    command = place.command("resume" if ending == "Suspended" else "diagnose", reference.name)
    return f"{reference}: its run is {ending.lower()} and has published nothing at {uri}; {command}"


def show(store: ObjectStore, options: OutputOptions) -> CommandExit:
    """Show a complete output.

    Raises:
        CommandError: it is not complete.
        PodreduceError: the store cannot be read.
    """
    if not store.exists(SUCCESS_KEY):
        raise CommandError(
            f"{store.uri}: no complete output: there is no {SUCCESS_KEY}, which a run writes last", CommandExit.FAILED
        )
    if options.save is not None:
        return save(store, options.save)
    if options.count:
        say(str(count(store)))
        return CommandExit.DONE
    for name in part_names(store):
        if options.head is not None and not any(ending in name for ending in (PARQUET, PAIRS, *LINES)):
            raise CommandError(
                f"{name} has no lines: --save DIR copies it, and podreduce.run reads it", CommandExit.FAILED
            )
    copy_records(store, options.head, sys.stdout.buffer)
    return CommandExit.DONE


def part_names(store: ObjectStore) -> list[str]:
    """Return the parts, in the order of their numbers."""
    return sorted(found.key for found in store.list(PART, recursive=False))


def count(store: ObjectStore) -> int:
    """Return how many records the output's manifest has; without one, the lines are counted."""
    try:
        return decode(store.get(OUTPUT_MANIFEST_KEY), OutputManifest).records
    except ObjectNotFoundError:
        return sum(1 for _ in iter_lines(store))


def save(store: ObjectStore, directory: Path) -> CommandExit:
    """Copy the parts into a new or empty directory."""
    from podreduce_operator.cli.copy import copy_one  # noqa: PLC0415 - slow to import

    if directory.is_dir() and any(directory.iterdir()):
        raise CommandError(f"{directory} is not empty: choose another directory", CommandExit.INVALID)
    target = open_store(f"{directory.absolute().as_uri()}/")
    sizes = [copy_one(store, name, target, name) for name in part_names(store)]
    complain(f"{render_count(len(sizes), 'part')}, {render_bytes(sum(sizes))} in {directory}")
    return CommandExit.DONE


def copy_records(store: ObjectStore, head: int | None, target: BinaryIO) -> None:
    """Write records: all as they are stored, or the first ones."""
    if head is not None:
        target.writelines(islice(iter_lines(store), head))
    else:
        for name in part_names(store):
            target.writelines(iter_rows(store, name) or iter_bytes(store, name))
    target.flush()


def iter_lines(store: ObjectStore) -> Iterator[bytes]:
    """Yield the lines of all parts, with their ends."""
    for name in part_names(store):
        yield from iter_rows(store, name) or split_lines(iter_bytes(store, name))


def iter_rows(store: ObjectStore, name: str) -> Iterator[bytes] | None:
    """Yield the records of a part that has no lines as lines: of Parquet as JSON, of Pairs as Text would be."""
    if PARQUET in name:
        return iter_json(store, name)
    return iter_pairs(store, name) if PAIRS in name else None


def iter_bytes(store: ObjectStore, name: str) -> Iterator[bytes]:
    """Yield a part's bytes, decompressed."""
    found = store.head(name)
    chunks: Iterable[bytes] = map(bytes, store.stream(name, 0, found.size, etag=found.etag))
    yield from decompressor_of(name)(chunks, name) if is_compressed(name) else chunks


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines with their ends."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest


def iter_json(store: ObjectStore, name: str) -> Iterator[bytes]:
    """Yield the rows of a part in Parquet as lines of JSON."""
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    with pq.ParquetFile(BytesIO(store.get(name))) as part:
        for batch in part.iter_batches():
            for row in batch.to_pylist():
                yield json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n"


def iter_pairs(store: ObjectStore, name: str) -> Iterator[bytes]:
    """Yield the pairs of a part as lines of Text. What Text cannot write is shown as Python shows it."""
    from podreduce.encoding.unwritable import UnwritableError  # noqa: PLC0415 - slow to import
    from podreduce.inputs import decode_pairs  # noqa: PLC0415 - as above
    from podreduce.outputs.line_formats import text_line  # noqa: PLC0415 - as above

    for key, value in decode_pairs(b"".join(iter_bytes(store, name)), store.uri_of(name)):
        try:
            yield text_line(key, value)
        except (UnwritableError, UnicodeEncodeError):
            yield f"{key!r}\t{value!r}\n".encode(errors="backslashreplace")
