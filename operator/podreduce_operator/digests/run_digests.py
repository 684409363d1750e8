"""The digests of a run: `specDigest` of what it does, `inputDigest` of what it reads, `outputDigest` of what it wrote.

Two runs with the same spec and input digests have the same output, up to its division into shards. So parallelism,
shards, templates, retries, deadlines and places do not count. A field that has its default does not count either, so
that a release may add fields. Numbers of the whole list are in the tests.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from podreduce.contract.plan import InputOptions, Program
from podreduce.contract.task import OutputPart
from podreduce.contract.wire import digest_bytes
from podreduce_operator.api.spec import InputSpec, JobSpec, OutputSpec
from podreduce_operator.digests.code_text import code_text

__all__ = [
    "DIGEST_VERSION",
    "ListedObject",
    "combine_inputs",
    "digest_input",
    "digest_inputs",
    "digest_output",
    "digest_spec",
]

ListedObject: TypeAlias = tuple[str, int, str | None]
"""An object's URI, stored bytes and ETag."""

DIGEST_VERSION: Final = 1
"""The version of what the digests are over. Raising it makes every earlier output count as changed."""

NO_SIDE_INPUTS: Final[Mapping[str, Iterable[ListedObject]]] = MappingProxyType({})


def digest_spec(spec: JobSpec, program: Program, *, runs_in_image: bool) -> str | None:
    """Return the digest of what a run does with its input; None if its code is not known.

    The code of `program.module` is known only if it is in the program's archive, or if it `runs_in_image` and the image
    is named by digest.
    """
    code = digest_code(spec, program, runs_in_image=runs_in_image)
    if code is None:
        return None
    parts = {
        "version": DIGEST_VERSION,
        "code": code,
        "className": program.class_name,
        "parameters": program.parameters,
        "image": spec.image,
        "inputs": [describe_input(each) for each in spec.all_inputs.values()],
        "output": describe_output(spec.output),
        "partitions": spec.reduce.partitions,
        "partitionKeyLength": spec.reduce.partition_key_length,
        "badRecords": spec.bad_records,
    }
    if spec.reduce.partitioning != "Balanced":
        parts["partitioning"] = spec.reduce.partitioning
    if spec.side_inputs:
        parts["sideInputs"] = [describe_input(each) for each in by_name(spec.side_inputs)]
    if program.files:
        parts["files"] = [each.digest for each in program.files]
    return digest_value(parts)


def by_name(side_inputs: Iterable[InputSpec]) -> list[InputSpec]:
    """Return side inputs in the order of their names: theirs in the spec does not matter."""
    return sorted(side_inputs, key=attrgetter("name"))


def digest_code(spec: JobSpec, program: Program, *, runs_in_image: bool) -> str | None:
    """Return a digest or name of the code; None if it is not known."""
    if program.source is not None:
        return digest_bytes(code_text(program.source, program.class_name).encode("utf-8", "surrogatepass"))
    is_pinned = program.archive is not None or (runs_in_image and "@sha256:" in (spec.image or ""))
    return f"module {program.module}" if is_pinned else None


def describe_input(spec: InputSpec) -> dict[str, Any]:
    """Return an input's name and options; where it is does not count."""
    options = msgspec.to_builtins(non_defaults(spec.options))
    return {"name": spec.name, "format": spec.format, "encodingErrors": spec.encoding_errors, **options}


def non_defaults(options: InputOptions) -> dict[str, Any]:
    """Return the options that differ from their defaults."""
    found = {name: getattr(options, name) for name in options.__struct_fields__}
    return {name: value for name, value in found.items() if value != getattr(InputOptions(), name)}


def describe_output(spec: OutputSpec) -> dict[str, Any]:
    """Return an output's format and options."""
    options = {
        "compression": spec.compression if spec.compression != "None" else None,
        "columns": spec.columns or None,
        "recordLength": spec.record_length,
        "order": spec.order if spec.order != "Partition" else None,
    }
    return {"format": spec.format} | {name: value for name, value in options.items() if value is not None}


def digest_inputs(
    listings: Sequence[Iterable[ListedObject]], side_inputs: Mapping[str, Iterable[ListedObject]] = NO_SIDE_INPUTS
) -> str:
    """Return the digest of a job's inputs: of the only one, or of their digests in order; and of its side inputs."""
    sides = {name: digest_input(objects) for name, objects in side_inputs.items()}
    return combine_inputs(list(map(digest_input, listings)), sides)


def combine_inputs(digests: Sequence[str], side_inputs: Mapping[str, str]) -> str:
    """Return the digest of a job's inputs by the digest of each; side inputs by their names."""
    if len(digests) == 1 and not side_inputs:
        return digests[0]
    parts: dict[str, Any] = {"version": DIGEST_VERSION, "inputs": digests}
    return digest_value(parts | ({"sideInputs": dict(side_inputs)} if side_inputs else {}))


def digest_input(objects: Iterable[ListedObject]) -> str:
    """Return the digest of listed objects, in the order in which they are read."""
    digest = hashlib.sha256(msgspec.json.encode({"version": DIGEST_VERSION}))
    for each in objects:
        digest.update(b"\n" + msgspec.json.encode(each))
    return digest.hexdigest()


def digest_output(parts: Iterable[OutputPart]) -> str:
    """Return the digest of an output: its parts' names and SHA-256."""
    return digest_value({"version": DIGEST_VERSION, "parts": sorted((part.name, part.sha256) for part in parts)})


def digest_value(value: object) -> str:
    """Return the digest of a value as canonical JSON."""
    return digest_bytes(msgspec.json.encode(value, order="sorted"))
