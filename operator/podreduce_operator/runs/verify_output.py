"""Compares a published output with its manifest: which objects there are, their sizes, digests and records.

Rule: only reads. Each object is read once, in a stream, and some at a time. What the manifest cannot tell is named.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from podreduce.contract.errors import InputError, ObjectChangedError, ObjectNotFoundError
from podreduce.contract.layout import OUTPUT_MANIFEST_KEY, SUCCESS_KEY
from podreduce.contract.output_files import OutputFile
from podreduce.contract.task import OutputManifest, OutputPart
from podreduce.contract.texts import render_count
from podreduce.inputs.compression import decompressor_of, is_compressed
from podreduce.storage import ObjectStore
from podreduce_operator.model.errors import ActionError
from podreduce_operator.runs.output_claim import OWN_NAMES, RESERVED_PREFIX
from podreduce_operator.runs.stored_records import decode_record, limit_of, unreadable

__all__ = ["Difference", "Problem", "Verification", "verify_output"]

OBJECTS_AT_ONCE = 4
LINES = frozenset({"Text", "JSONLines"})
"""Each line is a record, because newlines in records are escaped."""
PARQUET = "Parquet"
COUNTED = LINES | {PARQUET}

OnBytes = Callable[[int], None]


class Problem(StrEnum):
    """What is wrong with an object."""

    MISSING = "missing"
    SURPLUS = "surplus"
    SIZE = "size"
    DIGEST = "digest"
    RECORDS = "records"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which the output is not what its manifest says.

    Attributes:
        name: the object's key below the output prefix.
        expected, found: bytes, records or SHA-256 as texts; empty if the problem needs none. For an object that cannot
            be read, `found` says why.
    """

    name: str
    problem: Problem
    expected: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What the comparison has found.

    Attributes:
        manifest: None if there is none that can be read; then nothing else was compared.
        unchecked: in words, what could not be compared.
    """

    uri: str
    manifest: OutputManifest | None
    differences: tuple[Difference, ...]
    unchecked: tuple[str, ...] = ()


def verify_output(output: ObjectStore, on_bytes: OnBytes = lambda _: None) -> Verification:
    """Compare an output with its manifest. `on_bytes` is told of bytes that were read, by several threads.

    Raises:
        PodreduceError: the store cannot be read.
    """
    try:
        manifest = read_manifest(output)
    except ObjectNotFoundError:
        lost = Difference(name=OUTPUT_MANIFEST_KEY, problem=Problem.MISSING)
        return Verification(uri=output.uri, manifest=None, differences=(lost, *find_incomplete(output)))
    except ActionError as error:
        broken = Difference(name=OUTPUT_MANIFEST_KEY, problem=Problem.UNREADABLE, found=str(error))
        return Verification(uri=output.uri, manifest=None, differences=(broken, *find_incomplete(output)))
    present = {found.key: found.size for found in output.list()}
    differences = (
        *find_incomplete(output),
        *compare_totals(manifest),
        *compare_objects(output, manifest, present, on_bytes),
        *find_surplus(output, manifest, present),
    )
    return Verification(
        uri=output.uri, manifest=manifest, differences=differences, unchecked=tuple(find_unchecked(manifest, present))
    )


def read_manifest(output: ObjectStore) -> OutputManifest:
    """Read the output's manifest.

    Raises:
        ObjectNotFoundError: there is none.
        ActionError: it is not one.
    """
    size, most = output.head(OUTPUT_MANIFEST_KEY).size, limit_of(OutputManifest).bytes
    if size > most:
        what = f"it has {render_count(size, 'byte')}, and {most:,} is the limit"
        raise unreadable(output.uri_of(OUTPUT_MANIFEST_KEY), what)
    data = output.get(OUTPUT_MANIFEST_KEY)
    return decode_record(data, OutputManifest, output.uri_of(OUTPUT_MANIFEST_KEY))


def find_incomplete(output: ObjectStore) -> Iterator[Difference]:
    """Yield the sign of a complete output, if it is not there."""
    if not output.exists(SUCCESS_KEY):
        yield Difference(name=SUCCESS_KEY, problem=Problem.MISSING)


def compare_totals(manifest: OutputManifest) -> Iterator[Difference]:
    """Yield where the manifest contradicts itself."""
    for problem, total, amounts in (
        (Problem.SIZE, manifest.bytes, [part.bytes for part in manifest.parts]),
        (Problem.RECORDS, manifest.records, [part.records for part in manifest.parts]),
    ):
        if total != sum(amounts):
            yield Difference(
                name=OUTPUT_MANIFEST_KEY, problem=problem, expected=str(total), found=f"{sum(amounts)} in its parts"
            )


def compare_objects(
    output: ObjectStore, manifest: OutputManifest, present: Mapping[str, int], on_bytes: OnBytes
) -> Iterator[Difference]:
    """Yield the differences of all parts and files, in the manifest's order."""
    compare = partial(compare_object, output, manifest.format, present, on_bytes)
    with ThreadPoolExecutor(OBJECTS_AT_ONCE, thread_name_prefix="verify") as pool:
        for found in pool.map(compare, (*manifest.parts, *manifest.files)):
            if found is not None:
                yield found


def compare_object(
    output: ObjectStore,
    output_format: str,
    present: Mapping[str, int],
    on_bytes: OnBytes,
    expected: OutputPart | OutputFile,
) -> Difference | None:
    """Return the first thing that is wrong with an object. The bytes of one with another size are not read."""
    size = present.get(expected.name)
    if size is None:
        return differ(expected, Problem.MISSING)
    if size != expected.bytes:
        return differ(expected, Problem.SIZE, expected.bytes, size)
    try:
        return compare_content(output, output_format, on_bytes, expected)
    except ObjectNotFoundError:
        return differ(expected, Problem.MISSING)
    except (InputError, ObjectChangedError) as error:
        return differ(expected, Problem.UNREADABLE, found=error)


def compare_content(
    output: ObjectStore, output_format: str, on_bytes: OnBytes, expected: OutputPart | OutputFile
) -> Difference | None:
    """Return how an object's digest or its number of records differs.

    Raises:
        InputError: its digest is right, and yet its records cannot be counted.
    """
    counts = isinstance(expected, OutputPart) and output_format in LINES
    reading, damage, newlines = Reading(output, expected.name, on_bytes), None, 0
    try:
        newlines = sum(data.count(b"\n") for data in reading.contents(decompress=counts))
    except InputError as error:
        damage = error
    if reading.sha256() != expected.sha256:
        return differ(expected, Problem.DIGEST, expected.sha256, reading.sha256())
    if damage is not None:
        raise damage
    if not isinstance(expected, OutputPart) or output_format not in COUNTED:
        return None
    records = newlines if counts else count_rows(output, expected)
    return None if records == expected.records else differ(expected, Problem.RECORDS, expected.records, records)


def differ(part: OutputPart | OutputFile, problem: Problem, expected: object = "", found: object = "") -> Difference:
    """Return a difference of a part or file."""
    return Difference(name=part.name, problem=problem, expected=str(expected), found=str(found))


class Reading:
    """One object's bytes, hashed as they are stored while they are read."""

    def __init__(self, output: ObjectStore, name: str, on_bytes: OnBytes) -> None:
        self.output = output
        self.name = name
        self.on_bytes = on_bytes
        self.digest = hashlib.sha256()

    def contents(self, *, decompress: bool) -> Iterable[bytes]:
        """Yield the bytes, if asked for decompressed. What is damaged is read to its end, for its digest."""
        stored = self.stored()
        if not decompress or not is_compressed(self.name):
            yield from stored
            return
        try:
            yield from decompressor_of(self.name)(stored, self.output.uri_of(self.name))
        finally:
            for _ in stored:
                pass

    def stored(self) -> Iterator[bytes]:
        """Yield the bytes as they are stored."""
        found = self.output.head(self.name)
        for chunk in self.output.stream(self.name, 0, found.size, etag=found.etag):
            self.digest.update(chunk)
            self.on_bytes(len(chunk))
            yield chunk

    def sha256(self) -> str:
        """Return the digest of what was read."""
        return self.digest.hexdigest()


def count_rows(output: ObjectStore, part: OutputPart) -> int:
    """Return how many rows a part in Parquet has, by its footer.

    Raises:
        InputError: it is not Parquet.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and few outputs need it
    import pyarrow.parquet as pq  # noqa: PLC0415

    from podreduce.inputs.parquet_footer import RangeFile  # noqa: PLC0415

    file = pa.PythonFile(RangeFile(partial(output.get_range, part.name), part.bytes), mode="r")
    try:
        return int(pq.read_metadata(file).num_rows)
    except pa.ArrowException as error:
        raise InputError(f"{output.uri_of(part.name)}: not a valid Parquet file ({error})") from error


def find_surplus(output: ObjectStore, manifest: OutputManifest, present: Mapping[str, int]) -> Iterator[Difference]:
    """Yield what lies below the prefix and is neither in the manifest nor podreduce's own."""
    known = {*OWN_NAMES, *(each.name for each in manifest.parts), *(each.name for each in manifest.files)}
    for name in sorted({*present, *unlisted_files(output)}):
        if name not in known and not name.startswith(RESERVED_PREFIX):
            yield Difference(name=name, problem=Problem.SURPLUS)


def unlisted_files(output: ObjectStore) -> Iterator[str]:
    """Yield the files of a directory that no listing has, because their names cannot be keys."""
    top = "" if output.directory is None else f"{output.directory}/"
    return (path.removeprefix(top) for path in output.unreadable_files())


def find_unchecked(manifest: OutputManifest, present: Mapping[str, int]) -> Iterator[str]:
    """Yield what the manifest cannot tell of this output."""
    if manifest.format not in COUNTED:
        yield (
            f"the records of {manifest.format} were not counted, only their bytes compared: the manifest does not say "
            "how to read them"
        )
    if any(name.startswith(RESERVED_PREFIX) for name in present):
        yield (
            f"objects below {RESERVED_PREFIX}…: a run writes to this output now, or was ended before it could remove "
            "them; they are no part of it"
        )
    yield (
        "the manifest itself, which no digest guards: compare its planDigest and records with the job's status; and "
        "whether the input has changed since"
    )
